"""Cells that know something: for each property of a text, the cell whose value tells it best.

A cell is chosen on the first half of the text, and scored on the second half, which was held back.
Karpathy, Johnson and Li 2015 (arXiv 1506.02078) found such cells by eye.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from charlstm.analysis.properties import Property
from charlstm.analysis.score import finite
from charlstm.analysis.segments import (
    WARM_UP,
    ChosenIds,
    Measure,
    Plan,
    Values,
    grouped,
    read_segments,
)
from charlstm.errors import CorpusError
from charlstm.generation.text_stream import before_line
from charlstm.model.lstm import LSTMState
from charlstm.model.model_file import ModelFile
from charlstm.parallel import Progress, counted
from charlstm.text.vocabulary import Ids

LEAST_CHARACTERS = 8_000  # in a shorter text chance alone finds too much
LEAST_SCORE = 0.1  # below it, a cell tells less than a hundredth of the property's variance
NEAREST_SHIFT = 1_000  # a property that is shifted by less may still go together with the cell
GROUP_VALUES = 1 << 23  # values of cells in memory together: about 300 MB while they are summed
PASSAGE = 70  # characters shown of the text
LEAST_VARIANCE = 1e-10  # of a value from -1 to 1; below it, rounding errors would correlate

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class FoundCell:
    """The cell whose value tells a property best, and how well it does on the held-back half.

    - ``property_name`` says which property it is.
    - ``layer`` and ``unit`` count from 1. ``direction`` is 1 if tanh(c) is high where the property
      is, and -1 if it is low there.
    - ``score`` is the Pearson correlation of tanh(c), times ``direction``, with the property.
    - ``chance`` is the highest correlation, up or down, that the cell has with the property when it
      is shifted along the text, by any number of characters from 1,000 on.
    - ``accuracy`` is None for a property that is a number. For one that is yes or no, it is the
      balanced accuracy, the mean of the shares of yes and of no that are told right, with a
      threshold midway between the means of both in the first half. By chance it is 0.5.
    - ``passage`` is a part of the held-back half that shows it well, at the offset ``position`` in
      the text, and ``values`` are tanh(c) at each of its characters.
    """

    property_name: str
    layer: int
    unit: int
    direction: int
    score: float
    chance: float
    accuracy: float | None
    position: int
    passage: str
    values: tuple[float, ...] = field(repr=False)

    @property
    def found(self) -> bool:
        """Whether the score is above chance, and at least LEAST_SCORE; if not, no cell tells it."""
        return self.score > self.chance and self.score >= LEAST_SCORE


@dataclass(frozen=True)
class Choice:
    """For each of P properties the cell that tells it best: numbers of cells from 0, (P,).

    ``direction`` and ``threshold``, (P,), are those of ``FoundCell``.
    """

    cells: npt.NDArray[np.intp]
    direction: Numbers
    threshold: Numbers


def find_cells(
    model: ModelFile,
    text: str,
    properties: Sequence[Property],
    notes: list[str] | None = None,
    progress: Progress | None = None,
) -> list[FoundCell]:
    """For each property the cell that tells it best, the highest score first.

    A property that is the same everywhere in one half of the text is left out, and ``notes`` gets
    a line that says so. ``progress`` gets the number of characters that are read, from the threads
    that read them. Raises UnknownCharacterError, CorpusError for a text of fewer than
    LEAST_CHARACTERS, and ModelFileError if the weights are too large to compute with.
    """
    if len(text) < LEAST_CHARACTERS:
        raise CorpusError(
            f"the length of the text is {len(text):,}; to find cells takes {LEAST_CHARACTERS:,} "
            f"characters or more, because in a shorter text chance finds them too"
        )
    ids, half = model.vocabulary.encode(text), len(text) // 2
    kept, known = _varying(properties, text, half, [] if notes is None else notes)
    if not kept:
        return []
    read = counted(progress, len(ids))
    choice = choose(_cell_values(model, before_line(model, text), ids[:half], read), known[:half])
    groups = list(_cell_values(model, ids[:half], ids[half:], read, choice.cells))
    held_back = _HeldBack(text, half, np.concatenate(groups).astype(np.float64), known[half:])
    H = model.config.hidden_size
    found = [_scored(one, p, choice, held_back, H) for p, one in enumerate(kept)]
    return sorted(found, key=lambda cell: -cell.score)


def choose(groups: Iterator[Values], known: Numbers) -> Choice:
    """The cells, of K, whose values go together best with the properties.

    The values of the cells, (N, K), come in ``groups`` of characters one after the other;
    ``known``, (characters, P), has the values of the properties. Memory does not grow with the
    number of characters.
    """
    n, P = known.shape
    start = 0
    x, xx, xy = np.zeros(1), np.zeros(1), np.zeros((1, P))  # sums over characters, (K,) and (K, P)
    for group in groups:
        values = group.astype(np.float64)
        x = x + values.sum(axis=0)
        xx = xx + np.einsum("nk,nk->k", values, values)
        xy = xy + values.T @ known[start : start + len(values)]
        start += len(values)
    y = known.sum(axis=0)  # (P,)
    covariance = xy / n - np.outer(x / n, y / n)
    variance = xx / n - (x / n) ** 2  # (K,)
    scale = np.sqrt(np.where(variance > LEAST_VARIANCE, variance, np.inf))[:, None]
    correlation = covariance / (scale * known.std(axis=0))  # (K, P)
    cells = np.abs(correlation).argmax(axis=0)  # (P,)
    best = np.arange(P)
    direction = np.where(correlation[cells, best] < 0, -1.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):  # a number has no threshold
        where_yes = xy[cells, best] / y
        where_no = (x[cells] - xy[cells, best]) / (n - y)
    return Choice(cells, direction, (where_yes + where_no) / 2)


@dataclass(frozen=True)
class _HeldBack:
    """The second half of a text, from ``start`` on: the chosen cells and the properties, (N, P)."""

    text: str
    start: int
    cells: Numbers
    known: Numbers


def _scored(one: Property, p: int, choice: Choice, held_back: _HeldBack, H: int) -> FoundCell:
    """How well the cell that was chosen for property number ``p`` tells it."""
    x, y = held_back.cells[:, p], held_back.known[:, p]
    direction = choice.direction[p]
    correlation = direction * correlations(x, y)
    accuracy = None
    if one.yes_no:
        told = direction * x > direction * choice.threshold[p]
        accuracy = float((told[y == 1].mean() + (~told[y == 0]).mean()) / 2)
    shown = best_passage(held_back.text[held_back.start :], direction * x, y)
    position = held_back.start + shown.start
    return FoundCell(
        property_name=one.name,
        layer=int(choice.cells[p]) // H + 1,
        unit=int(choice.cells[p]) % H + 1,
        direction=int(direction),
        score=float(correlation[0]),
        chance=float(np.abs(correlation[NEAREST_SHIFT : 1 - NEAREST_SHIFT]).max()),
        accuracy=accuracy,
        position=position,
        passage=held_back.text[position : held_back.start + shown.stop],
        values=tuple(x[shown].tolist()),
    )


def correlations(x: Numbers, y: Numbers) -> Numbers:
    """The Pearson correlations of x, (N,), with y shifted by 0 to N - 1 characters, (N,).

    What y loses at one end comes in at the other. All are computed at once, by the theorem of the
    cross-correlation and the fast Fourier transform. They are 0 if x never changes.

    >>> correlations(np.array([0.0, 1, 0, 0]), np.array([1.0, 0, 0, 0])).round(3).tolist()
    [-0.333, 1.0, -0.333, -0.333]
    """
    if x.var() <= LEAST_VARIANCE:
        return np.zeros(len(x))
    x, y = ((values - values.mean()) / values.std() for values in (x, y))
    product = np.fft.rfft(x) * np.conj(np.fft.rfft(y))
    return np.fft.irfft(product, len(x)) / len(x)


def best_passage(text: str, x: Numbers, y: Numbers, length: int = PASSAGE) -> slice:
    """The part of ``text`` in which x and y, (characters,), have the greatest covariance.

    It begins where a line or a word begins, and has ``length`` characters, or fewer if the last
    word would be cut.
    """
    length = min(length, len(text))

    def mean(values: Numbers) -> Numbers:  # of each window
        sums = np.concatenate(([0.0], values.cumsum()))
        return (sums[length:] - sums[:-length]) / length

    covariance = mean(x * y) - mean(x) * mean(y)  # (windows,)
    space = np.array([c.isspace() for c in text])
    begins = ~space & np.concatenate(([True], space[:-1]))
    starts = np.flatnonzero(begins[: len(covariance)])
    start = int(starts[covariance[starts].argmax()]) if len(starts) else int(covariance.argmax())
    ends = np.flatnonzero(space[start : start + length + 1])
    whole = int(ends[-1]) if len(ends) else length
    return slice(start, start + (whole if whole > length // 2 else length))


def _varying(
    properties: Sequence[Property], text: str, half: int, notes: list[str]
) -> tuple[list[Property], Numbers]:
    """The properties that change in both halves of the text, and their values, (characters, P)."""
    kept: list[Property] = []
    columns: list[Numbers] = []
    for one in properties:
        values = one.values(text)
        if all(part.min() < part.max() for part in (values[:half], values[half:])):
            kept.append(one)
            columns.append(values)
        else:
            notes.append(f"{one.name}: left out, because it never changes in one half of the text")
    return kept, np.stack(columns, axis=1) if columns else np.empty((len(text), 0))


def _cell_values(
    model: ModelFile,
    before: Ids,
    ids: Ids,
    read: Callable[[int], None],
    cells: npt.NDArray[np.intp] | None = None,
) -> Iterator[Values]:
    """tanh(c) of all cells, or of some, after each of ``ids``, in groups: (N, K)."""

    def record(state: LSTMState, chosen: ChosenIds) -> Values:
        state.read(chosen)
        values = np.concatenate(state.cell, axis=-1)
        return values if cells is None else values[..., cells]

    measure = Measure(record, lambda values, _: np.tanh(values), read)
    config = model.config
    size = max(LEAST_CHARACTERS, GROUP_VALUES // (config.num_layers * config.hidden_size))
    for group in grouped([ids], size):
        yield finite(read_segments(model.lstm, before, group, measure, Plan.fast(len(group))))
        before = np.concatenate((before, group))[-WARM_UP:]
