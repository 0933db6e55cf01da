"""Checks of single values, with messages that show the value. Standard library alone."""

import math
import os
import re
import sys
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

from charlstm.errors import OptionError

LONGEST_VALUE = 100  # characters shown of a value in a message
TIME = r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?"
BARE_NUMBER = r"\d+(?:\.\d+)?"


def shown(value: object) -> str:
    """A value in a message, cut if it is long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # for thousands of digits, and for deep nesting
        return f"too large to show ({type(value).__name__})"
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "..."


def is_finite(value: float) -> bool:
    """``math.isfinite``, but also for a whole number that is larger than any float."""
    return abs(value) <= sys.float_info.max


def seconds(text: str, name: str = "time") -> float:
    """The seconds in ``30s``, ``3m``, ``1h30m`` or ``90``; OptionError for any other text.

    >>> seconds("1h30m"), seconds("90")
    (5400.0, 90.0)
    """
    written = text.strip()
    written += "s" if re.fullmatch(BARE_NUMBER, written) else ""
    match = re.fullmatch(TIME, written)
    if not match or not match.group():
        raise OptionError(f"is {shown(text)}; write it like 90, 30s, 3m or 1h30m", name)
    hours, minutes, rest = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + rest


def require_integer(name: str, value: object, *, least: int = 0, most: float = math.inf) -> int:
    """``value`` as an int; OptionError unless it is a whole number from ``least`` to ``most``.

    Whole numbers of numpy are accepted, true and false are not.
    """
    if isinstance(value, Integral) and not isinstance(value, bool) and least <= int(value) <= most:
        return int(value)
    limit = "" if most == math.inf else f" and at most {most}"
    raise OptionError(
        f"is {shown(value)}; it must be a whole number of at least {least}{limit}", name
    )


def require_number(
    name: str,
    value: object,
    *,
    least: float = -math.inf,
    most: float = math.inf,
    above: float = -math.inf,
    below: float = math.inf,
) -> float:
    """``value`` as an int or a float; OptionError unless it is finite and within the bounds.

    Numbers of numpy are accepted, true and false are not.
    """
    if isinstance(value, Real) and not isinstance(value, bool):
        number = value if isinstance(value, int | float) else float(value)
        if is_finite(number) and least <= number <= most and above < number < below:
            return number
    bounds = {"of at least": least, "above": above, "at most": most, "below": below}
    limits = " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if is_finite(bound))
    raise OptionError(f"is {shown(value)}; it must be a number {limits}".rstrip(), name)


def require_flag(name: str, value: object) -> bool:
    """``value``; OptionError unless it is true or false."""
    if not isinstance(value, bool):
        raise OptionError(f"is {shown(value)}; it must be true or false", name)
    return value


def require_text(name: str, value: object) -> str:
    """``value``; OptionError unless it is a text."""
    if not isinstance(value, str):
        raise OptionError(f"is {shown(value)}; it must be a text", name)
    return value


def require_texts(name: str, value: object) -> tuple[str, ...]:
    """One or several texts as a tuple; OptionError for anything else."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        texts = tuple(value)
        if all(isinstance(text, str) for text in texts):
            return texts
    raise OptionError(f"is {shown(value)}; it must be a text or a list of texts", name)


def require_iterable(name: str, value: Any) -> Iterable[Any]:
    """``value``; OptionError unless it is a list of texts or another iterable, but no text."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise OptionError(f"is {shown(value)}; it must be a list of texts, or an iterable", name)
    return value


def require_path(name: str, value: Any) -> str:
    """``value``, a text or a path, as a text; OptionError for anything else."""
    try:
        return os.fsdecode(value)
    except TypeError as error:
        raise OptionError(f"is {shown(value)}; it must be a text or a path", name) from error


def require_choice(name: str, value: object, choices: tuple[str, ...]) -> object:
    """``value``; OptionError unless it is one of the choices."""
    if value not in choices:
        allowed = ", ".join(map(repr, choices))
        raise OptionError(f"is {shown(value)}; it must be one of {allowed}", name)
    return value
