"""``charlstm evaluate``: how well a model predicts texts."""

import sys
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charlstm.cli import bars, console, wording
from charlstm.cli.downloads import fetch
from charlstm.cli.loading import loaded
from charlstm.cli.options import Corpus, with_options
from charlstm.errors import OptionError
from charlstm.options import EVALUATION, MODEL

if TYPE_CHECKING:
    from charlstm import Evaluation, LanguageModel
    from charlstm.analysis.baselines import Baseline

COLUMNS = (
    *("text", "split", "predictor", "loss", "bits_per_char", "perplexity", "accuracy"),
    *("top_5_accuracy", "characters"),
)
PARTS = {"train": "training part", "val": "validation part"}
TITLES = {"bits_per_char": "bits", "top_5_accuracy": "top 5"}  # shorter, for a terminal
OWN = "the model"  # the predictor in the rows that are no baselines
MOST_CHOICES = 1e6  # a perplexity above it is not worth its digits


@with_options(
    *(EVALUATION, "window", "unknown", "glob", "encoding", MODEL, "json", "quiet"),
    window={
        "group": EVALUATION,
        "help": "Let the network forget all before, after each N characters.",
    },
    unknown={
        "group": "Corpus",
        "help": "What to do with a character that the model does not know.",
    },
    glob={
        "default": None,
        "help": "Pattern of the file names to read in a directory.  [default: the model's]",
    },
    encoding={"default": None, "help": "Encoding of the texts.  [default: the model's]"},
    json={"help": "Print one JSON object for each text, on one line."},
)
def evaluate(corpus: Corpus, **values: Any) -> None:
    """Measure how well a model predicts texts.

    The measures are loss, bits per character, perplexity and accuracy. Each CORPUS is a text of its
    own. Of the text that the model learned from, the validation part is read, which it did not
    learn from; of other texts all is read. In a pipe, rows are tab-separated lines.

    charlstm evaluate play.txt --baselines

    charlstm evaluate *.txt --json | jq .perplexity
    """
    if values["window"] is not None and values["exact"]:
        raise OptionError("--window and --exact do not go together; leave one out")
    quiet, json = values["quiet"], values["json"]
    model = loaded(values)
    console.say_if_typed(corpus, quiet=quiet)
    fetch(corpus, quiet=quiet)
    terminal = console.is_terminal(sys.stdout) and not json
    rows: list[tuple[str, ...]] = []
    try:
        for number, text in enumerate(corpus):
            found = _evaluation(model, text, values)
            console.say(*_in_words(found), quiet=quiet)
            if json:
                console.write_json(_described(found))
            elif terminal:
                rows += _short(_rows(found, digits=3))
            else:
                for row in (*([] if number else [COLUMNS]), *_rows(found, digits=6)):
                    console.write_row(row)
    finally:
        if terminal and rows:  # also those before a text that cannot be read
            _write_table(rows, baselines=values["baselines"])


def _evaluation(model: "LanguageModel", text: str, values: dict[str, Any]) -> "Evaluation":
    """The evaluation of one text; what was changed in the text is said."""
    names = ("split", "window", "exact", "baselines", "unknown", "encoding", "glob")
    notes: list[str] = []
    with bars.bar("reading", quiet=values["quiet"]) as progress:
        how = {name: values[name] for name in names}
        found = model.evaluate(text, notes=notes, progress=progress, **how)
    console.say(*notes, quiet=values["quiet"])
    return found


def _described(found: "Evaluation") -> dict[str, Any]:
    """An evaluation for other programs."""
    return {
        "text": found.text,
        "split": found.split,
        "characters": found.characters,
        "own": found.own,
        "learned": found.learned,
        "read": found.read,
        **_losses(found),
        "accuracy": found.accuracy,
        "top_5_accuracy": found.top_5_accuracy,
        "unknown": found.unknown,
        "baselines": [
            {"name": b.name, **_losses(b), "accuracy": b.accuracy} for b in found.baselines
        ],
    }


def _losses(found: "Evaluation | Baseline") -> dict[str, float | None]:
    """The loss in its three forms; a number that is too large for JSON is null."""
    loss, bits = found.loss, found.bits_per_char
    return {"loss": loss, "bits_per_char": bits, "perplexity": wording.number(found.perplexity)}


def _rows(found: "Evaluation", *, digits: int) -> list[tuple[str, ...]]:
    """The rows of a text, numbers with so many decimals: the model's and those of the baselines."""

    def row(name: str, of: "Evaluation | Baseline", top_5: float | None) -> tuple[str, ...]:
        numbers = (of.loss, of.bits_per_char, of.perplexity, of.accuracy, top_5)
        cells = (wording.NOTHING if n is None else f"{n:.{digits}f}" for n in numbers)
        return (found.text, found.split, name, *cells, str(found.characters))

    own = row(OWN, found, found.top_5_accuracy)
    return [own, *(row(baseline.name, baseline, None) for baseline in found.baselines)]


def _short(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The rows of a text for a terminal, narrow enough for one of 80 columns.

    The name of the text is short. It stands above the names of several predictors, in a row of its
    own and in their column.
    """
    name = Path(rows[0][0]).name or rows[0][0]
    if len(rows) == 1:
        return [(name, *rows[0][1:])]
    empty = [""] * (len(COLUMNS) - 1)
    return [(name, *empty), *((f"  {row[COLUMNS.index('predictor')]}", *row[1:]) for row in rows)]


def _write_table(rows: list[tuple[str, ...]], *, baselines: bool) -> None:
    """Write the rows to a terminal; what the messages have said is left out."""
    hidden = {"split", "predictor", *(["characters"] if baselines else [])}
    shown = [name not in hidden for name in COLUMNS]
    header = tuple(TITLES.get(name, name) for name in compress(COLUMNS, shown))
    console.write_rows(header, [tuple(compress(row, shown)) for row in rows])


def _in_words(found: "Evaluation") -> list[str]:
    """What was read, and what the numbers mean."""
    count, share = wording.counted(found.characters, "character"), found.learned / found.characters
    read = found.read or 0.0
    if not found.own and found.was_read:
        which = f"{count}, of which the model has read about {100 * read:.0f} % before"
    elif not found.own:
        which = f"{count}; the model learned from another text"
    elif share in (0, 1):
        which = f"{count} that the model {'learned' if share else 'did not learn'} from"
    else:
        which = f"{count}, of which the model learned from {100 * share:.0f} %"
    part = found.text if found.split == "all" else f"{PARTS[found.split]} of {found.text}"
    guessed = 100 * found.accuracy
    said = [
        f"{part} ({which}): the model guesses the next character right "
        f"{guessed:.{0 if guessed >= 1 else 2}f} times in 100, and is as unsure as if it chose "
        f"among {_choices(found.perplexity)} equally likely characters"
    ]
    ngrams = [b for b in found.baselines if b.name.startswith("n-gram")]
    said += [f"an {b.name} among {_choices(b.perplexity)}" for b in ngrams]
    if found.own and found.was_read and not share:
        said.append(f"the model that it began from has read about {100 * read:.0f} % of them")
    caution = ["what a model has read does not show how good it is on other texts"]
    return ["; ".join(said), *(caution if share or found.was_read else [])]


def _choices(perplexity: float) -> str:
    """A perplexity as a number of choices."""
    return f"{perplexity:,.1f}" if perplexity < MOST_CHOICES else "more than a million"
