"""``charlstm corpus``: the catalogue of texts."""

import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from charlstm.cli import completion, console, downloads, options, wording
from charlstm.cli.options import with_options
from charlstm.errors import OptionError
from charlstm.options import DOWNLOAD
from charlstm.text.sources import not_cached

if TYPE_CHECKING:
    from charlstm.text.catalogue import CatalogueText

COLUMNS = ("name", "title", "author", "language", "licence", "size", "cached")
SHOWN = ("name", "title", "size", "cached")  # what fits a terminal of 80 columns


@with_options(
    *(DOWNLOAD, "json", "quiet"), json={"help": "Print one JSON object for each text, on one line."}
)
def corpus(
    ctx: typer.Context,
    action: Annotated[
        Literal["list", "get", "path"],
        typer.Argument(metavar="ACTION", help="list, get (download) or path."),
    ] = "list",
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME...", help="Texts of the catalogue.", autocompletion=completion.texts
        ),
    ] = None,
    **values: Any,
) -> None:
    """List the texts of the catalogue, or download them.

    get downloads texts and prints the paths of their files; path prints these paths. A text is
    downloaded once. Its name can stand wherever a command takes a CORPUS.

    charlstm corpus list

    charlstm corpus get macbeth && charlstm train macbeth
    """
    from charlstm.text.catalogue import catalogue, find_text

    if action != "list" and not names:
        raise OptionError(f"{action} needs the name of a text; charlstm corpus list shows them")
    if action != "get" and options.source(ctx, "url") == options.Source.COMMANDLINE:
        raise OptionError(f"--url is for get, not for {action}; leave it out")
    texts = [find_text(name) for name in names] if names else [*catalogue().values()]
    if action == "list" and not values["json"]:
        _write_table(texts)
        return
    for text in texts:
        if action == "get":
            downloads.download(text, values["url"] or None, quiet=values["quiet"])
        if action == "path" and not text.is_present():
            raise not_cached(text.name)
        if values["json"]:
            console.write_json(_described(text))
        else:
            console.write_line(str(text.path))


def _described(text: "CatalogueText") -> dict[str, Any]:
    """A text for other programs; the path is null while the text is not on this machine."""
    return {
        "name": text.name,
        "title": text.title,
        "author": text.author,
        "language": text.language,
        "licence": text.licence,
        "bytes": text.size,
        "sha256": text.sha256,
        "url": text.url,
        "path": str(text.path) if text.is_present() else None,
    }


def _write_table(texts: "list[CatalogueText]") -> None:
    """Write a row for each text: all columns for programs, the most important ones for people."""
    terminal = console.is_terminal(sys.stdout)
    columns = SHOWN if terminal else COLUMNS
    rows = []
    for text in texts:
        told = {**_described(text), "size": str(text.size)}
        told["cached"] = "no" if told["path"] is None else "yes"
        if terminal:
            told["size"] = wording.size(text.size)
        rows.append(tuple(told[name] for name in columns))
    console.write_rows(columns, rows)
