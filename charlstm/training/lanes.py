"""The order in which the training text is read: lanes side by side, window after window."""

import random
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from charlstm.vocab import Ids


@dataclass(frozen=True)
class Lanes:
    """The text as a ring, cut into ``batch_size`` lanes that are read in step.

    The window of a step continues that of the step before, so a carried state stays true. Each
    epoch cuts the ring at another place, drawn from ``random_seed`` and the epoch alone: the
    place in the data is known from the step, and a resumed run needs nothing else.
    """

    ids: Ids
    batch_size: int
    seq_length: int
    random_seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Windows in a lane; what does not fill one is left to the next epoch's cut."""
        return max(1, len(self.ids) // self.batch_size // self.seq_length)

    def starts_epoch(self, step: int) -> bool:
        """Whether the window of ``step`` (from 0) continues none, so that the state is zero."""
        return step % self.steps_per_epoch == 0

    def places(self, step: int) -> npt.NDArray[np.int64]:
        """Where in ``ids`` the window of ``step`` (from 0) is, and the ids that follow it.

        Shape (seq_length + 1, B).
        """
        epoch, place = divmod(step, self.steps_per_epoch)
        n = len(self.ids)
        cut = random.Random(f"{self.random_seed} {epoch}").randrange(n)
        lanes = cut + np.arange(self.batch_size) * (n // self.batch_size)  # (B,)
        times = place * self.seq_length + np.arange(self.seq_length + 1)  # (T + 1,)
        places: npt.NDArray[np.int64] = (lanes + times[:, None]) % n
        return places
