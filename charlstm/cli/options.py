"""The options of the table as parameters of typer's commands, and where their values come from."""

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Annotated, Any, Literal, TypeVar

import typer
from typer.core import TyperCommand

from charlstm.options import OPTIONS, Option, Seconds

SETTINGS = "charlstm.settings"  # in a context: the source of each setting that is from a file
CORPUS_HELP = "Files, directories, or - for standard input."

Corpus = Annotated[list[str], typer.Argument(metavar="CORPUS...", help=CORPUS_HELP)]
Function = TypeVar("Function", bound=Callable[..., Any])


class Source(IntEnum):
    """Where the value of a parameter comes from; of two sources the greater counts."""

    DEFAULT = 0
    USER_FILE = 1
    CONFIG_FILE = 2  # that of --config
    ENVIRONMENT = 3
    COMMANDLINE = 4


class GroupedCommand(TyperCommand):
    """A command whose help lists its options by their groups."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each group: arguments first, settings last."""
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


def with_options(*names: str, **changes: dict[str, Any]) -> Callable[[Function], Function]:
    """Give a command these options of the table; their values come as keyword arguments.

    A name may also be that of a group, which stands for all its options. ``changes`` has other
    descriptions for some of them.
    """
    listed = [o for name in names for o in OPTIONS.values() if name in (o.name, o.group)]
    changed = [dataclasses.replace(o, **changes.get(o.name, {})) for o in listed]

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        parameters = [*map(_parameter, changed), *own]
        function.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[p.replace(kind=p.KEYWORD_ONLY) for p in parameters]
        )
        return function

    return decorate


def _parameter(option: Option) -> inspect.Parameter:
    """An option as typer reads it from a signature."""
    kind: Any = {Seconds: str, list: list[str]}.get(option.kind, option.kind)
    if option.choices:
        kind = Literal[option.choices]
    default = None if option.kind is list else option.default
    flags = [option.flag]
    if option.kind is bool and option.default is not False:
        flags = [f"{option.flag}/{option.flag.replace('--', '--no-', 1)}"]
    flags += [f"--{option.also}"] if option.also else []
    flags += [f"-{option.short}"] if option.short else []
    details = typer.Option(
        *flags,
        metavar=None if option.kind is bool or option.choices else option.metavar,
        help=option.help,
        rich_help_panel=option.group,
        envvar="CHARLSTM_MODEL" if option.name == "model" else None,
    )
    annotation: Any = Annotated[kind if default is not None else kind | None, details]
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


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
