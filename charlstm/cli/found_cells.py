"""Cells that tell a property of a text: the text to find them in, and how they are written."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from charlstm.cli import bars, console, reading
from charlstm.cli.wording import NOTHING

if TYPE_CHECKING:
    from charlstm import FoundCell, LanguageModel

HEADER = ("property", "cell", "direction", "score", "chance", "accuracy", "passage")
LONGEST_NAME = 40  # columns of a property's name on a terminal
LONGEST_TEXT = 400_000  # characters, which two cores read in half a minute or so


def beginning(pieces: Iterable[str], values: dict[str, Any]) -> str:
    """The first LONGEST_TEXT characters of a text, in which cells are to be found."""
    text, cut = first(pieces, LONGEST_TEXT)
    if cut:
        used = f"the first {LONGEST_TEXT:,} characters are used; others would add little"
        console.say(used, quiet=values["quiet"])
    return text


def first(pieces: Iterable[str], count: int) -> tuple[str, bool]:
    """The first ``count`` characters of a text, and whether it has more; no more are read."""
    text = ""
    for piece in pieces:
        text += piece
        if len(text) > count:
            break
    return text[:count], len(text) > count


def pieces_of(
    model: "LanguageModel", sources: Sequence[str], values: dict[str, Any]
) -> Iterator[str]:
    """The text of ``sources`` in pieces, in characters that the model knows."""
    from charlstm.text.corpus import open_corpus

    options = model.model_file.text.for_text(encoding=values["encoding"], glob=values["glob"])
    corpus, notes = open_corpus(sources, options), list[str]()
    how = {"label": corpus.label, "quiet": values["quiet"]}
    try:
        yield from reading.known_pieces(model, corpus.chunks(notes), values["unknown"], **how)
    finally:  # even if the rest of the text is not needed
        console.say(*notes, quiet=values["quiet"])


def find(model: "LanguageModel", text: str, values: dict[str, Any]) -> "list[FoundCell]":
    """The cells in a text; it is said that they are looked for, and what is left out."""
    notes: list[str] = []
    message = f"reading {len(text):,} characters to find cells"
    console.say(message, quiet=values["quiet"])
    with bars.bar("reading", quiet=values["quiet"]) as progress:
        found = model.find_cells(text, pattern=values["pattern"], notes=notes, progress=progress)
    console.say(*notes, quiet=values["quiet"])
    return found


def write(model: "LanguageModel", text: str, values: dict[str, Any]) -> None:
    """Find cells in a text and write them: with coloured passages on a terminal, else as lines."""
    found = find(model, text, values)
    if values["json"]:
        for cell in found:
            row = {"property": cell.property_name, "found": cell.found, **asdict(cell)}
            del row["property_name"]
            console.write_json({**row, "position": cell.position + 1})
    elif sys.stdout.isatty():
        _draw(found)
    else:
        console.write_rows(HEADER, [(*_cells(cell), cell.passage) for cell in found])


def _cells(cell: "FoundCell") -> tuple[str, ...]:
    """The numbers of a cell, as a row has them."""
    return (
        cell.property_name,
        f"{cell.layer}:{cell.unit}" if cell.found else "no cell",
        f"{cell.direction:+d}",
        f"{cell.score:.3f}",
        f"{cell.chance:.3f}",
        NOTHING if cell.accuracy is None else f"{100 * cell.accuracy:.1f}%",
    )


def _draw(found: "list[FoundCell]") -> None:
    """Write each cell on a line, and below it its passage in the colours of the cell's values."""
    from rich.cells import set_cell_size

    from charlstm.cli import heatmap

    if not found:
        return
    picture = heatmap.Heatmap(heatmap.CELL)
    rows = [HEADER[:-1], *map(_cells, found)]
    widths = [min(LONGEST_NAME, max(map(len, column))) for column in zip(*rows, strict=True)]
    for row, cell in zip(rows, [None, *found], strict=True):
        first, *others = map(console.printable, row)
        line = [set_cell_size(first, widths[0])]
        line += [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
        picture.note("  ".join(line))
        if cell is not None and cell.found:
            arrow = heatmap.SPECIAL["\n"]  # so that the passage stays one line
            passage = cell.passage.replace("\n", arrow)
            shown = [heatmap.Character(c, v) for c, v in zip(passage, cell.values, strict=True)]
            picture.write(shown, indent=2)
    picture.legend(heatmap.CELL)
