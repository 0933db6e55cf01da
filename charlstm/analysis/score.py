"""How surprising a text is to a model, character by character."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from charlstm.analysis.segments import (
    GROUP,
    SEGMENT,
    WARM_UP,
    ChosenIds,
    Measure,
    Parts,
    Plan,
    Values,
    begun,
    grouped,
    read_parts,
    read_segments,
    walk,
)
from charlstm.generation.sampling import surprisal, too_large
from charlstm.generation.text_stream import before_line
from charlstm.model.lstm import LSTM, LSTMState
from charlstm.model.model_file import ModelFile
from charlstm.text.vocabulary import Ids

BLOCK = 1 << 16  # characters of texts that are read side by side
LONG = 2 * SEGMENT  # a text of so many characters is read in segments


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
    bits = [part.bits for part in score_pieces(model, [text])]
    return Score(text, np.concatenate([np.empty(0), *bits]))


def score_pieces(model: ModelFile, pieces: Iterable[str]) -> Iterator[Score]:
    """The score of a text that comes in ``pieces``, in parts of its own; memory does not grow."""
    pieces = filter(None, pieces)
    begins = next(pieces, "")
    waiting = [begins]  # what was read, but not scored yet

    def blocks() -> Iterator[Ids]:
        yield model.vocabulary.encode(begins)
        for piece in pieces:
            waiting.append(piece)
            yield model.vocabulary.encode(piece)

    for values in surprisals(model, blocks(), before_line(model, begins)):
        read = "".join(waiting)
        waiting[:] = [read[len(values) :]]
        yield Score(read[: len(values)], values[:, 0])


def score_many(model: ModelFile, texts: Iterable[str]) -> Iterator[Score]:
    """The score of each text, in order, computed side by side on all cores.

    The texts are independent, and a score does not depend on the other texts. Texts of together
    BLOCK characters or more are read at a time. Raises UnknownCharacterError in its turn.
    """
    block: list[str] = []
    count = 0
    for text in texts:
        block.append(text)
        count += len(text) + 1
        if count >= BLOCK:
            yield from _side_by_side(model, block)
            block, count = [], 0
    yield from _side_by_side(model, block)


def _side_by_side(model: ModelFile, texts: list[str]) -> list[Score]:
    """The scores of texts that are read together; long ones are read alone, in segments."""
    scores = [Score("", np.empty(0))] * len(texts)
    # The longest first: so a text stands beside others of about its length.
    order = sorted((i for i, text in enumerate(texts) if text), key=lambda i: -len(texts[i]))
    several = [i for i in order if len(texts[i]) < LONG]
    for i in order[: len(order) - len(several)]:
        scores[i] = score(model, texts[i])
    if several:
        line_end = "\n" if "\n" in model.vocabulary else ""
        joined = "".join(line_end + texts[i] for i in several)
        lengths = np.array([len(texts[i]) for i in several])
        ends = (lengths + len(line_end)).cumsum()
        # The line end before a text is read first, unless the text begins with one itself.
        before = [len(before_line(model, texts[i])) for i in several]
        first = ends - lengths
        parts = Parts(first - before, first, ends)
        ids = model.vocabulary.encode(joined)
        found = read_parts(model.lstm, ids, parts, measure_surprisal(model.lstm))
        for i, values in zip(several, found, strict=True):
            scores[i] = Score(texts[i], finite(values)[:, 0].copy())
    return scores


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
    measure = measure_surprisal(model.lstm)
    state = begun(model.lstm, before if exact else before[:0])
    for ids in grouped(blocks, GROUP // window * window if window else GROUP):
        if exact:
            values = walk(state, ids, measure)
        else:
            plan = Plan(window, 1) if window else Plan.fast(len(ids))
            values = read_segments(model.lstm, before, ids, measure, plan)
            before = np.concatenate((before, ids))[-WARM_UP:]
        yield finite(values)


def finite(values: Values) -> Values:
    """``values``; raises ModelFileError unless all are finite."""
    if not np.isfinite(values).all():
        raise too_large()
    return values


def measure_surprisal(lstm: LSTM) -> Measure:
    """Surprisal in bits, and rank, of each character, (..., 2), with this network."""
    H = lstm.config.hidden_size

    def record(state: LSTMState, ids: ChosenIds) -> Values:
        features = state.features.copy()  # (..., H), of the characters before
        state.read(ids)
        return features

    def compute(features: Values, ids: ChosenIds) -> Values:
        logits = features.reshape(-1, H) @ lstm.output[:H] + lstm.output[H]  # (N, V)
        own = ids.reshape(-1, 1)
        chosen = np.take_along_axis(logits, own, axis=-1)
        # Of equally probable characters greedy generation takes the one with the lowest id.
        ahead = (logits > chosen) | (logits == chosen) & (np.arange(logits.shape[-1]) < own)
        values = np.stack((surprisal(logits, ids.ravel()), ahead.sum(axis=-1)), axis=-1)
        return values.reshape(*ids.shape, 2)

    return Measure(record, compute)
