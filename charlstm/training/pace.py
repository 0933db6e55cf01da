"""The pace of a run: which share of the run each step is, and how a run keeps to its time.

The learning rate, the evaluations and the end of a run are functions of its progress, which rises
from 0 to 1. A run of a given number of steps has one pace. A run of a given time changes its pace
as the speed of the machine changes. No torch.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import NamedTuple

from charlstm.checks import require_integer, require_number
from charlstm.errors import OptionError

MOST_CHANGES = 100_000  # of a pace that somebody gives; a run of a week has fewer
TOLERANCE = 0.02  # of the steps left: a smaller difference is no reason to change the pace
LEAVING = 0.1  # seconds to end the process, once all is saved
CHECK_SECONDS, CHECK_SHARE = 1.0, 0.01  # from one look at the clock to the next, or of the time,
CHECK_LEFT = 0.1  # but not more than this share of the time that is left
NEW_EVALUATION = 0.5  # the weight of the last evaluation in what the next is expected to take
RECENT_SECONDS, RECENT_LEFT = 0.3, 0.5  # speed is that of so long ago, or of the time left


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


@dataclass(frozen=True)
class Speed:
    """Seconds that a training step and an evaluation take on this machine."""

    step: float
    evaluation: float


class Timekeeper:
    """Says after which step a run is to end, so that it keeps to its time.

    ``seconds`` is the time of the whole run, from the start of the process to its end; ``now`` is
    how much of it is spent. An evaluation comes every ``eval_every`` steps, or, with None, at
    given parts of the run.
    """

    def __init__(
        self, seconds: float, evaluation: float, eval_every: int | None, *, done: int, now: float
    ) -> None:
        """For a run of which ``done`` steps are done; an ``evaluation`` takes about so long."""
        self.seconds, self.eval_every = seconds, eval_every
        self.evaluation = evaluation  # seconds
        self._step = 0.0  # seconds, evaluations not counted
        self._measured = 0.0  # seconds that were measured
        self._done, self._now = done, now  # at the last look at the clock
        self._evaluated = 0.0  # seconds of evaluations since then
        self._next = now + self._pause(self._left(now))

    def due(self, now: float) -> bool:
        """Whether it is time to ask for the last step again."""
        return now >= self._next

    def add_evaluation(self, seconds: float) -> None:
        """Enter an evaluation that took so long, with all that belongs to it."""
        self._evaluated += seconds
        self.evaluation += (seconds - self.evaluation) * NEW_EVALUATION

    def last_step(self, done: int, now: float, evaluations: int) -> int:
        """The number of steps at the end of the run, once ``done`` steps are done.

        So many ``evaluations`` are still to come, the last one among them. No less than ``done``.
        """
        self._measure(done, now)
        left = self._left(now)
        self._next = now + self._pause(left)
        if self.eval_every is None:
            return done + max(0, round((left - evaluations * self.evaluation) / self._step))
        step = self._step + self.evaluation / self.eval_every
        return done + max(0, round((left - self.evaluation) / step))

    def _measure(self, done: int, now: float) -> None:
        """Enter the steps since the last look at the clock.

        The speed that matters is that of the time to come. The best guess is the speed of as long
        ago, or of a half: the mean fades with that time.
        """
        steps, seconds = done - self._done, max(1e-9, now - self._now - self._evaluated)
        self._done, self._now, self._evaluated = done, now, 0.0
        self._measured += seconds
        recent = max(RECENT_SECONDS, RECENT_LEFT * self._left(now))
        weight = max(1 - math.exp(-seconds / recent), seconds / self._measured)
        self._step += weight * (seconds / steps - self._step)

    def _left(self, now: float) -> float:
        return self.seconds - LEAVING - now

    def _pause(self, left: float) -> float:
        longest = max(CHECK_SECONDS, CHECK_SHARE * self.seconds)
        return max(0.0, min(longest, CHECK_LEFT * left))
