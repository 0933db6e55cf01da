"""Arguments and options that several commands share, so that they read and mean the same."""

from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import Annotated

import typer

from charlstm.errors import OptionError

SETTINGS = "charlstm.settings"  # in a context: the source of each setting that is from a file
CORPUS_HELP = "Files, directories (the *.txt below them; see --glob), or - for standard input."

Corpus = Annotated[list[str], typer.Argument(metavar="CORPUS...", help=CORPUS_HELP)]
Glob = Annotated[
    str,
    typer.Option("--glob", metavar="PATTERN", help="Which files to read below a directory."),
]
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


class Source(IntEnum):
    """Where the value of a parameter comes from; of two sources the greater counts."""

    DEFAULT = 0
    USER_FILE = 1
    CONFIG_FILE = 2  # that of --config
    ENVIRONMENT = 3
    COMMANDLINE = 4


def source(ctx: typer.Context, name: str) -> Source:
    """The source of a parameter's value in this call."""
    found = ctx.get_parameter_source(name)
    if found is None:
        return Source.DEFAULT
    if found.name == "DEFAULT_MAP":
        which: Source = ctx.meta[SETTINGS][name]
        return which
    return Source[found.name]


def strongest(ctx: typer.Context, names: Sequence[str]) -> list[str]:
    """The parameters among ``names`` that the strongest source sets; none if all have defaults."""
    best = max(source(ctx, name) for name in names)
    return [name for name in names if best and source(ctx, name) == best]


def check_states(**paths: Path | None) -> None:
    """Raise OptionError for a state that is to come from, or go to, a standard stream."""
    for name, path in paths.items():
        if path is not None and str(path) == "-":
            option = f"--{name.replace('_', '-')}"
            raise OptionError(f"{option} -: a state is no stream of characters; name a file")
