"""What ``charlstm visualize --find`` writes: which cell tells which property of a text."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from charlstm.cli import console
from charlstm.cli.wording import NOTHING

if TYPE_CHECKING:
    from charlstm import FoundCell, LanguageModel

HEADER = ("property", "cell", "direction", "score", "chance", "accuracy", "passage")
LONGEST_NAME = 40  # columns of a property's name on a terminal


def write(model: "LanguageModel", text: str, values: dict[str, Any]) -> None:
    """Find cells in a text and write them: with coloured passages on a terminal, else as lines."""
    notes: list[str] = []
    message = f"reading {len(text):,} characters to find cells"
    console.say(message, quiet=values["quiet"])
    found = model.find_cells(text, pattern=values["pattern"], notes=notes)
    console.say(*notes, quiet=values["quiet"])
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
