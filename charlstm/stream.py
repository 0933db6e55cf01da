"""One text under way: what the network has read of it, and the draw of what comes next.

Characters are ids here. When a text ends, and what of it is shown, is ``charlstm.generate``'s.
"""

import math
import os
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from charlstm.checkpoint import Model
from charlstm.lstm import Array, Network, State
from charlstm.sampling import Logits, Sampling, sample


@dataclass(frozen=True)
class Reading:
    """What a network knows after the characters it has read; arrays that nobody changes.

    ``features``, (H,), is what the next character is predicted from; ``recent`` has the ids last
    read, as many as a repetition penalty looks at; ``characters`` counts all that were read.
    """

    state: State
    features: Array
    recent: tuple[int, ...] = ()
    characters: int = 0


class Stream:
    """Reads ids, and draws the one that follows; memory does not grow with the text."""

    def __init__(
        self,
        network: Network,
        sampling: Sampling,
        numbers: random.Random,
        reading: Reading | None = None,
    ) -> None:
        """Go on from ``reading``, or begin anew; the draws come from ``numbers.random()``."""
        if reading is None:
            state = network.zero_state()
            reading = Reading(state, state.hidden[-1])
        self._network = network
        self._sampling = sampling
        self._uniform = numbers.random
        self._state, self._features = reading.state, reading.features
        self._recent = deque(reading.recent, maxlen=sampling.repetition_window)
        self._characters = reading.characters
        self._unread: int | None = None  # drawn, and read only once something depends on it
        self.bits = 0.0  # of the character last drawn, where they are asked for

    def read(self, ids: Iterable[int]) -> None:
        """Read characters that are given."""
        self._catch_up()
        with np.errstate(all="ignore"):  # weights too large are found when a character is drawn
            for i in ids:
                self._features, self._state = self._network.step(int(i), self._state)
                self._recent.append(int(i))
                self._characters += 1

    def draw(self, *, measure: bool = False) -> int:
        """The id of the next character, which counts as read.

        With ``measure``, ``bits`` is then its surprise. Raises ModelFileError where weights are
        too large to compute with.
        """
        logits = self.logits()
        chosen = sample(logits, self._sampling, uniform=self._uniform(), recent=self._recent)
        if measure:
            self.bits = bits(logits, chosen)
        self._unread = chosen
        return chosen

    def logits(self) -> Array:
        """The score of each next character, (V,)."""
        self._catch_up()
        with np.errstate(all="ignore"):
            return self._network.logits(self._features)

    def reading(self) -> Reading:
        """All that is needed to go on from here in another stream."""
        self._catch_up()
        return Reading(self._state, self._features, tuple(self._recent), self._characters)

    def _catch_up(self) -> None:
        if self._unread is not None:
            self._recent.append(self._unread)
            self._characters += 1
            with np.errstate(all="ignore"):
                self._features, self._state = self._network.step(self._unread, self._state)
            self._unread = None


def network_of(model: Model) -> Network:
    """The model's network, made ready; weights too large are found when it is used."""
    with np.errstate(all="ignore"):
        return Network(model.weights, model.config)


def random_numbers(random_seed: int, sample: int = 0) -> random.Random:
    """The generator that text ``sample`` of a random seed draws from.

    Python promises to keep the sequence of its ``random()``, so that seeded texts last.
    """
    return random.Random(random_seed if sample == 0 else f"{random_seed}/{sample}")


def drawn_seed() -> int:
    """A random seed from the system, short enough to be copied by hand."""
    return int.from_bytes(os.urandom(4), "big")


def bits(logits: Logits, chosen: int) -> float:
    """The surprise at a character: -log2 of its probability at temperature 1; logits (V,).

    >>> bits(np.log([0.25, 0.75]), 0)
    2.0
    """
    scores = logits.astype(np.float64)
    scores -= scores.max()
    return float(np.log(np.exp(scores).sum()) - scores[chosen]) / math.log(2)
