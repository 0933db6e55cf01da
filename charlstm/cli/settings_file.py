"""``--config FILE.toml``: the options of a command from a file.

They stand above the defaults, and below the environment and the command line.
"""

import difflib
import tomllib
from pathlib import Path
from typing import Any

import typer

from charlstm.errors import OptionError

# What TOML may hold for an option of a type, and how that is called.
ACCEPTED: dict[str, tuple[tuple[type, ...], str]] = {
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "boolean": ((bool,), "true or false"),
}
TEXT: tuple[tuple[type, ...], str] = ((str,), "a text in quotes")


def read_settings(ctx: typer.Context, path: Path | None) -> Path | None:
    """Make the file's values the defaults of the command (a callback of an eager option).

    Raises OptionError for a file that cannot be read, a key that is no option of the command,
    and a value of the wrong type.
    """
    if path is None:
        return None
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"{path}: cannot be read: {error.strerror}; check --config") from error
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{path}: not valid TOML: {error}; mend it") from error
    parameters = {
        p.name: p for p in ctx.command.params if p.name and p.name not in ("config", "resume")
    }
    for key, value in values.items():
        if key not in parameters:
            close = difflib.get_close_matches(key, parameters, n=1)
            advice = f"did you mean {close[0]}?" if close else "remove it"
            raise OptionError(f"{path}: {key} is no setting of {ctx.command.name}; {advice}")
        _check(path, key, value, parameters[key])
    ctx.default_map = {**(ctx.default_map or {}), **values}
    return path


def _check(path: Path, key: str, value: Any, parameter: Any) -> None:
    if parameter.nargs == -1:
        if isinstance(value, list) and value and all(isinstance(v, str) for v in value):
            return
        raise OptionError(f"{path}: {key} is {value!r}; it must be a list of texts")
    types, words = ACCEPTED.get(parameter.type.name, TEXT)
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise OptionError(f"{path}: {key} is {value!r}; it must be {words}")
