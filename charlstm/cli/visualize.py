"""``charlstm visualize``: what the network does with a text, and which cells know something."""

from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charlstm.checks import shown
from charlstm.cli import console, reading, wording
from charlstm.cli.loading import compute_with_one_thread, loaded
from charlstm.cli.options import settle, typed, with_options
from charlstm.errors import CorpusError, OptionError
from charlstm.options import MODEL, OPTIONS, SHOWN, new_random_seed

if TYPE_CHECKING:
    from charlstm import LanguageModel
    from charlstm.cli.traced_text import Shown

WRITTEN = 400  # characters that the model writes if no text is given
WRITTEN_TO_FIND = 40_000
SAMPLE = 1_000  # characters of each of several texts
ONLY_WRITTEN = ("length", "temperature", "random_seed")  # of a text that the model writes
TEXTS, FINDING = ("text", "text_file"), ("find", "pattern")
RIVALS = (  # options that do not go together
    TEXTS,
    *product(FINDING, ("cell", "gate", "guesses")),
    *product(("guesses", "json"), ("output",)),  # a page shows guesses in any case
)


@with_options(
    *(SHOWN, "encoding", "unknown", *ONLY_WRITTEN, MODEL, "output", "title", "json", "quiet"),
    output={
        "metavar": "FILE",
        "optional": True,
        "help": "Write FILE.html, a page with the text, and print its path instead.",
    },
    encoding={"group": SHOWN, "help": "Encoding of --text-file."},
    unknown={"group": SHOWN, "help": "What to do with a character that the model does not know."},
    length={
        "help": "Number of characters that the model writes if no text is given.  "
        f"[default: {WRITTEN}, or {WRITTEN_TO_FIND} with --find]"
    },
    json={"help": "Print one JSON object for each character or property, on one line."},
)
def visualize(
    ctx: typer.Context,
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="TEXT",
            show_default=False,
            help="The text; - reads it from standard input. Without one the model writes a text.",
        ),
    ] = None,
    **values: Any,
) -> None:
    """Show what the network does with a text, character by character.

    Colours show how surprising each character was, the value of a cell, or how far a gate is
    open. With --find, cells are found that tell a property of the text.

    charlstm visualize "To be, or not to be" --guesses 3

    charlstm visualize --find --text-file play.txt

    charlstm visualize "To be, or not to be" -o to-be.html
    """
    compute_with_one_thread()  # before anything imports numpy
    text, file = _given(ctx, text, values)
    find = values["find"] or bool(values["pattern"])
    model = loaded(values)
    if text is not None:
        given: Iterable[str] = [reading.typed(text, "TEXT", escapes=False)]
    elif file is not None:
        given = _pieces(file, values)
    else:
        given = (_samples if find else _written)(model, values)
    label = "standard input" if file == "-" else file or ""
    how = {"label": label, "quiet": values["quiet"]}
    pieces = reading.known_pieces(model, given, values["unknown"], **how)
    if values["output"] is not None:
        _write_page(model, pieces, values, find=find)
    elif find:
        from charlstm.cli import found_cells

        found_cells.write(model, found_cells.beginning(pieces, values), values)
    else:
        from charlstm.cli import traced_text

        traced_text.write(model, pieces, _shown(model, values), as_json=values["json"])


def _given(
    ctx: typer.Context, text: str | None, values: dict[str, Any]
) -> tuple[str | None, str | None]:
    """The text, or the file that has it; both None if the model is to write one.

    Raises OptionError for options that do not go together.
    """
    values["text"] = text
    settle(ctx, values, *RIVALS, *product(TEXTS, typed(ctx, values, *ONLY_WRITTEN)))
    text, file = values["text"], values["text_file"]
    if text == "-":
        text, file = None, "-"
    if values["output"] is not None:
        from charlstm.pages.page import check_target

        check_target(Path(values["output"]))
    elif typed(ctx, values, "title"):
        raise OptionError("--title is for a page; write one with -o FILE.html")
    OPTIONS["guesses"].check(values["guesses"])
    if text == "" or file == "":
        raise OptionError(f"{'TEXT' if text == '' else '--text-file'} is empty; give a text")
    if file is not None:
        reading.check_name(file)
    return text, file


def _pieces(file: str, values: dict[str, Any]) -> Iterator[str]:
    """The text of a file or of standard input, read as a corpus is read."""
    from charlstm.text.corpus import open_corpus
    from charlstm.text.decoding import TextOptions

    console.say_if_typed((file,), quiet=values["quiet"])
    corpus = open_corpus([file], TextOptions(encoding=values["encoding"]))
    notes: list[str] = []
    empty = True
    for piece in corpus.chunks(notes):
        empty = False
        yield piece
    console.say(*notes, quiet=values["quiet"])
    if empty:
        raise CorpusError(f"{corpus.label}: empty; give a text")


def _written(model: "LanguageModel", values: dict[str, Any]) -> Iterator[str]:
    """A text that the model writes, piece by piece."""
    length = WRITTEN if values["length"] is None else values["length"]
    text = model.generate(length=length, **_how(values))
    piece = ""
    for characters in text:
        piece += characters
        if piece.endswith("\n") or len(piece) >= SAMPLE:
            yield piece
            piece = ""
    yield piece


def _samples(model: "LanguageModel", values: dict[str, Any]) -> Iterator[str]:
    """Texts that the model writes side by side, to find cells in."""
    from charlstm.cli.found_cells import LONGEST_TEXT

    length = WRITTEN_TO_FIND if values["length"] is None else values["length"]
    if not 0 < length <= LONGEST_TEXT:
        raise OptionError(f"is {length}; to find cells it is 1 to {LONGEST_TEXT}", "length")
    samples = -(-length // SAMPLE)
    between = "\n" if "\n" in model.vocabulary else ""
    texts = model.generate_many(samples=samples, length=SAMPLE, **_how(values))
    yield between.join(sample.text for sample in texts)[:length]


def _how(values: dict[str, Any]) -> dict[str, Any]:
    """How the model writes; a random seed that is chosen here is said."""
    how = {name: values[name] for name in ("temperature", "random_seed")}
    if how["random_seed"] is None:
        how["random_seed"] = new_random_seed()
    message = f"the model writes the text, with random seed {how['random_seed']}"
    notes = wording.temperature_notes(how["temperature"])
    console.say(*notes, message, quiet=values["quiet"])
    return how


def _write_page(
    model: "LanguageModel", pieces: Iterable[str], values: dict[str, Any], *, find: bool
) -> None:
    """Write the page with the beginning of a text, and the cells that were found in all of it."""
    from charlstm.cli import found_cells
    from charlstm.pages.page import MOST_CHARACTERS, View, reading_page, titled, write_page

    chosen = _shown(model, values)
    if find:
        text = found_cells.beginning(pieces, values)
        cells, cut = found_cells.find(model, text, values), len(text) > MOST_CHARACTERS
    else:
        cells, (text, cut) = [], found_cells.first(pieces, MOST_CHARACTERS)
    if cut:
        opened = f"the page opens with the first {MOST_CHARACTERS:,} characters of the text"
        console.say(opened, quiet=values["quiet"])
    view = View()
    if chosen.gate or chosen.unit:
        view = View(kind=chosen.gate or "cell", layer=chosen.layer or 0, unit=chosen.unit or 0)
    path = Path(values["output"])
    page = reading_page(model, text, cells, view)
    write_page(model, titled(page, reading.title_of(values)), path)
    console.write_line(str(path))


def _shown(model: "LanguageModel", values: dict[str, Any]) -> "Shown":
    """What the options choose to show; raises OptionError for a cell that does not exist."""
    from charlstm.cli.traced_text import Shown

    gate, guesses = values["gate"], values["guesses"]
    if values["cell"] is None:
        return Shown(gate, guesses)
    layer, colon, unit = values["cell"].partition(":")
    sizes = model.card["model"]
    L, H = sizes["num_layers"], sizes["hidden_size"]
    for number, most in ((layer, L), (unit, H)):
        if not (colon and number.isdecimal() and len(number) < 9 and 1 <= int(number) <= most):
            raise OptionError(
                f"is {shown(values['cell'])}; it must be LAYER:UNIT, from 1:1 to {L}:{H} in "
                f"this model",
                "cell",
            )
    return Shown(gate, guesses, int(layer), int(unit))
