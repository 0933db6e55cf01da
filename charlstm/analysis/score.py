"""How surprising a text is to a model, character by character."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain

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
from charlstm.parallel import Progress, counted
from charlstm.text.vocabulary import Ids

BLOCK = 1 << 16  # characters of texts that are read side by side
LONG = 2 * SEGMENT  # a text of so many characters is read in segments


@dataclass(frozen=True)
class Score:
    """The surprisal of a text: ``bits``, (characters,), are -log2 of each probability.

    A character that the model does not know has the surprisal of the least probable one that it
    knows, and ``is_unknown``, (characters,), says which these are. ``bits_per_char`` and ``loss``
    are None for an empty text.
    """

    text: str
    bits: npt.NDArray[np.float64] = field(repr=False)
    is_unknown: npt.NDArray[np.bool_] = field(repr=False)

    @property
    def characters(self) -> int:
        """How many characters the text has."""
        return len(self.text)

    @property
    def unknown(self) -> float:
        """The share of the characters that the model does not know."""
        return float(self.is_unknown.mean()) if self.text else 0.0

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

    The text is read as the beginning of a line (``before_line``). Raises ModelFileError if the
    weights are too large to compute with.
    """
    values = [
        np.empty((0, 2)),
        *surprisals(model, _marked(model, [text]), before_line(model, text)),
    ]
    return _scored(model, text, np.concatenate(values))


def score_pieces(
    model: ModelFile, pieces: Iterable[str], progress: Progress | None = None
) -> Iterator[Score]:
    """The score of a text that comes in ``pieces``, in parts of its own; memory does not grow.

    ``progress`` gets the number of characters that are read, from the threads that read them.
    """
    pieces = filter(None, pieces)
    begins = next(pieces, "")
    waiting: list[str] = []  # what was read, but not scored yet

    def kept() -> Iterator[str]:
        for piece in chain([begins], pieces):
            waiting.append(piece)
            yield piece

    blocks, read = _marked(model, kept()), counted(progress)
    for values in surprisals(model, blocks, before_line(model, begins), read=read):
        text = "".join(waiting)
        waiting[:] = [text[len(values) :]]
        yield _scored(model, text[: len(values)], values)


def _marked(model: ModelFile, pieces: Iterable[str]) -> Iterator[Ids]:
    """The ids of each piece of a text; unknown characters are marked."""
    return map(model.vocabulary.encode_marked, pieces)


def _scored(model: ModelFile, text: str, values: Values) -> Score:
    """The score of a text from the surprisal and rank of each character."""
    return Score(text, values[:, 0].copy(), values[:, 1] == model.vocabulary.unknown_id)


def score_many(model: ModelFile, texts: Iterable[str]) -> Iterator[Score]:
    """The score of each text, in order, computed side by side on all cores.

    The texts are independent, and a score does not depend on the other texts. Texts of together
    BLOCK characters or more are read at a time.
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
    scores = [_scored(model, "", np.empty((0, 2)))] * len(texts)
    # The longest first: so a text stands beside others of about its length.
    order = sorted((i for i, text in enumerate(texts) if text), key=lambda i: -len(texts[i]))
    several = [i for i in order if len(texts[i]) < LONG]
    for i in order[: len(order) - len(several)]:
        scores[i] = score(model, texts[i])
    if several:
        marked = [model.vocabulary.encode_marked(texts[i]) for i in several]
        read = [without_unknown(model, ids) for ids in marked]
        # The line end before a text is read first, unless the text begins with one itself.
        before = [before_line(model, texts[i]) for i in several]
        ends = np.array([len(b) + len(r) for b, r in zip(before, read, strict=True)]).cumsum()
        first = ends - [len(ids) for ids in read]
        parts = Parts(first - [len(ids) for ids in before], first, ends)
        joined = np.concatenate([*chain.from_iterable(zip(before, read, strict=True))])
        found = read_parts(model.lstm, joined, parts, measure_surprisal(model.lstm))
        for i, ids, values in zip(several, marked, found, strict=True):
            scores[i] = _scored(model, texts[i], with_unknown(model, ids, finite(values)))
    return scores


def surprisals(
    model: ModelFile,
    blocks: Iterable[Ids],
    before: Ids,
    *,
    window: int | None = None,
    exact: bool = False,
    read: Callable[[int], None] = lambda characters: None,
) -> Iterator[Values]:
    """Surprisal in bits, and rank, of each character of a text that comes in ``blocks``: (N, 2).

    The rank is the number of characters that were more probable, or equally, with a lower id. A
    character marked with ``unknown_id`` is not read. It has the surprisal of the least probable
    character at its place, and the rank ``unknown_id``.

    The text is read in groups, each in segments (``Plan.fast``); with ``exact`` in one walk from
    its beginning to its end; and with a ``window`` of at most GROUP characters in segments of this
    length that know nothing but the one character before them.
    ``before`` is what the network reads before the text. ``read`` is called with the number of
    characters that have just been read, from the threads that read them. Memory does not grow with
    the text. Raises ModelFileError if the weights are too large to compute with.
    """
    measure = replace(measure_surprisal(model.lstm), progress=read)
    unknown = model.vocabulary.unknown_id
    before = before[before != unknown]
    state = begun(model.lstm, before if exact else before[:0])

    def values(ids: Ids, known: int) -> Values:
        if not exact:
            plan = Plan(window, 1) if window else Plan.fast(len(ids))
            return read_segments(model.lstm, before, ids, measure, plan)
        walked = [walk(state, ids[:known], measure)] if known else []
        if known < len(ids):  # what stands for the next character does not change the state
            walked.append(walk(state.copy(), ids[known:], measure))
        return np.concatenate(walked)

    for marked in grouped(blocks, GROUP // window * window if window else GROUP):
        ids = without_unknown(model, marked)
        known = int(np.count_nonzero(marked != unknown))
        yield with_unknown(model, marked, finite(values(ids, known)))
        before = np.concatenate((before, ids[:known]))[-WARM_UP:]


def without_unknown(model: ModelFile, marked: Ids) -> Ids:
    """What the network reads of a text: its known characters.

    If the last one of ``marked`` is unknown, there is one more at the end, which stands for
    whatever might come next.
    """
    unknown = marked == model.vocabulary.unknown_id
    ids = marked[~unknown]
    return np.append(ids, ids.dtype.type(0)) if len(marked) and unknown[-1] else ids


def with_unknown(model: ModelFile, marked: Ids, values: Values) -> Values:
    """Surprisal and rank of all characters of ``marked``, (M, 2), from those of the known ones.

    ``values``, (N, 3), are those of ``without_unknown``. An unknown character stands where the next
    known one is predicted, since the state does not move.
    """
    unknown = marked == model.vocabulary.unknown_id
    following = np.cumsum(~unknown) - ~unknown  # the number of known characters before each
    filled: Values = values[following, :2]
    filled[unknown, 0] = values[following[unknown], 2]
    filled[unknown, 1] = model.vocabulary.unknown_id
    return filled


def finite(values: Values) -> Values:
    """``values``; raises ModelFileError unless all are finite."""
    if not np.isfinite(values).all():
        raise too_large()
    return values


def measure_surprisal(lstm: LSTM) -> Measure:
    """Surprisal in bits, rank, and the largest surprisal of any character, (..., 3)."""
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
        bits = surprisal(logits, ids.ravel())
        largest = bits + np.subtract(
            chosen[:, 0], logits.min(axis=-1), dtype=np.float64
        ) / math.log(2)
        return np.stack((bits, ahead.sum(axis=-1), largest), axis=-1).reshape(*ids.shape, 3)

    return Measure(record, compute)
