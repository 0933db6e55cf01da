"""``charlstm visualize``: what the network does with a text, and which cells know something."""

import dataclasses
import math
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from charlstm.checks import shown
from charlstm.cli import console, options
from charlstm.cli.loading import loaded
from charlstm.cli.options import with_options
from charlstm.errors import CorpusError, OptionError, listed
from charlstm.options import MODEL, OPTIONS, SHOWN

if TYPE_CHECKING:
    import numpy as np

    from charlstm import LanguageModel, Trace
    from charlstm.cli.heatmap import Place

WRITTEN = 400  # characters that the model writes if no text is given
WRITTEN_TO_FIND = 40_000
SAMPLE = 1_000  # characters of each of several texts
LONGEST_TO_FIND = 400_000  # characters; more find the same cells
ONLY_SHOWN = ("cell", "gate", "guesses")
ONLY_WRITTEN = ("length", "temperature", "random_seed")


class Chosen(NamedTuple):
    """What the colour of a character shows: its surprisal, or the value of ``gate`` or cell.

    ``layer`` and ``unit`` are numbers from 0, None for all cells.
    """

    gate: str | None
    layer: int | None = None
    unit: int | None = None

    @property
    def name(self) -> str:
        """The name of the value, as a column has it."""
        cell = "" if self.layer is None else f" {self.layer + 1}:{(self.unit or 0) + 1}"
        return f"{self.gate} gate{cell}" if self.gate else f"cell{cell}" if cell else "surprisal"

    @property
    def surprisal(self) -> bool:
        """Whether it is the surprisal that is shown."""
        return self.gate is None and self.layer is None

    def values(self, trace: "Trace") -> "np.ndarray":
        """The value at each character, (T,)."""
        if self.surprisal:
            return trace.bits
        import numpy as np

        all_cells = getattr(trace, f"{self.gate}_gate") if self.gate else np.tanh(trace.cell)
        if self.layer is None:
            return np.asarray(all_cells.mean(axis=(1, 2)))
        return np.asarray(all_cells[:, self.layer, self.unit])


@with_options(
    *(SHOWN, "encoding", "unknown", *ONLY_WRITTEN, MODEL, "json", "quiet"),
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
    """
    find = values["find"] or bool(values["pattern"])
    text, file = _given(ctx, text, values, find=find)
    model = loaded(values)
    chosen = _chosen(model, values)
    if text is not None:
        pieces: Iterable[str] = [os.fsencode(text).decode("utf-8", "surrogateescape")]
    elif file is not None:
        pieces = _pieces(file, values)
    else:
        pieces = (_samples if find else _written)(model, values)
    pieces = _known(model, pieces, values)
    if find:
        from charlstm.cli import found_cells

        found_cells.write(model, _beginning(pieces, values), values)
    else:
        _show(model, pieces, chosen, values)


def _given(
    ctx: typer.Context, text: str | None, values: dict[str, Any], *, find: bool
) -> tuple[str | None, str | None]:
    """The text, or the file that has it; both None if the model is to write one.

    Raises OptionError for options that do not go together.
    """

    def typed(*names: str) -> list[str]:
        return [n for n in names if options.source(ctx, n) == options.Source.COMMANDLINE]

    named = typed("text", "text_file")
    if len(named) > 1:
        raise OptionError("TEXT and --text-file both give the text; leave one out")
    file = values["text_file"] if text is None else None
    if text == "-":
        text, file = None, "-"
    for name in typed(*ONLY_WRITTEN) if (text, file) != (None, None) else ():
        raise OptionError(f"{OPTIONS[name].flag} is for a text that the model writes; leave it out")
    for name in typed(*ONLY_SHOWN) if find else ():
        both = f"{OPTIONS[name].flag} and {OPTIONS['find'].flag} or {OPTIONS['pattern'].flag}"
        raise OptionError(f"{both} do not go together; leave one out")
    OPTIONS["guesses"].check(values["guesses"])
    if text == "" or file == "":
        raise OptionError(f"{'TEXT' if text == '' else '--text-file'} is empty; give a text")
    if file not in (None, "-") and Path(str(file)).is_dir():
        raise OptionError(f"{file}: a directory; name one file, or - for standard input")
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
    length = WRITTEN_TO_FIND if values["length"] is None else values["length"]
    if not 0 < length <= LONGEST_TO_FIND:
        raise OptionError(f"is {length}; to find cells it is 1 to {LONGEST_TO_FIND}", "length")
    samples = -(-length // SAMPLE)
    between = "\n" if "\n" in model.vocabulary else ""
    for sample in model.generate_many(samples=samples, length=SAMPLE, **_how(values)):
        yield sample.text + between


def _how(values: dict[str, Any]) -> dict[str, Any]:
    """How the model writes; a random seed that is chosen here is said."""
    how = {name: values[name] for name in ("temperature", "random_seed")}
    if how["random_seed"] is None:
        how["random_seed"] = int.from_bytes(os.urandom(4), "big")
    message = f"the model writes the text, with random seed {how['random_seed']}"
    console.say(message, quiet=values["quiet"])
    return how


def _known(model: "LanguageModel", pieces: Iterable[str], values: dict[str, Any]) -> Iterator[str]:
    """The pieces of a text as the model reads them."""
    for piece in pieces:
        known, left_out = model.known(piece, unknown=values["unknown"])
        if left_out:
            message = f"the model knows nothing similar to {listed(left_out)}; left out"
            console.say(message, quiet=values["quiet"])
        yield known


def _beginning(pieces: Iterable[str], values: dict[str, Any]) -> str:
    """The first LONGEST_TO_FIND characters of a text, in which cells are to be found."""
    text = ""
    for piece in pieces:
        text += piece
        if len(text) > LONGEST_TO_FIND:
            used = f"the first {LONGEST_TO_FIND:,} characters are used; others would add little"
            console.say(used, quiet=values["quiet"])
            break
    return text[:LONGEST_TO_FIND]


def _chosen(model: "LanguageModel", values: dict[str, Any]) -> Chosen:
    """What ``--cell`` and ``--gate`` choose; raises OptionError for a cell that does not exist."""
    if values["cell"] is None:
        return Chosen(values["gate"])
    layer, colon, unit = values["cell"].partition(":")
    sizes = model.card["model"]
    L, H = sizes["num_layers"], sizes["hidden_size"]
    for number, most in ((layer, L), (unit, H)):
        if not (colon and number.isdecimal() and 0 < len(number) < 9 and 1 <= int(number) <= most):
            raise OptionError(
                f"is {shown(values['cell'])}; it must be LAYER:UNIT, from 1:1 to {L}:{H} in "
                f"this model",
                "cell",
            )
    return Chosen(values["gate"], int(layer) - 1, int(unit) - 1)


def _show(
    model: "LanguageModel", pieces: Iterable[str], chosen: Chosen, values: dict[str, Any]
) -> None:
    """Write the text in colours on a terminal, and one line for each character elsewhere."""
    guesses = values["guesses"]
    traces = model.traces(_known(model, pieces, values))
    if sys.stdout.isatty() and not values["json"]:
        _draw(model, traces, chosen, guesses)
        return
    columns = ["position", "character", "bits", *([] if chosen.surprisal else [chosen.name])]
    for n in range(1, guesses + 1):
        columns += [f"guess {n}", f"probability {n}"]
    position = 0
    for trace in traces:
        if position == 0 and not values["json"]:
            sys.stdout.write("\t".join(columns) + "\n")
        for place, bits in zip(_places(model, trace, chosen, guesses), trace.bits, strict=True):
            position += 1
            _write_place(position, place, float(bits), chosen, as_json=values["json"])
    if position == 0:
        raise _nothing()


def _write_place(
    position: int, place: "Place", bits: float, chosen: Chosen, *, as_json: bool
) -> None:
    """Write one character as a line."""
    value = {} if chosen.surprisal else {"value": place.value}
    if as_json:
        guesses = [{"character": c, "probability": p} for c, p in place.guesses]
        row = {"position": position, "character": place.character, "bits": bits, **value}
        console.write_json({**row, "guesses": guesses} if guesses else row)
        return
    cells = [str(position), console.printable(place.character), f"{bits:.4f}"]
    cells += [f"{number:.4f}" for number in value.values()]
    for character, probability in place.guesses:
        cells += [console.printable(character), f"{probability:.4f}"]
    sys.stdout.write("\t".join(cells) + "\n")


def _places(model: "LanguageModel", trace: "Trace", chosen: Chosen, guesses: int) -> "list[Place]":
    """The characters of a trace, with the value that was chosen, and the most probable guesses."""
    from charlstm.cli.heatmap import Place

    best = (-trace.probabilities).argsort(axis=1, kind="stable")[:, :guesses]  # (T, N)
    return [
        Place(character, value, tuple((model.vocabulary[i], float(p[i])) for i in ids))
        for character, value, ids, p in zip(
            trace.text, chosen.values(trace).tolist(), best, trace.probabilities, strict=True
        )
    ]


def _draw(model: "LanguageModel", traces: "Iterator[Trace]", chosen: Chosen, guesses: int) -> None:
    """Draw the text on the terminal, with a legend and the mean surprisal at the end."""
    from charlstm.cli import heatmap

    scale = heatmap.SURPRISAL if chosen.surprisal else heatmap.GATE if chosen.gate else heatmap.CELL
    scale = dataclasses.replace(scale, name=chosen.name)
    picture = heatmap.Heatmap(scale)
    bits: list[float] = []

    def places() -> "Iterator[Place]":
        for trace in traces:
            bits.extend(trace.bits.tolist())
            yield from _places(model, trace, chosen, guesses)

    picture.write(places())
    if not bits:
        raise _nothing()
    picture.note("")
    picture.legend(scale)
    if guesses and picture.coloured:
        picture.legend(heatmap.PROBABILITY)
    elif guesses:
        picture.note("guesses: below, the most probable first")
    picture.note(f"{len(bits):,} characters, {math.fsum(bits) / len(bits):.2f} bits per character")


def _nothing() -> CorpusError:
    return CorpusError("the model knows no character of the text; there is nothing to show")
