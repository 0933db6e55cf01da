"""How a run keeps to its time: its pace is set anew by the clock, about once a second; no torch."""

import math

from charlstm.training.config import TrainConfig
from charlstm.training.pace import Pace

LEAVING = 0.05  # seconds to end the process, once all is saved
TOLERANCE = 0.02  # of the steps left: a smaller difference is no reason to change the pace
CHECK_SECONDS, CHECK_SHARE = 1.0, 0.01  # from one look at the clock to the next, or of the time,
CHECK_LEFT = 0.1  # but not more than this share of the time that is left
NEW_EVALUATION = 0.5  # the weight of the last evaluation in what the next is expected to take
RECENT_SECONDS, RECENT_LEFT = 0.3, 0.5  # speed is that of so long ago, or of the time left
SPARE = 0.5  # of the time: until then a run that should end before its time is left alone


class Timekeeper:
    """Changes the pace of a run so that it ends in its time.

    The time of ``config`` is that of the whole run, from the start of the process to its end.
    ``now`` is always how much of it is spent, and ``done`` how many steps are done.
    """

    def __init__(
        self, config: TrainConfig, *, evaluation: float, saving: float, done: int, now: float
    ) -> None:
        """An ``evaluation`` and ``saving`` the last state take about so many seconds."""
        assert config.time is not None
        self.config, self.end = config, config.time - saving - LEAVING
        self.evaluation = evaluation
        self._step = 0.0  # seconds, evaluations not counted
        self._measured = 0.0  # seconds that were measured
        self._done, self._now = done, now  # at the last look at the clock
        self._evaluated = 0.0  # seconds of evaluations since then
        self._next = now + self._pause(now)

    def due(self, now: float) -> bool:
        """Whether it is time for another ``new_pace``."""
        return now >= self._next

    def add_evaluation(self, seconds: float) -> None:
        """Enter an evaluation that took so long, with all that belongs to it."""
        self._evaluated += seconds
        self.evaluation += (seconds - self.evaluation) * NEW_EVALUATION

    def new_pace(self, pace: Pace, done: int, now: float) -> Pace:
        """The pace from here on; the same one where it keeps to the time well enough.

        A run that should end before its time is left alone for the first half of it, so that a
        slow beginning changes nothing.
        """
        self._measure(done, now)
        self._next = now + self._pause(now)
        most = self.config.most_steps
        if pace.changes == ((0, 0.0, most),) and now < SPARE * self.end:
            return pace
        last = self._last_step(pace, done, now)
        if most is not None:
            last = min(last, max(done, most))
        if last == done or abs(last - pace.last) > TOLERANCE * (pace.last - done):
            return pace.changed(done, last=last)
        return pace

    def _last_step(self, pace: Pace, done: int, now: float) -> int:
        """The number of steps at the end of the time, with the evaluations that are to come."""
        left, parts, every = self.end - now, self.config.evaluations, self.config.eval_every
        if every is None:
            evaluations = max(1, parts - int(parts * pace.after(done)))
            return done + max(0, round((left - evaluations * self.evaluation) / self._step))
        step = self._step + self.evaluation / every
        return done + max(0, round((left - self.evaluation) / step))

    def _measure(self, done: int, now: float) -> None:
        """Enter the steps since the last look at the clock.

        The speed that matters is that of the time to come. The best guess is the speed of as long
        ago, or of a half: the mean fades with that time.
        """
        steps, seconds = done - self._done, max(1e-9, now - self._now - self._evaluated)
        self._done, self._now, self._evaluated = done, now, 0.0
        self._measured += seconds
        recent = max(RECENT_SECONDS, RECENT_LEFT * (self.end - now))
        weight = max(1 - math.exp(-seconds / recent), seconds / self._measured)
        self._step += weight * (seconds / steps - self._step)

    def _pause(self, now: float) -> float:
        """The seconds to the next look at the clock."""
        longest = max(CHECK_SECONDS, CHECK_SHARE * self.end)
        return max(0.0, min(longest, CHECK_LEFT * (self.end - now)))
