"""``charlstm novelty``: what a text copies from a corpus."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charlstm.cli import completion, console
from charlstm.cli.downloads import fetch
from charlstm.cli.options import with_options
from charlstm.errors import OptionError
from charlstm.options import PASSAGES, fields_of

if TYPE_CHECKING:
    from charlstm.analysis.novelty import Comparison


@with_options(
    *(PASSAGES, "glob", "encoding", "lowercase", "json", "quiet"),
    encoding={"help": "Encoding of the corpus and the text."},
    lowercase={"help": "Turn the corpus and the text to lower case."},
)
def novelty(
    corpus: Annotated[
        str,
        typer.Argument(
            metavar="CORPUS",
            help="A file, a directory, a name of the catalogue, or - for standard input.",
            autocompletion=completion.sources,
        ),
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

    The first table has the share of the text's n-grams that the corpus has, too; the second has the
    longest copied passages with their positions. In a pipe they are tab-separated lines.

    charlstm generate -n 5000 | charlstm novelty play.txt
    """
    from charlstm.analysis.novelty import compare, read_whole
    from charlstm.text.corpus import open_corpus
    from charlstm.text.decoding import TextOptions

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
    fetch((corpus, text), quiet=quiet)
    source = read_whole(open_corpus([corpus], options), notes)
    given = read_whole(open_corpus([text], options), notes)
    console.say(*notes, quiet=quiet)
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
    """Write the measures as one table and the passages as another."""
    names = ("text", "characters", "corpus", "corpus characters", "longest passage")
    properties = list(zip(names, map(str, summary.values()), strict=True))
    for n, share in found.shares.items():
        properties.append((f"{n}-grams in corpus", "-" if share is None else f"{share:.6f}"))
    console.write_rows(("property", "value"), properties)
    terminal = console.is_terminal(sys.stdout)
    if not terminal:
        console.write_line("")
    rows = []
    for p in found.passages:
        file = Path(p.in_corpus.file).name if terminal else p.in_corpus.file
        here, there = f"{p.in_text.line}:{p.in_text.column}", f"{file}:{p.in_corpus.line}"
        rows.append((str(len(p.passage)), here, there, p.passage))
    console.write_rows(("length", "text", "corpus", "passage"), rows, cut_last=True)
