"""The tree of commands, and the one place where errors become words."""

import os
import signal
import sys
from collections.abc import Sequence
from enum import IntEnum
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

import charlstm
from charlstm.cli import console, dataset, generate, inspect, models, novelty, reading, train, vocab
from charlstm.cli.options import GroupedCommand
from charlstm.cli.settings_file import add_config_option
from charlstm.cli.stop import Stop, end_by
from charlstm.cli.variables import name_misspelt_variables
from charlstm.errors import CharLSTMError

DEBUG_VARIABLE = "CHARLSTM_DEBUG"


class Exit(IntEnum):
    """What the exit status says; a program that a signal ends has none (``charlstm.cli.stop``)."""

    OK = 0
    FAILED = 1
    USAGE = 2


app = typer.Typer(
    name="charlstm",
    epilog="charlstm train play.txt && charlstm generate 'Is this a dagger'",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"auto_envvar_prefix": "CHARLSTM", "help_option_names": ["-h", "--help"]},
)
app.command("train", cls=GroupedCommand)(train.train)
app.command("generate", cls=reading.OnePhrase)(generate.generate)
app.command("vocab", cls=GroupedCommand)(vocab.vocab)
app.command("dataset", cls=GroupedCommand)(dataset.dataset)
app.command("inspect", cls=GroupedCommand)(inspect.inspect)
app.command("models", cls=GroupedCommand)(models.models)
app.command("novelty", cls=GroupedCommand)(novelty.novelty)


def _version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"charlstm {charlstm.__version__}\n")
        raise typer.Exit


def _debug(asked: bool) -> None:
    if asked:
        os.environ[DEBUG_VARIABLE] = "1"


@app.callback(invoke_without_command=True)
def top(
    ctx: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", callback=_debug, help="Show the traceback of an error.")
    ] = False,
) -> None:
    """Learn the style of a text, one character at a time, and write more of it."""
    if ctx.invoked_subcommand is None:
        sys.stderr.write(ctx.get_help() + "\n")
        raise typer.Exit(Exit.USAGE)


def command() -> Any:
    """The tree of commands.

    Every option can be set as CHARLSTM_COMMAND_OPTION; the manual page says so once, and each
    option's help need not.
    """
    tree = typer.main.get_command(app)
    add_config_option(tree)
    for node in (tree, *tree.commands.values()):  # type: ignore[attr-defined]
        for parameter in node.params:
            parameter.show_envvar = False
    for parameter in tree.params:  # an environment must not install completion, say
        by_name = parameter.name in ("debug", "config")
        parameter.allow_from_autoenv = by_name  # type: ignore[attr-defined]
    name_misspelt_variables(tree)
    return tree


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; whatever goes wrong is said in one line.

    A signal that ends the command ends the program: this does not return.
    """
    if hasattr(signal, "SIGPIPE"):  # a reader that has enough ends us as it ends any filter
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    console.use_utf8()
    stop = Stop(interrupts=True)
    stop.install()
    try:
        status = _run(arguments, stop)
    except KeyboardInterrupt:
        status = end_by(stop.signal or signal.SIGINT)
    finally:
        stop.uninstall()
    # What was interrupted may have made an error of it, or an exit status.
    return end_by(stop.signal) if stop.signal else status


def _run(arguments: Sequence[str] | None, stop: Stop) -> int:
    """Run one command and return its exit status, whatever it is if a signal came."""
    try:
        status = command()(arguments, prog_name="charlstm", standalone_mode=False)
        sys.stdout.flush()
        return int(status or Exit.OK)
    except Exception as error:
        if stop.signal:
            return Exit.FAILED
        if os.environ.get(DEBUG_VARIABLE) == "1":
            console.show_traceback()
            return Exit.FAILED
        return _explain(error)


def _explain(error: Exception) -> int:
    """Say in one line what went wrong, and return the exit status that goes with it."""
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
        advice = "choose another place"
        if error.errno in FULL:
            advice = f"free some space or {advice}"
        console.error(f"{error.filename or 'cannot write'}: {error.strerror or error}; {advice}")
        return Exit.FAILED
    if isinstance(error, MemoryError):
        console.error("out of memory; close other programs, or ask for less at a time")
        return Exit.FAILED
    summary = " ".join(str(error).split())
    console.error(
        f"internal: {type(error).__name__}: {summary}; run charlstm --debug ... and report it"
    )
    return Exit.FAILED
