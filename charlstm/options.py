"""What a value of an option may be; every room checks its records with these functions."""

import math
import sys
from collections.abc import Mapping
from numbers import Integral, Real

from charlstm.errors import OptionError

TEXT_FILES = "*.txt"  # the files of a directory that are read where no other pattern is given
LONGEST_VALUE = 100  # characters shown of a value in a message


def shown(value: object) -> str:
    """A value in a message: as it would be written, if that is short."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits; deep nesting
        return f"too large to show ({type(value).__name__})"
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "..."


def is_finite(value: float) -> bool:
    """As ``math.isfinite``, also for a whole number beyond any float."""
    return abs(value) <= sys.float_info.max


def require_integer(name: str, value: object, *, least: int, most: float = math.inf) -> int:
    """``value`` as an int; OptionError unless it is a whole number from ``least`` to ``most``.

    Numbers of numpy are numbers, too; true and false are none.
    """
    if isinstance(value, Integral) and not isinstance(value, bool) and least <= int(value) <= most:
        return int(value)
    limit = "" if most == math.inf else f" and at most {most}"
    raise OptionError(
        f"{name} is {shown(value)}; it must be a whole number of at least {least}{limit}"
    )


def require_number(
    name: str,
    value: object,
    *,
    least: float,
    most: float = math.inf,
    below: float = math.inf,
    open_below: bool = False,
) -> float:
    """``value`` as it is, or as a float; OptionError unless it is finite and within the bounds.

    These are ``least <= value <= most`` and ``value < below``; where ``open_below``, ``least``
    itself is refused too. Numbers of numpy are numbers, too; true and false are none.
    """
    if isinstance(value, Real) and not isinstance(value, bool):
        number = value if isinstance(value, int | float) else float(value)
        above = number > least if open_below else number >= least
        if is_finite(number) and above and number <= most and number < below:
            return number
    bound = f"above {least:g}" if open_below else f"of at least {least:g}"
    limit = "" if below == math.inf else f" and below {below:g}"
    limit = limit if most == math.inf else f" and at most {most:g}"
    raise OptionError(f"{name} is {shown(value)}; it must be a number {bound}{limit}")


def require_flag(name: str, value: object) -> None:
    """Raise OptionError unless ``value`` is true or false."""
    if not isinstance(value, bool):
        raise OptionError(f"{name} is {shown(value)}; it must be true or false")


def require_text(name: str, value: object) -> str:
    """``value``; OptionError unless it is a text."""
    if not isinstance(value, str):
        raise OptionError(f"{name} is {shown(value)}; it must be a text")
    return value


def set_checked(record: object, values: Mapping[str, object]) -> None:
    """Let fields of a frozen record have the values that a check returned."""
    for name, value in values.items():
        object.__setattr__(record, name, value)
