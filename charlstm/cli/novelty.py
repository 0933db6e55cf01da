"""``charlstm novelty``: what a text copies from a corpus."""

import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charlstm.cli import console
from charlstm.cli.options import with_options
from charlstm.errors import OptionError
from charlstm.options import PASSAGES, fields_of

if TYPE_CHECKING:
    from charlstm.analysis.novelty import Comparison

Row = tuple[str, str, str, str]
HEADER: Row = ("length", "text", "corpus", "passage")
GAP, MARGINS = 3, 2  # columns between the cells of a table on a terminal, and at both its edges
LEAST_WIDTH = 24  # of a passage on a terminal, however long the names beside it are


@with_options(
    *(PASSAGES, "glob", "encoding", "lowercase", "json", "quiet"),
    encoding={"help": "Encoding of the corpus and the text."},
    lowercase={"help": "Turn the corpus and the text to lower case."},
)
def novelty(
    corpus: Annotated[
        str,
        typer.Argument(metavar="CORPUS", help="A file, a directory, or - for standard input."),
    ],
    text: Annotated[
        str,
        typer.Argument(
            metavar="TEXT", help="File to compare with the corpus, or - for standard input."
        ),
    ] = "-",
    **values: Any,
) -> None:
    """Show what a text copies from a corpus.

    How much of it, by its n-grams, and the longest passages with their positions in both: tables on
    a terminal, tab-separated lines in a pipe.

    charlstm generate -n 5000 | charlstm novelty play.txt
    """
    from charlstm.analysis.novelty import compare, read_whole
    from charlstm.text.corpus import TextOptions, open_corpus

    if corpus == text == "-":
        raise OptionError(
            "corpus and text are both standard input; name a file for one: charlstm novelty "
            "CORPUS TEXT"
        )
    if text not in ("", "-") and Path(text).is_dir():
        raise OptionError(f"{text}: a directory; TEXT is one file, or - for standard input")
    options = TextOptions(**fields_of(TextOptions, values))
    quiet = values["quiet"]
    notes: list[str] = []
    console.say_if_typed((corpus, text), quiet=quiet)
    source = read_whole(open_corpus([corpus], options), notes)
    given = read_whole(open_corpus([text], options), notes)
    for note in notes:
        console.say(note, quiet=quiet)
    found = compare(source, given, top=values["top"], min_length=values["min_length"])
    summary = {
        "text": given.files[0],
        "characters": len(given.text),
        "corpus": source.name,
        "corpus_characters": len(source.text),
        "longest": found.longest,
    }
    if values["json"]:
        passages = [{"length": len(p.passage), **asdict(p)} for p in found.passages]
        console.write_json({**summary, "shares": found.shares, "passages": passages})
    else:
        _write_tables(summary, found)


def _write_tables(summary: dict[str, Any], found: "Comparison") -> None:
    """The measures as one table and the passages as another."""
    names = ("text", "characters", "corpus", "corpus characters", "longest passage")
    properties = list(zip(names, map(str, summary.values()), strict=True))
    for n, share in found.shares.items():
        properties.append((f"{n}-grams in corpus", "-" if share is None else f"{share:.6f}"))
    console.write_rows(("property", "value"), properties)
    terminal = console.is_terminal(sys.stdout)
    rows = []
    for p in found.passages:
        file = Path(p.in_corpus.file).name if terminal else p.in_corpus.file
        here, there = f"{p.in_text.line}:{p.in_text.column}", f"{file}:{p.in_corpus.line}"
        rows.append((str(len(p.passage)), here, there, console.printable(p.passage)))
    if terminal:
        rows = _shortened(rows)
    else:
        console.write_line("")
    console.write_rows(HEADER, rows)


def _shortened(rows: list[Row]) -> list[Row]:
    """The rows with each passage cut to what the terminal's width leaves it."""
    from rich.cells import cell_len, set_cell_size  # some characters are two columns wide

    used = sum(GAP + max(cell_len(row[i]) for row in (HEADER, *rows)) for i in range(3))
    width = max(shutil.get_terminal_size().columns - MARGINS - used, LEAST_WIDTH)
    return [
        (*row[:3], row[3] if cell_len(row[3]) <= width else set_cell_size(row[3], width - 1) + "…")
        for row in rows
    ]
