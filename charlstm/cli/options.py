"""The options of the table as parameters of typer's commands, and where their values come from."""

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from charlstm.cli import completion
from charlstm.errors import OptionError
from charlstm.options import OPTIONS, SHOWN, Option, Seconds

SETTINGS = "charlstm.settings"  # in a context: which file each setting comes from
TAKEN_BACK = "charlstm.taken_back"  # in a context: what the command line gives no value

Corpus = Annotated[
    list[str],
    typer.Argument(
        metavar="CORPUS...",
        help="Files, directories, names of the catalogue, or - for standard input.",
        autocompletion=completion.sources,
    ),
]
# Options of a --corpus that is read as the model's own text was, unless they say otherwise.
AS_THE_MODEL: dict[str, dict[str, Any]] = {
    "glob": {
        "group": SHOWN,
        "default": None,
        "help": "Pattern of the file names to read in a directory.  [default: the model's]",
    },
    "encoding": {
        "group": SHOWN,
        "default": None,
        "help": "Encoding of --corpus.  [default: the model's]",
    },
}
COMPLETED = {
    "model": completion.models,
    "init_from": completion.bases,
    "resume": completion.runs,
    "corpus": completion.sources,
}
Function = TypeVar("Function", bound=Callable[..., Any])


class Source(IntEnum):
    """Where the value of a parameter comes from. A greater source outranks a smaller one."""

    DEFAULT = 0
    USER_FILE = 1
    CONFIG_FILE = 2  # the file that --config names
    ENVIRONMENT = 3
    COMMANDLINE = 4


WHERE = {  # both of two options are, in a message
    Source.USER_FILE: ", both in your settings file,",
    Source.CONFIG_FILE: ", both in the file of --config,",
    Source.ENVIRONMENT: ", both in the environment,",
    Source.COMMANDLINE: "",
}


def with_options(*names: str, **changes: dict[str, Any]) -> Callable[[Function], Function]:
    """Give a command these options of the table; it gets their values as keyword arguments.

    A name may also be the name of a group, which stands for all options of the group. ``changes``
    replaces fields of some options, such as their help. The parameters are made by ``prepare``,
    when the command is asked for.
    """

    def decorate(function: Function) -> Function:
        function.asked = names, changes  # type: ignore[attr-defined]
        return function

    return decorate


def prepare(function: Any) -> None:
    """Give the function of a command the signature that typer reads.

    Its attribute ``options`` then has all its options of the table by name.
    """
    names, changes = function.asked
    listed = [o for name in names for o in OPTIONS.values() if name in (o.name, o.group)]
    assert {*names} <= {text for o in listed for text in (o.name, o.group)}
    changed = [dataclasses.replace(o, **changes.get(o.name, {})) for o in listed]
    signature = inspect.signature(function)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    parameters = [*map(_parameter, changed), *own]
    function.__signature__ = signature.replace(
        parameters=[p.replace(kind=p.KEYWORD_ONLY) for p in parameters]
    )
    function.options = {option.name: option for option in changed}


def _parameter(option: Option) -> inspect.Parameter:
    """An option as typer reads it from a signature."""
    kind: Any = {Seconds: str, list: list[str]}.get(option.kind, option.kind)
    if option.choices:
        kind = Literal[option.choices]
    flags = [option.flag]
    if option.kind is bool and option.default is not False:
        flags = [f"{option.flag}/{option.flag.replace('--', '--no-', 1)}"]
    flags += [f"-{option.short}"] if option.short else []
    details = typer.Option(
        *flags,
        metavar=None if option.choices else option.metavar,
        help=option.help,
        rich_help_panel=option.group,
        envvar="CHARLSTM_MODEL" if option.name == "model" else None,
        autocompletion=COMPLETED.get(option.name),
    )
    return inspect.Parameter(
        option.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=option.default,
        annotation=Annotated[kind if option.default is not None else kind | None, details],
    )


def file_to_write(values: dict[str, Any]) -> Path:
    """The file that --output names; OptionError where it is left out."""
    if not values["output"]:
        raise OptionError("names the file to write, such as -o page.html; it is missing", "output")
    return Path(values["output"])


def is_given(values: dict[str, Any], name: str) -> bool:
    """Whether an option has another value than its default."""
    value = values[name]  # 0 is such a value, although it equals False
    usual = OPTIONS[name].default if name in OPTIONS else None  # an argument has none
    return value is not None and value is not False and value != usual


def source(ctx: typer.Context, name: str) -> Source:
    """Where the value of a parameter comes from in this call."""
    if name in ctx.meta[TAKEN_BACK]:
        return Source.COMMANDLINE
    found = ctx.get_parameter_source(name)
    if found is None:
        return Source.DEFAULT
    if found.name == "DEFAULT_MAP":
        which: Source = ctx.meta[SETTINGS][name]
        return which
    return Source[found.name]


def typed(ctx: typer.Context, values: dict[str, Any], *names: str) -> list[str]:
    """Those of the options ``names`` that the command line gives a value of their own."""
    return [n for n in names if is_given(values, n) and source(ctx, n) == Source.COMMANDLINE]


def strongest(ctx: typer.Context, names: Sequence[str]) -> list[str]:
    """The parameters among ``names`` to which the strongest source gives a value, if any does."""
    given = [name for name in names if name not in ctx.meta[TAKEN_BACK]]
    best = max((source(ctx, name) for name in given), default=Source.DEFAULT)
    return [name for name in given if best and source(ctx, name) == best]


def settle(ctx: typer.Context, values: dict[str, Any], *rivals: tuple[str, str]) -> None:
    """Of two options that do not go together, keep in ``values`` what the stronger source gives.

    The other one gets its default value. Raises OptionError if both are from the same source.
    """
    given = {name for pair in rivals for name in pair if is_given(values, name)}
    kept: list[str] = []
    for name in sorted(given, key=lambda name: (-source(ctx, name), name)):
        others = [k for k in kept if (k, name) in rivals or (name, k) in rivals]
        if any(source(ctx, other) > source(ctx, name) for other in others):
            values[name] = default(_parameter_of(ctx, name))
        elif others:
            pair = next(pair for pair in rivals if {*pair} == {others[0], name})
            both = " and ".join(flag(ctx, name) for name in pair)
            where = WHERE[source(ctx, name)]
            raise OptionError(f"{both}{where} do not go together; leave one out")
        else:
            kept.append(name)


def apart(ctx: typer.Context, *pairs: tuple[str, str]) -> list[tuple[str, str]]:
    """Those of ``pairs`` whose two parameters get their values from different sources."""
    return [(one, other) for one, other in pairs if source(ctx, one) != source(ctx, other)]


def default(parameter: Any) -> Any:
    """The value of a parameter to which nothing gives one."""
    return () if parameter.multiple else parameter.default


def flag(ctx: typer.Context, name: str) -> str:
    """The name of a parameter in messages: TEXT or --text."""
    parameter = _parameter_of(ctx, name)
    shown: str = max(parameter.opts, key=len)
    return parameter.metavar if parameter.param_type_name == "argument" else shown


def _parameter_of(ctx: typer.Context, name: str) -> Any:
    return next(parameter for parameter in ctx.command.params if parameter.name == name)
