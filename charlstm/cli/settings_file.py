"""``--config FILE.toml``: the options of a command from a file.

They stand above the defaults, and below the environment and the command line.
"""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any

import typer

from charlstm.config import is_finite, shown
from charlstm.errors import OptionError

# What TOML may hold for an option of a type, and how that is called.
ACCEPTED: dict[str, tuple[tuple[type, ...], str]] = {
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "boolean": ((bool,), "true or false"),
}
MOST_BYTES = 1 << 20
# tomllib takes time and memory by the square of a dotted key's length, and no option has a dot.
DOTTED_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){32}""")
TEXT: tuple[tuple[type, ...], str] = ((str,), "a text in quotes")


def read_settings(ctx: typer.Context, path: Path | None) -> Path | None:
    """Make the file's values the defaults of the command (a callback of an eager option).

    Raises OptionError for a file that cannot be read, a key that is no option of the command,
    and a value of the wrong type.
    """
    if path is None:
        return None
    try:
        with path.open("rb") as file:  # a pipe, too; what has no end is not read to it
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise OptionError(f"{path}: more than {MOST_BYTES:,} bytes; no settings are so long")
        text = data.decode()
        if DOTTED_KEY.search(text):
            raise ValueError("a key of more than 32 parts")
        values = tomllib.loads(text)
    except OSError as error:
        raise OptionError(f"{path}: cannot be read: {error.strerror}; check --config") from error
    except OptionError:  # a ValueError, too
        raise
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
        if isinstance(value, list) and value and all(map(_is_name, value)):
            return
        raise OptionError(f"{path}: {key} is {shown(value)}; it must be a list of texts")
    types, words = ACCEPTED.get(parameter.type.name, TEXT)
    unlike = (
        (isinstance(value, bool) and bool not in types)
        or (isinstance(value, int) and float in types and not is_finite(value))
        or (isinstance(value, str) and not _is_name(value))
    )
    if unlike or not isinstance(value, types):
        raise OptionError(f"{path}: {key} is {shown(value)}; it must be {words}")


def _is_name(value: Any) -> bool:
    """Whether ``value`` is a text that the command line could hold, too: no NUL character."""
    return isinstance(value, str) and "\0" not in value
