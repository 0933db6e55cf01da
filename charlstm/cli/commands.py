"""The commands by name. The module of a command is imported when the command is asked for.

So a command does not wait for the others: to import all of them takes as long as numpy does.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from charlstm.cli import console
from charlstm.cli.given import GivenOnce
from charlstm.cli.options import prepare
from charlstm.cli.settings_file import config_option, use_files
from charlstm.cli.variables import misspelt

NAMES = (
    *("train", "generate", "evaluate", "score", "predict", "vocab", "corpus", "dataset", "inspect"),
    *("models", "history", "novelty", "visualize", "export", "report", "help"),
)
OTHER_MODULES = {"help": "manual"}  # of the commands whose module does not have their name


class Command(GivenOnce, TyperCommand):
    """A command that reports misspelt variables, and whose help lists its options by group."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse options and arguments; OptionError for arguments that are too many."""
        given = [*args]
        ctx.allow_extra_args = True
        with _options_explained(ctx, given):
            extra = super().parse_args(ctx, args)
        if extra and not ctx.resilient_parsing:
            from charlstm.cli import meant

            raise meant.extra_words(ctx, extra)
        return extra

    def invoke(self, ctx: Any) -> Any:
        """Run the command, after a message for each misspelt variable of the environment."""
        # Of several processes under torchrun only the first writes messages.
        if not ctx.params["quiet"] and os.environ.get("RANK", "0") == "0":
            console.say(*misspelt(ctx.find_root().command))
        return super().invoke(ctx)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The arguments as the usage line shows them, without typer's braces."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each group of options: arguments first, settings last."""
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": []}
        for parameter in self.get_params(ctx):
            usual = "Arguments" if parameter.param_type_name == "argument" else "Settings"
            group = getattr(parameter, "rich_help_panel", None) or usual
            record = parameter.get_help_record(ctx)
            if record is not None:
                groups.setdefault(group, []).append(record)
        groups["Settings"] = groups.pop("Settings")
        for group, records in groups.items():
            if records:
                with formatter.section(group):
                    formatter.write_dl(records)


class Program(GivenOnce, TyperGroup):
    """The program, whose help lists the commands in the order of ``NAMES``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the options before the command."""
        with _options_explained(ctx, args):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first of ``args`` names; OptionError if there is none."""
        if args[0] not in self.commands and not ctx.resilient_parsing:
            from charlstm.cli import meant

            raise meant.no_command(ctx, args)
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the commands, without a look at the commands themselves."""
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the names of the commands, and what their functions say first."""
        rows = [(name, _function(name).__doc__.split("\n")[0]) for name in self.commands]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@contextmanager
def _options_explained(ctx: Any, words: Sequence[str]) -> Iterator[None]:
    """Turn the error for an unknown option among ``words`` into one that says what may be meant."""
    try:
        yield
    except TyperException as error:
        if not hasattr(error, "possibilities"):  # only the error for an unknown option has them
            if getattr(error, "ctx", None) is None:
                error.ctx = ctx  # type: ignore[attr-defined]
            raise
        from charlstm.cli import meant

        raise meant.no_option(ctx, error.option_name, words) from error  # type: ignore[attr-defined]


class Commands(Mapping[str, Command]):
    """The commands by name, each made when it is asked for the first time."""

    def __getitem__(self, name: str) -> Command:
        if name not in NAMES:
            raise KeyError(name)
        return _made(name)

    def __contains__(self, name: object) -> bool:
        return name in NAMES

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


def _function(name: str) -> Any:
    """The function of a command: that of the name of its module."""
    module = OTHER_MODULES.get(name, name)
    return getattr(import_module(f"charlstm.cli.{module}"), module)


@cache
def _made(name: str) -> Command:
    """The command of this name, made once in a process."""
    function = _function(name)
    prepare(function)
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name, cls=Command)(function)
    command: Any = typer.main.get_command(alone)
    command.params.append(config_option(use_files))
    hide_variables(command)
    made: Command = command
    return made


def hide_variables(node: Any) -> None:
    """Leave the variables out of the help: every option has one, and the manual says so once."""
    for parameter in node.params:
        parameter.show_envvar = False
