"""How many threads a run computes with: one, or all that it may have, whichever is faster now.

The threads of a step wait for each other after every product. If another program takes the core of
one of them, all wait, and a step takes many times as long as on one thread.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

GAIN = 1.1  # all threads must be so many times as fast as one, since they leave no core to others
FALLEN = 2.0  # times as long as before: then one thread may be faster
RETRY_SECONDS = 30.0  # on one thread, until all are tried again; twice as long after each failure
LAST_TRIAL = 0.75  # of the time: what a trial finds is of no use to a run that is about to end
MOST_PER_CORE = 4


def most_threads() -> int:
    """As many as are of any use here; a state or a pace may be from a larger machine, or a lie."""
    return MOST_PER_CORE * (os.cpu_count() or 1)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch compute with so many threads in the block, and as before after it.

    The number is that of the whole process, and outside the block it is what the caller set. Two
    threads of a process would change it for each other, so one of them trains at a time. It is
    never many more than there are cores.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(min(count, most_threads()))
    try:
        yield
    finally:
        torch.set_num_threads(before)


class ThreadChooser:
    """Decides during a run whether it goes on with one thread or with ``most``."""

    def __init__(self, most: int, count: int, *, step: float, now: float, end: float) -> None:
        """The run begins with ``count`` threads, of which a ``step`` takes so many seconds.

        ``now`` is how much of its time is spent, and ``end`` when it is over.
        """
        self.most, self.count = most, count
        self._usual = step  # seconds of a step with these threads, at their best
        self._before: float | None = None  # during a trial: seconds with the other number
        self._pause = RETRY_SECONDS
        self._retry, self._last_trial = now + self._pause, LAST_TRIAL * end

    def look(self, step: float, now: float) -> int:
        """The threads to go on with, where a step took so many seconds since the last look."""
        if self._before is not None:
            self._end_trial(self._before, step, now)
        elif self.count > 1 and step > FALLEN * self._usual:
            self._try(1, step)
        elif self.count == 1 < self.most and self._retry <= now < self._last_trial:
            self._try(self.most, step)
        else:
            self._usual = min(self._usual, step)
        return self.count

    @property
    def trying(self) -> bool:
        """Whether the threads are those of a trial."""
        return self._before is not None

    @property
    def expected(self) -> float:
        """The seconds that a step is expected to take after a change, before any is done."""
        if self._before is None:
            return self._usual
        return min(self._before, self.most * self._usual)

    def _try(self, count: int, step: float) -> None:
        self.count, self._before = count, step

    def _end_trial(self, before: float, step: float, now: float) -> None:
        """Keep the other number of threads if it is faster."""
        one, several = (before, step) if self.count > 1 else (step, before)
        faster = self.most if GAIN * several < one else 1
        if self.count > 1 and faster == 1:
            self._pause *= 2
        self._usual = step if faster == self.count else before
        self.count, self._before, self._retry = faster, None, now + self._pause
