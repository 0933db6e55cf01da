"""Settings for every command from files: ``--config FILE``, and the user's own file.

A file has a table for each command, whose keys are the names of the command's options. What it
says stands above the defaults, and below the environment and the command line; the user's own
file stands below the other.
"""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperOption

from charlstm.cli.options import SETTINGS, Source, source
from charlstm.errors import OptionError
from charlstm.options import OPTIONS, Seconds, require_text, shown

NO_SETTINGS = ("config", "help", "resume")
MOST_BYTES = 1 << 20
# tomllib takes time and memory by the square of a dotted key's length, and no option has a dot.
DOTTED_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){32}""")
NAMED_ABOVE = "charlstm.config"  # in a context: the file that is named before the command

Tables = dict[str, dict[str, Any]]


def add_config_option(tree: Any) -> None:
    """Give ``--config`` to the program and to each of its commands."""
    words = "Settings from a TOML file, with a table for each command."
    for node in (tree, *tree.commands.values()):
        node.params.append(
            TyperOption(
                param_decls=["--config"],
                type=str,
                metavar="FILE",
                expose_value=False,
                is_eager=True,  # after --help, and before the options that it gives values to
                callback=_note if node is tree else _use_files,
                help=words,
            )
        )


def user_file() -> Path | None:
    """The user's own file of settings, under XDG's config directory; it need not exist."""
    named = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    try:
        # The specification has a relative path ignored.
        base = named if named.is_absolute() else Path.home() / ".config"
    except RuntimeError:  # a user without a home
        return None
    return base / "charlstm" / "config.toml"


def _note(ctx: typer.Context, parameter: Any, given: str | None) -> None:
    if given is not None:
        ctx.meta[NAMED_ABOVE] = Path(given)


def _use_files(ctx: typer.Context, parameter: Any, given: str | None) -> None:
    """Make what the files say the defaults of the command.

    Of a file that is named before the command and one that is named after it, the one after it
    counts, unless only the environment names that. Raises OptionError for a file that cannot be
    read, and for whatever in it is no table, no setting, or of the wrong type.
    """
    root: Any = ctx.find_root()
    path: Path | None = ctx.meta.get(NAMED_ABOVE)
    if given is not None and (path is None or source(ctx, "config") >= source(root, "config")):
        path = Path(given)
    values: dict[str, Any] = {}
    sources: dict[str, Source] = {}
    for file, kind in ((user_file(), Source.USER_FILE), (path, Source.CONFIG_FILE)):
        data = None if file is None else _contents(file, may_be_absent=kind is Source.USER_FILE)
        if file is not None and data is not None:
            table = _tables(file, data, root.command).get(str(ctx.info_name), {})
            values |= table
            sources |= dict.fromkeys(table, kind)
    ctx.default_map = values
    ctx.meta[SETTINGS] = sources


def _contents(path: Path, *, may_be_absent: bool) -> bytes | None:
    """The bytes of a file of settings; OptionError for one that cannot be read, or has no end."""
    try:
        with path.open("rb") as file:  # a pipe, too; what has no end is not read to it
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        if may_be_absent and isinstance(error, FileNotFoundError | NotADirectoryError):
            return None
        advice = "mend or remove it" if may_be_absent else "check --config"
        why = error.strerror if isinstance(error, OSError) else error
        raise OptionError(f"{path}: cannot be read: {why}; {advice}") from error
    if len(data) > MOST_BYTES:
        raise OptionError(f"{path}: more than {MOST_BYTES:,} bytes; no settings are so long")
    return data


def _tables(path: Path, data: bytes, tree: Any) -> Tables:
    """The settings of each command, all of them checked."""
    import tomllib

    try:
        text = data.decode()
        if DOTTED_KEY.search(text):
            raise ValueError("a key of more than 32 parts")
        found = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{path}: not valid TOML: {error}; mend it") from error
    for name, table in found.items():
        if not isinstance(table, dict):
            advice = f"write a table, [{name}]"
            if name not in tree.commands:
                advice = "write the name of its command above it, as in [train]"
            raise OptionError(f"{path}: {name} stands in no table; {advice}")
        if name not in tree.commands:
            advice = nearest(name, tree.commands, "did you mean [{}]?", "remove it")
            raise OptionError(f"{path}: [{name}] is no command of charlstm; {advice}")
    return {
        name: _settings(f"{path}: [{name}]", table, tree.commands[name])
        for name, table in found.items()
    }


def _settings(label: str, table: dict[str, Any], command: Any) -> dict[str, Any]:
    """The settings of one command as its options take them."""
    parameters = {
        p.name: p
        for p in command.params
        if p.name not in NO_SETTINGS and (p.param_type_name == "option" or p.name == "corpus")
    }
    for key, value in table.items():
        if key not in parameters:
            advice = nearest(key, parameters, "did you mean {}?", "remove it")
            raise OptionError(f"{label} {key} is no setting of {command.name}; {advice}")
        _check(f"{label} {key}", value, parameters[key])
    # What is a text on the command line is one here.
    return {
        key: f"{value:f}" if isinstance(value, float) and OPTIONS[key].kind is Seconds else value
        for key, value in table.items()
    }


def nearest(name: str, names: Mapping[str, Any], suggestion: str, otherwise: str) -> str:
    """A ``suggestion`` with the one of ``names`` that is like ``name``, if one is.

    >>> nearest("hiden", {"hidden": 1, "layers": 2}, "did you mean {}?", "remove it")
    'did you mean hidden?'
    """
    close = difflib.get_close_matches(name, names, n=1)
    return suggestion.format(close[0]) if close else otherwise


def _check(label: str, value: Any, parameter: Any) -> None:
    """Raise OptionError unless the option takes such a value."""
    several = parameter.nargs == -1 or getattr(parameter, "multiple", False)
    texts = value if isinstance(value, list) else [value]
    if not all(map(_is_text, texts)) or several != isinstance(value, list) or texts == []:
        words = "a list of texts" if several else "one value, without a NUL character"
        raise OptionError(f"{label} is {shown(value)}; it must be {words}")
    try:
        if parameter.name in OPTIONS:
            OPTIONS[parameter.name].check(value)
        elif not several:
            require_text(parameter.name, value)
    except OptionError as error:
        raise OptionError(f"{label} {error.fault}") from error


def _is_text(value: Any) -> bool:
    """Whether ``value`` could stand on the command line, if it is a text: no NUL character."""
    return not isinstance(value, str) or "\0" not in value
