"""How surprising a text is to a model, character by character."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from charlstm.analysis.segments import (
    GROUP,
    WARM_UP,
    Plan,
    Values,
    grouped,
    read_segments,
    walk,
)
from charlstm.generation.sampling import surprisal, too_large
from charlstm.model.lstm import LSTMState
from charlstm.model.model_file import ModelFile
from charlstm.text.vocabulary import Ids


@dataclass(frozen=True)
class Score:
    """The surprisal of a text: ``bits``, (characters,), are -log2 of each probability.

    ``bits_per_char`` and ``loss`` are None for an empty text.
    """

    text: str
    bits: npt.NDArray[np.float64] = field(repr=False)

    @property
    def characters(self) -> int:
        """How many characters the text has."""
        return len(self.text)

    @property
    def bits_per_char(self) -> float | None:
        """The mean surprisal in bits; it is small for a text that resembles the corpus."""
        return float(self.bits.mean()) if self.text else None

    @property
    def loss(self) -> float | None:
        """The mean surprisal in nats, as training reports it."""
        return None if self.bits_per_char is None else self.bits_per_char * math.log(2)


def score(model: ModelFile, text: str) -> Score:
    """The surprisal of each character of ``text``, given the characters before it.

    The text is read as the beginning of a line (``before_line``). Raises UnknownCharacterError,
    and ModelFileError if the weights are too large to compute with.
    """
    blocks = [model.vocabulary.encode(text)]
    parts = [np.empty(0), *(v[:, 0] for v in surprisals(model, blocks, before_line(model, text)))]
    return Score(text, np.concatenate(parts))


def before_line(model: ModelFile, text: str) -> Ids:
    """What the network reads before ``text``, the beginning of a line: a line end, (1,).

    That is nothing, (0,), if the text begins with a line end itself, or if the model knows none.
    """
    starts_line = "\n" in model.vocabulary and not text.startswith("\n")
    return model.vocabulary.encode("\n" if starts_line else "")


def surprisals(
    model: ModelFile,
    blocks: Iterable[Ids],
    before: Ids,
    *,
    window: int | None = None,
    exact: bool = False,
) -> Iterator[Values]:
    """Surprisal in bits, and rank, of each character of a text that comes in ``blocks``: (N, 2).

    The rank is the number of characters that were more probable, or equally, with a lower id. The
    text is read in groups, each in segments (``Plan.fast``); with ``exact`` in one walk from its
    beginning to its end; and with a ``window`` of at most GROUP characters in segments of this
    length that know nothing but the one character before them.
    ``before`` is what the network reads before the text. Memory does not grow with the text.
    Raises ModelFileError if the weights are too large to compute with.
    """
    state = LSTMState(model.lstm)
    if exact:
        for i in before:
            state.read(i)
    for ids in grouped(blocks, GROUP // window * window if window else GROUP):
        if exact:
            values = walk(state, ids, surprising)
        else:
            plan = Plan(window, 1) if window else Plan.fast(len(ids))
            values = read_segments(model.lstm, before, ids, surprising, plan)
            before = np.concatenate((before, ids))[-WARM_UP:]
        if not np.isfinite(values).all():
            raise too_large()
        yield values


def surprising(state: LSTMState, ids: npt.NDArray[np.integer]) -> Values:
    """Surprisal in bits, and rank, of the next characters, (..., 2), which the state reads then."""
    logits = state.logits()  # (..., V)
    own = np.asarray(ids)[..., None]
    chosen = np.take_along_axis(logits, own, axis=-1)
    # Of equally probable characters greedy generation takes the one with the lowest id.
    ahead = (logits > chosen) | (logits == chosen) & (np.arange(logits.shape[-1]) < own)
    values = np.stack((surprisal(logits, ids), ahead.sum(axis=-1)), axis=-1)
    state.read(ids)
    return values
