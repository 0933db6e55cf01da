"""The tree of commands, and the one place where errors become messages.

The exit status is 0 when a command is done, 1 when it failed and 2 when it was called wrongly. A
command that a signal ends has no exit status.
"""

import os
import signal
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

import charlstm
from charlstm.cli import console
from charlstm.cli.commands import Commands, Program, hide_variables
from charlstm.cli.settings_file import config_option, remember
from charlstm.errors import CharLSTMError, incomplete

DEBUG_VARIABLE = "CHARLSTM_DEBUG"


app = typer.Typer(
    name="charlstm",
    cls=Program,
    epilog="charlstm train play.txt && charlstm generate 'Is this a dagger'",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"auto_envvar_prefix": "CHARLSTM", "help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def top(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", "-V", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Learn the style of a text, one character at a time, and write more of it."""
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"
    if version:
        sys.stdout.write(f"charlstm {charlstm.__version__}\n")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        sys.stderr.write(ctx.get_help() + "\n")
        raise typer.Exit(2)


def command() -> Any:
    """The tree of commands."""
    tree: Any = typer.main.get_command(app)
    tree.commands = Commands()
    tree.params.append(config_option(remember))
    hide_variables(tree)
    for parameter in tree.params:  # a variable must not install completion, for example
        parameter.allow_from_autoenv = parameter.name in ("debug", "config")
    return tree


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; report an error in one line."""
    # A reader that has enough, such as head, ends this program silently, as it ends any filter.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    console.use_utf8()
    try:
        status = command()(arguments, prog_name="charlstm", standalone_mode=False)
        sys.stdout.flush()
        return int(status or 0)
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE) == "1":
            console.show_traceback()
            return 1
        return _report(error)


def _report(error: Exception) -> int:
    """Write in one line what went wrong, and return the exit status."""
    if isinstance(error, CharLSTMError):
        from charlstm.cli.hints import explained

        console.error(explained(error))
        return error.exit_code
    if isinstance(error, TyperException):
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "charlstm"
        console.error(f"{error.format_message().rstrip('.')}; see {command} --help")
        return error.exit_code
    if isinstance(error, OSError):
        from charlstm.files import FULL

        console.abandon_stdout()
        advice = "check the name and the permissions"
        if error.errno in FULL:
            advice = "free some space or write to another directory"
        message = f"{error.filename or 'cannot write'}: {error.strerror or error}; {advice}"
    elif isinstance(error, ImportError) and not (error.name or "").startswith("charlstm"):
        message = incomplete(error)
    elif isinstance(error, MemoryError):
        message = "out of memory; close other programs, or ask for less at a time"
    else:
        summary = f"{type(error).__name__}: {' '.join(str(error).split())}"
        message = f"internal: {summary}; run charlstm --debug ... and report the traceback"
    console.error(message)
    return 1
