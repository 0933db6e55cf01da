"""``charlstm export``: a model as a web page that writes, or as an ONNX file for other programs."""

from typing import Any

import typer

from charlstm.cli import console, reading
from charlstm.cli.downloads import fetch
from charlstm.cli.loading import compute_with_one_thread, loaded
from charlstm.cli.options import AS_THE_MODEL, file_to_write, typed, with_options
from charlstm.errors import OptionError
from charlstm.options import MODEL, SHOWN

ONNX = ".onnx"


@with_options(
    *("output", "title", "corpus", "pattern", "glob", "encoding", "unknown", MODEL, "quiet"),
    output={
        "metavar": "FILE",
        "help": "File to write: FILE.html is a page, FILE.onnx a network for other programs.",
    },
    corpus={
        "group": SHOWN,
        "help": "Find cells in this text, and offer them by name on the page. May be repeated.",
    },
    pattern={
        "help": "Find a cell for the matches of a regular expression, too. May be repeated.",
    },
    **AS_THE_MODEL,
    unknown={
        "group": SHOWN,
        "help": "What to do with a character of --corpus that the model does not know.",
    },
)
def export(ctx: typer.Context, **values: Any) -> None:
    """Write a model to one file: a page that writes, or ONNX.

    FILE.html is a page for a browser, which needs no network: type a phrase, watch the model write,
    and see what it expects. FILE.onnx is one step of the network for other programs. The path of
    the file is printed.

    charlstm export -o shakespeare.html

    charlstm export -m runs/play -o play.html --corpus play.txt
    """
    compute_with_one_thread()  # before anything imports numpy
    path = file_to_write(values)
    if path.suffix.lower() == ONNX:
        if typed(ctx, values, "corpus", "pattern", "title"):
            raise OptionError("--corpus, --pattern and --title are for a page; leave them out")
        loaded(values).export_onnx(path)
    else:
        from charlstm.pages.page import SUFFIXES, check_target, titled, write_page, writing_page

        if path.suffix.lower() not in SUFFIXES:
            raise OptionError(f"is {str(path)!r}; its name must end in .html or .onnx", "output")
        check_target(path)
        if typed(ctx, values, "pattern") and not values["corpus"]:
            raise OptionError("--pattern needs a text to find cells in; name one with --corpus")
        model = loaded(values)
        cells = []
        if values["corpus"]:
            from charlstm.cli import found_cells

            fetch(values["corpus"], quiet=values["quiet"])
            pieces = found_cells.pieces_of(model, values["corpus"], values)
            cells = found_cells.find(model, found_cells.beginning(pieces, values), values)
        page = titled(writing_page(model, cells), reading.title_of(values))
        write_page(model, page, path)
    console.write_line(str(path))
