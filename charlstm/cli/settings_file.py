"""Settings from files, for every command: the file of ``--config``, and the user's own file.

A file has a table for each command. The keys of the table are the names of the command's options.
The command line and the environment outrank ``--config``, which outranks the user's own file.
"""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperOption

from charlstm.checks import shown
from charlstm.cli.options import SETTINGS, Source, source
from charlstm.errors import OptionError
from charlstm.options import OPTIONS, Seconds

NO_SETTINGS = ("config", "help", "resume")
MOST_BYTES = 1 << 20
# The time and the memory of tomllib grow with the square of a dotted key's length.
DOTTED_KEY = r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){32}"""
BEFORE_COMMAND = "charlstm.config"  # in a context: the file that is named before the command


def config_option(callback: Callable[..., None]) -> TyperOption:
    """The option ``--config`` of the program, with ``remember``, or of a command."""
    return TyperOption(
        param_decls=["--config"],
        type=str,
        metavar="FILE",
        expose_value=False,
        is_eager=True,  # it is read before the options that it gives values to
        callback=callback,
        help="Settings from a TOML file, with a table for each command.",
    )


def user_file() -> Path | None:
    """The path of the user's own settings file, by the XDG Base Directory Specification."""
    named = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    try:
        # The specification ignores a relative path.
        base = named if named.is_absolute() else Path.home() / ".config"
    except RuntimeError:  # a user without a home directory
        return None
    return base / "charlstm" / "config.toml"


def remember(ctx: typer.Context, parameter: Any, given: str | None) -> None:
    """Note the file that ``--config`` names before the command."""
    ctx.meta[BEFORE_COMMAND] = given


def use_files(ctx: typer.Context, parameter: Any, given: str | None) -> None:
    """Make the settings in the files the defaults of the command.

    ``--config`` may be given before the command and after it. The one after it is used, unless it
    comes from the environment and the other from the command line. Raises OptionError for a file
    that cannot be read, and for anything wrong in it, also in the tables of other commands.
    """
    root: Any = ctx.find_root()
    before = ctx.meta[BEFORE_COMMAND]
    if given is None or (before is not None and source(root, "config") > source(ctx, "config")):
        given = before
    values: dict[str, Any] = {}
    sources: dict[str, Source] = {}
    named = None if given is None else Path(given)
    for path, kind in ((user_file(), Source.USER_FILE), (named, Source.CONFIG_FILE)):
        if path is not None:
            data = _contents(path, may_be_absent=kind is Source.USER_FILE)
            table = _tables(path, data, root.command).get(ctx.info_name, {}) if data else {}
            values |= table
            sources |= dict.fromkeys(table, kind)
    ctx.default_map, ctx.meta[SETTINGS] = values, sources


def _contents(path: Path, *, may_be_absent: bool) -> bytes:
    """The bytes of a settings file; OptionError for one that cannot be read, or is too long."""
    try:
        with path.open("rb") as file:  # it may be a pipe or a device that never ends
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        if may_be_absent and isinstance(error, FileNotFoundError | NotADirectoryError):
            return b""
        advice = "correct or remove it" if may_be_absent else "check --config"
        why = error.strerror if isinstance(error, OSError) else error
        raise OptionError(f"{path}: cannot be read: {why}; {advice}") from error
    if len(data) > MOST_BYTES:
        raise OptionError(f"{path}: more than {MOST_BYTES:,} bytes; name a settings file")
    return data


def _tables(path: Path, data: bytes, tree: Any) -> dict[Any, dict[str, Any]]:
    """The settings of each command, all of them checked."""
    import tomllib

    try:
        text = data.decode()
        if re.search(DOTTED_KEY, text):
            raise ValueError("a key of more than 32 parts")
        found = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{path}: not valid TOML: {error}; correct it") from error
    for name, table in found.items():
        if not isinstance(table, dict):
            advice = f"write a table, [{name}]"
            if name not in tree.commands:
                advice = "write the name of its command above it, as in [train]"
            raise OptionError(f"{path}: {name} is not in a table; {advice}")
        if name not in tree.commands:
            advice = nearest(name, tree.commands, "did you mean [{}]?", "remove it")
            raise OptionError(f"{path}: [{name}] is not a command of charlstm; {advice}")
    return {
        name: _settings(f"{path}: [{name}]", table, tree.commands[name])
        for name, table in found.items()
    }


def _settings(label: str, table: dict[str, Any], command: Any) -> dict[str, Any]:
    """The checked settings of one command, as typer takes them."""
    options = {**OPTIONS, **command.callback.options}  # with what means something else here
    # Of the arguments only a corpus of several sources can be a setting.
    names = [
        p.name
        for p in command.params
        if p.name not in NO_SETTINGS
        and p.name in options
        and (p.param_type_name == "option" or p.nargs == -1)
    ]
    settings = {}
    for key, value in table.items():
        if key not in names:
            advice = nearest(key, names, "did you mean {}?", "remove it")
            raise OptionError(f"{label} {key} is not a setting of {command.name}; {advice}")
        try:
            checked = options[key].check(value)
        except OptionError as error:
            raise OptionError(f"{label} {key} {error.fault}") from error
        texts = checked if isinstance(checked, tuple) else (checked,)
        if any(isinstance(text, str) and "\0" in text for text in texts):
            raise OptionError(f"{label} {key} is {shown(value)}; remove the NUL character")
        # Typer takes a time as a text.
        settings[key] = f"{checked:f}" if options[key].kind is Seconds else checked
    return settings


def nearest(name: str, names: Iterable[str], suggestion: str, otherwise: str) -> str:
    """The ``suggestion`` with the most similar of ``names``, or ``otherwise`` if none is similar.

    >>> nearest("hiden", {"hidden": 1, "layers": 2}, "did you mean {}?", "remove it")
    'did you mean hidden?'
    """
    from difflib import get_close_matches

    close = get_close_matches(name, names, n=1)
    return suggestion.format(close[0]) if close else otherwise
