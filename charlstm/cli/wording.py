"""Measured things in a person's words: losses, times, sizes.

A model's card may come from anyone: whatever is in the place of a number can be given.
"""

import math
from typing import Any

from charlstm.config import is_finite

NOTHING = "-"  # what stands for a number that there is not


def number(value: Any) -> float | None:
    """``value`` if it is a number that can be written out, else None."""
    if isinstance(value, int | float) and not isinstance(value, bool) and is_finite(value):
        return value
    return None


def nats(loss: float) -> str:
    """A loss in both of its units.

    >>> nats(1.436)
    '1.436 nats (2.072 bits)'
    """
    return f"{loss:.3f} nats ({loss / math.log(2):.3f} bits)"


def duration(seconds: float) -> str:
    """A time as the options for times take it.

    >>> duration(5400), duration(200.2), duration(0.4)
    ('1h30m', '3m20s', '0s')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{n}{unit}" for n, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if n]
    return "".join(parts) or "0s"
