"""``charlstm evaluate``: how well a model predicts texts."""

import sys
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from charlstm.cli import bars, console, wording
from charlstm.cli.downloads import fetch
from charlstm.cli.loading import loaded
from charlstm.cli.options import Corpus, settle, with_options
from charlstm.errors import UnknownCharacterError
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
FEW = 1000  # characters of a validation part, below which a loss is uncertain
MOST_CHOICES = 1e6  # a perplexity above it is not worth its digits


@with_options(
    *(EVALUATION, "window", "unknown", "glob", "encoding", MODEL, "json", "quiet"),
    window={
        "group": EVALUATION,
        "help": "Let the network forget all before, after each N characters.",
    },
    unknown={
        "group": "Corpus",
        "help": "What to do with a character that the model does not know; skip counts it "
        "as the least probable one.",
    },
    glob={
        "default": None,
        "help": "Pattern of the file names to read in a directory.  [default: the model's]",
    },
    encoding={"default": None, "help": "Encoding of the texts.  [default: the model's]"},
    json={"help": "Print one JSON object for each text, on one line."},
)
def evaluate(ctx: typer.Context, corpus: Corpus, **values: Any) -> None:
    """Measure how well a model predicts texts.

    The measures are loss, bits per character, perplexity and accuracy. Each CORPUS is a text of its
    own. Of the text that the model learned from, the validation part is read, which it did not
    learn from; of other texts all is read. In a pipe, rows are tab-separated lines.

    charlstm evaluate play.txt --baselines

    charlstm evaluate *.txt --json | jq .perplexity
    """
    rivals = [("window", "exact")]
    if values["split"] != "val":
        rivals.append(("baselines", "split"))
    settle(ctx, values, *rivals)
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
        try:
            found = model.evaluate(text, notes=notes, progress=progress, **how)
        except UnknownCharacterError as error:
            raise UnknownCharacterError(error.characters, error.source, measured=True) from error
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
    count = wording.counted(found.characters, "character")
    part = found.text if found.split == "all" else f"{PARTS[found.split]} of {found.text}"
    guessed = 100 * found.accuracy
    said = [
        f"{part} ({count}{_read_before(found)}): the model guesses the next character right "
        f"{guessed:.{0 if guessed >= 1 else 2}f} times in 100, and is as unsure as if it chose "
        f"among {_choices(found.perplexity)} equally likely characters"
    ]
    ngrams = [b for b in found.baselines if b.name.startswith("n-gram")]
    said += [f"an {b.name} among {_choices(b.perplexity)}" for b in ngrams]
    messages = ["; ".join(said)]
    if found.learned or found.was_read:
        messages.append("what a model has read does not show how good it is on other texts")
    if found.split == "val" and found.characters < FEW:
        few = f"{count} are few: with {FEW:,} or more the numbers would be less uncertain"
        messages.append(few)
    return messages


def _read_before(found: "Evaluation") -> str:
    """What is known of how much of the text the model has read."""
    learned, read = found.learned / found.characters, f"{100 * (found.read or 0):.0f} %"
    if learned:
        return (
            " that the model learned from"
            if learned == 1
            else f", of which the model learned from {100 * learned:.0f} %"
        )
    if found.was_read and found.own:
        return f" that training kept for validation, but about {read} of them it has read elsewhere"
    if found.was_read:
        return f", of which the model has read about {read} before"
    if found.own:
        kept = " that training kept for validation"
        untold = "; whether it has read them elsewhere cannot be told"
        return kept + (untold if found.read is None else "")
    if found.read is None:
        return "; whether the model has read them before cannot be told"
    return "; the model learned from another text"


def _choices(perplexity: float) -> str:
    """A perplexity as a number of choices."""
    return f"{perplexity:,.1f}" if perplexity < MOST_CHOICES else "more than a million"
