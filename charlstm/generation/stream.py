"""One text under way: what the network has read of it, and the draw of what comes next.

Characters are ids here. When a text ends, and what of it is shown, is ``text_stream``'s.
"""

import math
import os
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from charlstm.generation.sampling import Logits, Recent, Sampling, sample
from charlstm.model.lstm import Array, Network, Recurrence, State
from charlstm.model.model_file import ModelFile

QUIET: Any = {"all": "ignore"}  # weights too large are found when a character is drawn


@dataclass(frozen=True)
class Reading:
    """What a network knows after the characters it has read; arrays that nobody changes.

    ``features``, (H,), is what the next character is predicted from; ``recent`` has the ids last
    read, as many as a penalty, a stop text or a filter looks at; ``characters`` counts all that
    were read; the last ``generated`` of them were drawn, one after the other.
    """

    state: State
    features: Array
    recent: tuple[int, ...] = ()
    characters: int = 0
    generated: int = 0


class Stream:
    """Reads ids, and draws the one that follows; memory does not grow with the text."""

    def __init__(
        self,
        network: Network,
        sampling: Sampling,
        numbers: random.Random,
        reading: Reading | None = None,
        *,
        window: int = 0,
    ) -> None:
        """Go on from ``reading``, or begin anew; the draws come from ``numbers.random()``.

        The last ``window`` ids are remembered, or as many as the repetition penalty needs.
        """
        self._sampling = sampling
        self._uniform = numbers.random
        self._recurrence = Recurrence(network)
        penalised = sampling.repetition_window
        self._recent = deque(reading.recent if reading else (), maxlen=max(window, penalised))
        self._forgetful = sampling.repetition_penalty != 1 and window > penalised
        self._characters = reading.characters if reading else 0
        self._generated = reading.generated if reading else 0
        if reading:
            self._recurrence.load(reading.state, reading.features)
        self._unread: int | None = None  # drawn, and read only once something depends on it
        self.bits = 0.0  # of the character last drawn, where they are asked for

    def read(self, ids: Iterable[int]) -> None:
        """Read characters that are given."""
        with np.errstate(**QUIET):
            self._catch_up()
            for i in ids:
                self._unread = int(i)
                self._catch_up()
                self._generated = 0

    def draw(self, *, measure: bool = False) -> int:
        """The id of the next character, which counts as read.

        With ``measure``, ``bits`` is then its surprise. Raises ModelFileError where weights are
        too large to compute with; numpy may warn of them before, and to keep it quiet here would
        take a fiftieth of the time.
        """
        self._catch_up()
        logits = self._recurrence.logits()
        recent: Recent = self._recent
        if self._forgetful:  # the penalty looks less far back than what is remembered
            recent = tuple(recent)[-self._sampling.repetition_window :]
        chosen = sample(logits, self._sampling, uniform=self._uniform(), recent=recent)
        if measure:
            self.bits = bits(logits, chosen)
        self._unread = chosen
        self._generated += 1
        return chosen

    def logits(self) -> Array:
        """The score of each next character, (V,)."""
        with np.errstate(**QUIET):
            self._catch_up()
            return self._recurrence.logits()

    def reading(self) -> Reading:
        """All that is needed to go on from here in another stream."""
        with np.errstate(**QUIET):
            self._catch_up()
        return Reading(
            self._recurrence.state(),
            self._recurrence.features.copy(),
            tuple(self._recent),
            self._characters,
            self._generated,
        )

    def _catch_up(self) -> None:
        if self._unread is not None:
            self._recurrence.read(self._unread)
            self._recent.append(self._unread)
            self._characters += 1
            self._unread = None


def network_of(model: ModelFile) -> Network:
    """The model's network, made ready; weights too large are found when it is used."""
    with np.errstate(**QUIET):
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
    return float(bits_batch(logits[None], np.array([chosen]))[0])


def bits_batch(logits: Logits, chosen: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """The surprise in each row, (B,), of logits (B, V) and of what was chosen, (B,)."""
    scores = logits.astype(np.float64)
    scores -= scores.max(axis=-1, keepdims=True)
    nats = np.log(np.exp(scores).sum(axis=-1)) - scores[np.arange(len(scores)), chosen]
    found: npt.NDArray[np.float64] = nats / math.log(2)
    return found
