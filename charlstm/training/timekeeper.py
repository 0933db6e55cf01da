"""How a run keeps to its time: its pace is set anew by the clock, about once a second; no torch.

What comes after the last step is kept in reserve: an evaluation, the last state, and the end of the
process. They are expected to take as long as when they came last, or as much longer as the steps
have become since.
"""

import math
from dataclasses import dataclass

from charlstm.training.config import TrainConfig
from charlstm.training.pace import Pace
from charlstm.training.threads import ThreadChooser

LEAVING = 0.05  # seconds to end the process, once all is saved
TOLERANCE = 0.02  # of the steps left: a smaller difference is no reason to change the pace
CHECK_SECONDS = 1.0  # from one look at the clock to the next, of a short run
CHECK_SHARE = 0.01  # of the time of a run, from one look at the clock to the next, of a long run
CHECK_LEFT = 0.1  # of the time that is left: at most so much of it passes until the next look
NEW_EVALUATION = 0.5  # the weight of the last evaluation in what the next is expected to take
APART = 4.0  # times as long as an evaluation takes is the least time between two
RECENT_SECONDS = 0.3  # speed is that of at least so long a time
RECENT_LEFT = 0.5  # of the time that is left: speed is that of as long a time before
SPARE = 0.5  # of the time: until then a run that should end before its time is left alone
MOST_SLOWER = 3.0  # times as long as before: what steps tell of other work
SLOW = 2.0  # times as long as was measured at the start: then the steps are why a run is late
LATE_SECONDS = 0.3  # a run that is less late than this says nothing of it
LATE_SHARE = 0.03  # of the time: a run that is less late than this says nothing of it


@dataclass
class _Cost:
    """What something took, in seconds, when a step took so many seconds."""

    seconds: float
    step: float

    def now(self, step: float) -> float:
        """What it takes when a step takes so many seconds."""
        return self.seconds * min(MOST_SLOWER, max(1.0, step / self.step))

    def in_steps(self, step: float) -> float:
        """As how many steps it takes as long; ``step`` is what one takes, where it was unknown."""
        return self.seconds / (step if self.step == math.inf else self.step)


class Timekeeper:
    """Changes the pace of a run so that it ends in its time, and the threads where that helps.

    The time of ``config`` is that of the whole run, from the start of the process to its end.
    ``now`` is always how much of it is spent, and ``done`` how many steps are done.
    """

    def __init__(
        self,
        config: TrainConfig,
        *,
        step: float,
        evaluation: float,
        saving: float,
        done: int,
        now: float,
        threads: int | None = None,
    ) -> None:
        """A ``step``, an ``evaluation`` and ``saving`` the last state take about so many seconds.

        The run computes with so many ``threads``, by default those of its ``config``.
        """
        assert config.time is not None
        self.config, self.time, self.began = config, config.time, now
        self._evaluation, self._saving = _Cost(evaluation, step), _Cost(saving + LEAVING, step)
        self._first_step, self._measured_step = done + 1, step
        self._step = 0.0  # seconds, evaluations and states not counted
        self._measured = 0.0  # seconds that were measured
        self._done, self._now = done, now  # at the last look at the clock
        self._other = 0.0  # seconds of evaluations and states since then
        self._longer = 0.0  # seconds by which they were longer than expected
        self._evaluating, self._writing = 0.0, 0.0  # seconds of all of them
        self._chooser: ThreadChooser | None = None
        if config.most_threads is not None:
            count = config.threads if threads is None else threads
            self._chooser = ThreadChooser(
                config.most_threads, count, step=step, now=now, end=config.time
            )
        self._next = now + self._pause(now)

    def due(self, now: float) -> bool:
        """Whether it is time for another ``new_pace``."""
        return now >= self._next

    def add_evaluation(self, seconds: float) -> None:
        """Enter an evaluation that took so long, with all that belongs to it."""
        self._other += seconds
        self._evaluating += seconds
        expected = self._evaluation.now(self._step)
        self._longer += seconds - expected
        mean = expected + (seconds - expected) * NEW_EVALUATION
        self._evaluation = _Cost(mean, self._step or self._evaluation.step)

    def add_saving(self, seconds: float) -> None:
        """Enter a state that took so long to write."""
        self._other += seconds
        self._writing += seconds
        self._longer += seconds + LEAVING - self._saving.now(self._step)
        self._saving = _Cost(seconds + LEAVING, self._step or self._saving.step)

    def new_pace(self, pace: Pace, done: int, now: float) -> Pace:
        """The pace from here on; the same one where it keeps to the time well enough.

        A run that should end before its time is left alone for the first half of it, so that a
        slow beginning changes nothing.
        """
        threads = self._look(done, now)
        self._next = now + self._pause(now)
        most, early = self.config.most_steps, now < SPARE * self._end()
        if most is not None and pace == Pace.constant(most) and early and threads is None:
            return pace
        apart = max(1, math.ceil(APART * self._evaluation.in_steps(self._step)))
        last = self._last_step(pace, done, now, apart)
        if most is not None:
            last = min(last, max(done, most))
        changed = last == done or abs(last - pace.last) > TOLERANCE * (pace.last - done)
        if changed or threads is not None:
            return pace.changed(done, last=last, apart=apart, threads=threads)
        return pace

    @property
    def trying_threads(self) -> bool:
        """Whether the run computes with another number of threads to see if that is faster."""
        return self._chooser is not None and self._chooser.trying

    def lateness(self, done: int, ended: float) -> str | None:
        """By how much a run is late that ended then, and why, in words; None if it is in time."""
        late = ended - self.time
        if late <= max(LATE_SECONDS, LATE_SHARE * self.time):
            return None
        return f"{late:.1f} s later than asked, since {self._why_late(late, done, ended)}"

    def _why_late(self, late: float, done: int, ended: float) -> str:
        """What took so long, as far as that is known; else where the time went."""
        before = f"{in_words(self.began)} had passed before step {self._first_step}"
        if self.began + self._evaluation.seconds + self._saving.seconds >= self.time:
            return before
        if self._longer > late / 2:
            took, longer = in_words(self._other), in_words(self._longer)
            return f"validation and saving took {took} at the end, {longer} longer than expected"
        last = (ended - self._now - self._other) / max(1, done - self._done)
        step, measured = max(self._step, last), self._measured_step
        if step > SLOW * measured:
            return f"the last steps took {in_words(step)} each, and {in_words(measured)} at first"
        steps = ended - self.began - self._evaluating - self._writing
        return (
            f"{before}, {in_words(steps)} in steps, {in_words(self._evaluating)} in validation "
            f"and {in_words(self._writing)} in saving"
        )

    def _end(self) -> float:
        """When the last evaluation must have ended."""
        return self.time - self._saving.now(self._step)

    def _last_step(self, pace: Pace, done: int, now: float, apart: int) -> int:
        """The number of steps at the end of the time, with the evaluations that are to come."""
        left, parts, every = self._end() - now, self.config.evaluations, self.config.eval_every
        evaluation = self._evaluation.now(self._step)
        if every is not None:
            step = self._step + evaluation / every
            return done + max(0, round((left - evaluation) / step))
        between = apart * self._step
        fit = int((left + between) / (evaluation + between))
        evaluations = max(1, min(fit, parts - int(parts * pace.after(done))))
        return done + max(0, round((left - evaluations * evaluation) / self._step))

    def _look(self, done: int, now: float) -> int | None:
        """Enter the steps since the last look at the clock; another number of threads, or None.

        The speed that matters is that of the time to come. The best guess is the speed of as long
        ago, or of a half: the mean fades with that time.
        """
        steps, seconds = done - self._done, max(1e-9, now - self._now - self._other)
        self._done, self._now, self._other, self._longer = done, now, 0.0, 0.0
        self._measured += seconds
        recent = max(RECENT_SECONDS, RECENT_LEFT * (self._end() - now))
        weight = max(1 - math.exp(-seconds / recent), seconds / self._measured)
        self._step += weight * (seconds / steps - self._step)
        if self._chooser is None:
            return None
        before = self._chooser.count
        count = self._chooser.look(seconds / steps, now)
        if count == before:
            return None
        # What the steps were says little of those to come.
        self._step, self._measured = self._chooser.expected, 0.0
        self._evaluation.step = self._saving.step = math.inf
        return count

    def _pause(self, now: float) -> float:
        """The seconds to the next look at the clock."""
        longest = max(CHECK_SECONDS, CHECK_SHARE * self.time)
        return max(0.0, min(longest, CHECK_LEFT * (self._end() - now)))


def in_words(seconds: float) -> str:
    """A time in two digits, or in whole seconds; less than a tenth of a millisecond is none.

    >>> in_words(0.0213), in_words(1.24), in_words(123.4), in_words(1e-9)
    ('0.021 s', '1.2 s', '123 s', '0 s')
    """
    return f"{seconds:.0f} s" if seconds >= 10 else f"{round(seconds, 4):.2g} s"
