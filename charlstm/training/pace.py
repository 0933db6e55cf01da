"""The pace of a run: which share of the run each step is.

The learning rate, the evaluations and the end of a run are functions of its progress, which rises
from 0 to 1. A run of a given number of steps has one pace. A run of a given time changes its pace
as the speed of the machine changes: see ``timekeeper``. No torch.
"""

from bisect import bisect_right
from dataclasses import dataclass
from typing import NamedTuple

from charlstm.checks import require_integer, require_number
from charlstm.errors import OptionError

MOST_CHANGES = 100_000  # of a pace that somebody gives; a run of a week has fewer


class Change(NamedTuple):
    """From ``step`` on, the rest of the run is spread evenly over the steps up to ``last``."""

    step: int  # the number of steps done
    progress: float  # the share of the run that they are
    last: int  # the number of steps at the end of the run


@dataclass(frozen=True)
class Pace:
    """The pace of a run, with every change of it.

    Each step between two changes adds the same progress, ``(1 - progress) / (last - step)``. The
    changes say everything, so a run that is given them does the same steps at the same rates.

    >>> pace = Pace.constant(100).changed(50, last=75)
    >>> pace.after(25), pace.after(50), pace.after(60), pace.after(75)
    (0.25, 0.5, 0.7, 1.0)
    >>> str(pace)
    '0:0:100,50:0.5:75'
    """

    changes: tuple[Change, ...]  # by rising step, the first at step 0

    @classmethod
    def constant(cls, steps: int) -> "Pace":
        """All steps alike."""
        return cls((Change(0, 0.0, steps),))

    @classmethod
    def parse(cls, text: str) -> "Pace":
        """The pace that ``str`` wrote; raises OptionError for anything else."""
        words = text.split(",")
        try:
            changes = tuple(_change(word) for word in words[:MOST_CHANGES])
            steps = [change.step for change in changes]
            if steps[0] or sorted(set(steps)) != steps or len(words) > MOST_CHANGES:
                raise ValueError("steps that do not rise from 0")
        except ValueError as error:
            shown = text if len(text) < 80 else f"{text[:80]}..."
            fault = f"is {shown!r}, which is not the pace of a run: {error}"
            raise OptionError(fault, "pace") from error
        return cls(changes)

    def __str__(self) -> str:
        return ",".join(f"{step}:{progress:.6g}:{last}" for step, progress, last in self.changes)

    @property
    def last(self) -> int:
        """The number of steps at the end of the run, as far as is known."""
        return self.changes[-1].last

    def at(self, step: int) -> Change:
        """The change that holds once ``step`` steps are done."""
        return self.changes[bisect_right(self.changes, step, key=lambda c: c.step) - 1]

    def after(self, steps: int) -> float:
        """The progress once so many steps are done."""
        return _progress(self.at(steps), steps)

    def during(self, step: int) -> float:
        """The progress in the middle of ``step``, from 0."""
        return _progress(self.at(step), step + 0.5)

    def passes(self, step: int, parts: int) -> bool:
        """Whether ``step``, from 0, completes one of so many equal parts of the run."""
        change = self.at(step)
        before, after = (_progress(change, number) for number in (step, step + 1))
        return int(after * parts) > int(before * parts)

    def changed(self, step: int, *, last: int, progress: float | None = None) -> "Pace":
        """With another last step, once ``step`` steps are done.

        The progress stays as it is, unless another one is given. It is rounded, so that it can be
        written down.
        """
        if progress is None:
            progress = self.after(step)
        change = Change(step, float(f"{progress:.6g}"), last)
        return Pace((*(c for c in self.changes if c.step < step), change))

    def begins_like(self, other: "Pace") -> bool:
        """Whether all changes of the other pace are also the first ones of this one."""
        return self.changes[: len(other.changes)] == other.changes


def _progress(change: Change, steps: float) -> float:
    if steps >= change.last:
        return 1.0
    share = (steps - change.step) / (change.last - change.step)
    return change.progress + (1 - change.progress) * share


def _change(word: str) -> Change:
    """The change that a text of three numbers describes; raises ValueError."""
    numbers = word.split(":")
    if len(numbers) != 3:
        raise ValueError(f"{word!r} is not STEP:PROGRESS:LAST")
    step, last = int(numbers[0]), int(numbers[2])
    require_integer("step", step, most=last)
    require_integer("last", last, least=1)
    return Change(step, require_number("progress", float(numbers[1]), least=0, most=1), last)
