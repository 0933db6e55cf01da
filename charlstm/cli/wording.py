"""How messages and tables show losses, times, sizes, and a model in one line.

The card of a model may come from anyone, so what should be a number may be anything.
"""

import math
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from charlstm.checks import is_finite

if TYPE_CHECKING:
    from charlstm import LanguageModel

LONGEST_NAME = 60  # characters shown of a corpus's name in a line
DAY = 24 * 3600
UNITS = {
    "year": 365 * DAY, "month": 30 * DAY, "week": 7 * DAY,
    "day": DAY, "hour": 3600, "minute": 60,
}  # fmt: skip
PREFIXES = "kMGTPE"
HIGHEST_TEMPERATURE = 2  # that is perhaps meant
NOTHING = "-"  # shown instead of a number that is not known


def number(value: Any) -> float | None:
    """``value`` if it is a finite number, else None."""
    if isinstance(value, int | float) and not isinstance(value, bool) and is_finite(value):
        return value
    return None


def nats(loss: float) -> str:
    """A loss in nats and in bits.

    >>> nats(1.436)
    '1.436 nats (2.072 bits)'
    """
    return f"{loss:.3f} nats ({loss / math.log(2):.3f} bits)"


def duration(seconds: float) -> str:
    """A length of time, written as options such as ``--time`` take it.

    >>> duration(5400), duration(200.2), duration(0.4)
    ('1h30m', '3m20s', '0s')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{n}{unit}" for n, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if n]
    return "".join(parts) or "0s"


def age(seconds: float) -> str:
    """How long ago something was, in the largest unit of which there are at least two.

    >>> age(3 * 3600 + 59)
    '3 hours'
    """
    seconds = max(0, int(seconds))
    for name, length in UNITS.items():
        if seconds >= 2 * length:
            return counted(seconds // length, name)
    return counted(seconds, "second")


def counted(count: float, noun: str) -> str:
    """A number of things.

    >>> counted(1, "step"), counted(2000, "step")
    ('1 step', '2,000 steps')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def model_taken(model: "LanguageModel") -> str:
    """The message that says which run is used if the user named no model."""
    card, path = model.card, model.path
    assert path is not None
    name = model.bundled_name
    if name is not None:
        return f"model: {name}, which comes with charlstm; charlstm train TEXT makes your own"
    name = card["corpus"]["name"]
    parts = [name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."]
    loss = number(card["training"].get("val_loss"))
    if loss is not None:
        parts.append(f"{loss:.3f} nats")
    with suppress(OSError):  # the file may have been removed since it was read
        parts.append(f"{age(time.time() - path.stat().st_mtime)} old")
    return f"model: {path.parent} ({', '.join(parts)})"


def temperature_notes(temperature: float) -> list[str]:
    """What to say of a temperature that is hardly meant: nothing, if it is a usual one.

    >>> temperature_notes(1.0), temperature_notes(7)
    ([], ['a temperature of 7 gives nearly random characters; 0.5 to 1.2 is usual'])
    """
    if not HIGHEST_TEMPERATURE < temperature < math.inf:
        return []
    return [f"a temperature of {temperature:g} gives nearly random characters; 0.5 to 1.2 is usual"]


def timestamp(seconds: float) -> str | None:
    """The time ``seconds`` after 1970 in UTC, in the form of ISO 8601; None if it has no date.

    >>> timestamp(0), timestamp(1e300)
    ('1970-01-01T00:00:00Z', None)
    """
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    except (ValueError, OverflowError, OSError):
        return None


def size(count: int) -> str:
    """A number of bytes, in units of a thousand.

    >>> size(14_200_000), size(999_950)
    ('14.2 MB', '1.0 MB')
    """
    if count < 1000:
        return f"{count} B"
    power = min((len(str(count)) - 1) // 3, len(PREFIXES))
    if round(count / 1000**power, 1) >= 1000 and power < len(PREFIXES):
        power += 1
    return f"{count / 1000**power:.1f} {PREFIXES[power - 1]}B"
