"""Arguments and options that several commands share, so that they read and mean the same."""

from typing import Annotated

import typer

CORPUS_HELP = "Files, directories (their *.txt), or - for standard input."

Corpus = Annotated[list[str], typer.Argument(metavar="CORPUS...", help=CORPUS_HELP)]
Encoding = Annotated[
    str, typer.Option("--encoding", metavar="NAME", help="The encoding of the text.")
]
Lowercase = Annotated[bool, typer.Option("--lowercase", help="Turn the text to lower case.")]
MinCount = Annotated[
    int,
    typer.Option("--min-count", metavar="N", help="Leave out characters seen fewer than N times."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing on stderr but errors.")]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        envvar="CHARLSTM_MODEL",
        show_envvar=False,
        help="A model file or a run directory; the newest run by default.",
    ),
]
