"""The pace of a run: which share of the run each step is.

The learning rate, the evaluations and the end of a run are functions of its progress, which rises
from 0 to 1. A run of a given number of steps has one pace. A run of a given time changes its pace
as the speed of the machine changes: see ``timekeeper``. What else such a run changes as it goes is
written down with its pace, so that the pace repeats it. No torch.
"""

from bisect import bisect_right
from dataclasses import dataclass
from typing import NamedTuple

from charlstm.checks import require_integer, require_number
from charlstm.errors import OptionError
from charlstm.options import MOST_STEPS, OPTIONS

MOST_CHANGES = 100_000  # of a pace that somebody gives; a run of a week has fewer


class Change(NamedTuple):
    """From ``step`` on, the rest of the run is spread evenly over the steps up to ``last``."""

    step: int  # the number of steps done
    progress: float  # the share of the run that they are
    last: int  # the number of steps at the end of the run
    apart: int = 1  # steps between two evaluations, at least
    threads: int | None = None  # None: as many as the run began with

    def __str__(self) -> str:
        words = f"{self.step}:{self.progress:.6g}:{self.last}"
        if self.threads is not None:
            return f"{words}:{self.apart}:{self.threads}"
        return words if self.apart == 1 else f"{words}:{self.apart}"


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
        return ",".join(map(str, self.changes))

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

    def evaluates(self, step: int, parts: int, evaluated: int) -> bool:
        """Whether an evaluation comes after ``step``, from 0; the last came after ``evaluated``.

        There is one after each part of the run, unless it is too near to the one before or to that
        at the end, and always one at the end.
        """
        done, change = step + 1, self.at(step + 1)
        if done >= change.last:
            return True
        near = min(done - evaluated, change.last - done) < change.apart
        return not near and self.passes(step, parts)

    def changed(
        self,
        step: int,
        *,
        last: int,
        progress: float | None = None,
        apart: int | None = None,
        threads: int | None = None,
    ) -> "Pace":
        """With another last step, once ``step`` steps are done.

        What is None stays as it is. The progress is rounded, so that it can be written down.
        """
        before = self.at(step)
        if progress is None:
            progress = self.after(step)
        change = Change(
            step,
            float(f"{progress:.6g}"),
            last,
            before.apart if apart is None else apart,
            before.threads if threads is None else threads,
        )
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
    """The change that a text of three to five numbers describes; raises ValueError."""
    numbers = word.split(":")
    if not 3 <= len(numbers) <= 5:
        raise ValueError(f"{word!r} is not STEP:PROGRESS:LAST[:APART[:THREADS]]")
    step, last, *more = (int(number) for number in (numbers[0], *numbers[2:]))
    require_integer("step", step, most=last)
    require_integer("last", last, least=1)
    progress = require_number("progress", float(numbers[1]), least=0, most=1)
    if more:
        require_integer("apart", more[0], least=1, most=MOST_STEPS)
    if more[1:]:
        OPTIONS["threads"].check(more[1])
    return Change(step, progress, last, *more)
