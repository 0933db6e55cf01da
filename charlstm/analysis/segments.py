"""A known text read by the network, for speed in segments side by side on all cores.

What is computed at each character is up to the caller: surprisal, or the values of cells.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from threading import Event
from typing import Any

import numpy as np
import numpy.typing as npt

from charlstm.model.lstm import LSTM, TILE, LSTMState
from charlstm.parallel import computed, cores
from charlstm.text.vocabulary import Ids

GROUP = 1 << 20  # characters read together; a longer text is read group by group
WARM_UP = 512  # characters that a segment reads before its first one
SEGMENT = 1024  # characters of a segment, at least; a shorter one would mostly warm up
SEGMENTS = 64  # in a group, at most; more rows are no faster, and so are twice as many warm-ups
ROWS = 32  # segments that a core computes together, the fastest number for 256 units
TOGETHER = 32  # steps whose values are computed together, which is faster than one by one

Values = npt.NDArray[Any]
Positions = npt.NDArray[np.intp]
ChosenIds = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Measure:
    """What is computed at each character of a text, in two parts.

    ``record`` gets the state of some texts and the next id of each, (B,). It lets the state read
    the ids, and returns what is needed of the state, (B, n), as a copy. For one text, B is left
    out. ``compute`` makes values of the records of many steps at once: from (..., n) and the ids,
    (...), to (..., K). ``progress`` is called with the number of characters that a step has read.
    """

    record: Callable[[LSTMState, ChosenIds], Values]
    compute: Callable[[Values, ChosenIds], Values]
    progress: Callable[[int], None] = lambda characters: None


@dataclass(frozen=True)
class Plan:
    """How a group is cut: segments of ``length`` characters, each after ``warm_up`` others.

    A segment knows nothing but its warm-up: the network begins it with an empty state.
    """

    length: int
    warm_up: int

    @classmethod
    def fast(cls, characters: int) -> "Plan":
        """Segments for a group of this size; it depends on nothing else, so results do not."""
        segments = min(SEGMENTS, max(1, characters // SEGMENT))
        return cls(-(-characters // segments), WARM_UP)


def grouped(blocks: Iterable[Ids], size: int = GROUP) -> Iterator[Ids]:
    """The ids of all blocks, in groups of exactly ``size``; only the last one may be smaller."""
    waiting: list[Ids] = []
    count = 0
    for block in blocks:
        while len(block):
            part, block = block[: size - count], block[size - count :]
            waiting.append(part)
            count += len(part)
            if count == size:
                yield np.concatenate(waiting)
                waiting, count = [], 0
    if waiting:
        yield np.concatenate(waiting)


def begun(lstm: LSTM, ids: Ids) -> LSTMState:
    """The state of one text that begins with these ids."""
    state = LSTMState(lstm)
    with np.errstate(all="ignore"):
        for i in ids:
            state.read(i)
    return state


def walk(state: LSTMState, ids: Ids, measure: Measure) -> Values:
    """The values at each of ``ids``, read one after the other from this state on: (N, K)."""

    def steps() -> Iterator[tuple[Values, ChosenIds]]:
        for i in ids:
            yield measure.record(state, i), i
            measure.progress(1)

    return _computed(steps(), measure)


def read_segments(lstm: LSTM, before: Ids, ids: Ids, measure: Measure, plan: Plan) -> Values:
    """The values at each of ``ids``, (N, K), computed in segments on all cores.

    ``before`` is what comes before the first of ``ids``: of it at most the length of the warm-up
    is read.
    """
    before = before[max(0, len(before) - plan.warm_up) :]
    text = np.concatenate((before, ids))
    first = len(before) + np.arange(0, len(ids), plan.length)  # position of each segment
    if len(first) == 1:  # a batch would compute TILE texts for this one
        return walk(begun(lstm, before), ids, measure)
    starts, ends = np.maximum(0, first - plan.warm_up), np.minimum(first + plan.length, len(text))
    return np.concatenate(read_parts(lstm, text, Parts(starts, first, ends), measure))


@dataclass(frozen=True)
class Parts:
    """Parts of a text that are read side by side, each from an empty state: (N,) positions.

    A part is read from ``starts`` to ``ends``, and has values from ``first`` on.
    """

    starts: Positions
    first: Positions
    ends: Positions

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, some: slice) -> "Parts":
        return Parts(self.starts[some], self.first[some], self.ends[some])


def read_parts(lstm: LSTM, text: Ids, parts: Parts, measure: Measure) -> list[Values]:
    """The values at each id of each part, (length, K) for each, computed on all cores.

    Those that stand side by side are computed together until the longest of them ends. The
    others do not change the values of a part (``charlstm.generation.batch``).
    """
    rows = min(ROWS, TILE * -(-len(parts) // (TILE * cores())))
    chunks = [parts[i : i + rows] for i in range(0, len(parts), rows)]
    _ = lstm.blocks  # computed once, before several threads use them

    def work(chunk: Parts, abandoned: Event) -> list[Values]:
        return _chunk(lstm, text, chunk, measure, abandoned)

    return list(chain.from_iterable(computed(work, chunks)))


def _chunk(lstm: LSTM, text: Ids, parts: Parts, measure: Measure, abandoned: Event) -> list[Values]:
    """The values of some parts, computed together."""
    B = TILE * -(-len(parts) // TILE)
    spare = (0, B - len(parts))  # rows to spare repeat the last part
    starts, first = (np.pad(p, spare, mode="edge") for p in (parts.starts, parts.first))
    lengths = parts.ends - parts.first

    def steps() -> Iterator[tuple[Values, ChosenIds]]:
        state = LSTMState(lstm, B)
        for t in range(-int((first - starts).max()), int(lengths.max())):
            if abandoned.is_set():
                return
            # Before its start a part has nothing: what is read there is forgotten again. After its
            # end any character will do.
            positions = first + t
            ids = text.take(positions, mode="clip")
            if t < 0:
                state.read(ids)
                state.clear(np.flatnonzero(positions < starts))
            else:
                yield measure.record(state, ids), ids
                measure.progress(int((lengths > t).sum()))

    together = _computed(steps(), measure)  # (longest, B, K)
    return [together[:length, row] for row, length in enumerate(lengths)]


def _computed(steps: Iterator[tuple[Values, ChosenIds]], measure: Measure) -> Values:
    """The values of steps, each a record and its ids: (steps, ..., K)."""
    values: list[Values] = []
    with np.errstate(all="ignore"):  # weights that are too large are the caller's to find
        while block := list(islice(steps, TOGETHER)):
            records, ids = zip(*block, strict=True)
            values.append(measure.compute(np.stack(records), np.stack(ids)))
    return np.concatenate(values)
