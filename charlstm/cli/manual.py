"""``charlstm help``: the manual page of a command, wherever the program was installed."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

import charlstm
from charlstm.cli import console
from charlstm.cli.options import with_options
from charlstm.cli.settings_file import nearest
from charlstm.errors import OptionError

# Programs that turn the source of a page into text; the path of the page is the last argument.
FORMATTERS = (["man"], ["mandoc"], ["groff", "-mandoc", "-Tutf8"])
# In the text a bold letter is typed twice, or stands between escape sequences.
EMPHASIS = re.compile(r".\x08|\x1b\[[0-9;]*m")


@with_options("quiet")
def manual(
    ctx: typer.Context,
    command: Annotated[
        str | None,
        typer.Argument(
            metavar="COMMAND",
            show_default=False,
            help="The command. Without it, the page is that of the program.",
        ),
    ] = None,
    **values: Any,
) -> None:
    """Show the manual page of a command.

    On a terminal the program man shows it. In a pipe it is plain text. Without a program that can
    read manual pages, the summary of --help is shown.

    charlstm help train

    charlstm help generate | grep -A 6 -e --top-p
    """
    tree: Any = ctx.find_root().command
    if command is not None and command not in tree.commands:
        advice = nearest(command, tree.commands, "did you mean {}?", "see charlstm --help")
        raise OptionError(f"{command}: no such command; {advice}")
    name = "charlstm" if command is None else f"charlstm-{command}"
    page = next(pages(f"{name}.1"), None)
    if page is not None and console.is_terminal(sys.stdout) and shutil.which("man"):
        os.execvp("man", ["man", str(page)])
    text = None if page is None else plain_text(page)
    if text is None:
        lacking = f"{name}.1" if page is None else "a program such as man, mandoc or groff"
        shown = name.replace("-", " ")
        console.say(f"without {lacking}, this is {shown} --help", quiet=values["quiet"])
        text = _summary(ctx.find_root(), command)
    sys.stdout.write(text)


def _summary(root: Any, command: str | None) -> str:
    """What ``--help`` of a command writes, or that of the program."""
    if command is None:
        return f"{root.get_help()}\n"
    context = type(root)(root.command.commands[command], info_name=command, parent=root)
    return f"{context.get_help()}\n"


def pages(name: str) -> Iterator[Path]:
    """The files of the manual page ``name`` that there are, the most likely first.

    They are in the checkout, or where an installer put them: beside the package (``pip install
    --target``), or in the environment.
    """
    beside = Path(charlstm.__file__).parents[1]
    share = Path("share", "man", "man1", name)
    for path in (beside / "man" / name, beside / share, *_listed(share)):
        if path.is_file():
            yield path


def _listed(page: Path) -> Iterator[Path]:
    """Where ``page`` is by the installation's own list of files, and by the scheme of Python."""
    import sysconfig
    from importlib.metadata import PackageNotFoundError, files

    with suppress(PackageNotFoundError):
        for path in files("charlstm") or ():
            if path.name == page.name:
                yield Path(str(path.locate()))
    yield Path(sysconfig.get_path("data"), page)


def plain_text(page: Path, formatters: Sequence[list[str]] = FORMATTERS) -> str | None:
    """The manual page as plain text, made by the first program that can; None if none can."""
    for words in formatters:
        if shutil.which(words[0]) is None:
            continue
        done = subprocess.run([*words, str(page)], capture_output=True, check=False)
        text = EMPHASIS.sub("", done.stdout.decode(errors="replace"))
        if done.returncode == 0 and page.stem.upper() in text:
            return text
    return None
