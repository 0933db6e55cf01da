"""The losses of a training run over its steps, read from its metrics: ``History``.

The file may come from anyone, and a training may be writing to it. Memory does not grow with it.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from charlstm.checks import shown
from charlstm.errors import CharLSTMError
from charlstm.files import regular_size
from charlstm.model.locate import METRICS_FILE, find_metrics
from charlstm.options import MOST_STEPS

OVERFITTING = 1.003  # times the best validation loss; a smaller rise is chance
MOST_POINTS = 4096  # of a curve in memory: more than any terminal or page shows
LONGEST_LINE = 1 << 16  # bytes; a line with a sample has about 500
LARGEST = 1e12  # no run has a larger loss, or takes so many seconds
NUMBERS = ("epoch", "seconds", "loss", "val_loss", "learning_rate", "characters_per_second")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPoint:
    """One line of the metrics of a run; None stands for what it does not say.

    Losses are in nats per character. ``loss`` is the mean training loss since the last line, and
    ``val_loss``, which only evaluations have, that of the validation text.
    """

    step: int
    epoch: float | None = None
    seconds: float | None = None
    loss: float | None = None
    val_loss: float | None = None
    learning_rate: float | None = None
    characters_per_second: float | None = None
    sample: str | None = None  # a text that the network wrote


@dataclass(frozen=True)
class Curve:
    """The points of a curve, (N,) each: where they are in the run, and the losses there.

    What the metrics do not say is nan.
    """

    steps: npt.NDArray[np.float64]
    epochs: npt.NDArray[np.float64]
    seconds: npt.NDArray[np.float64]
    losses: npt.NDArray[np.float64]


class History:
    """What the metrics of one run say, as far as they were read.

        history = read_history("runs/play")
        history.training.losses  # and .steps, .epochs, .seconds

    ``last`` is the last point, ``last_evaluation`` the last one with a validation loss, and
    ``best`` the one with the lowest. ``damaged`` counts the lines that no run can have written.
    """

    def __init__(self, path: Path) -> None:
        """``path`` is the metrics file, which need not exist yet. Nothing is read here."""
        self.path = path
        self.name = str(path.parent if path.name == METRICS_FILE else path)
        self._begin()

    def _begin(self) -> None:
        """Forget what was read."""
        self.last: LogPoint | None = None
        self.last_evaluation: LogPoint | None = None
        self.best: LogPoint | None = None
        self.overfitting = False
        self.damaged = 0
        self._training, self._validation = _Thinned(), _Thinned()
        self._loss_total, self._loss_steps = 0.0, 0  # since the last evaluation
        self._best = np.inf, np.nan  # the losses of the best evaluation, as ``overfits`` needs them
        self._position, self._in_long_line = 0, False

    def update(self) -> Iterator[LogPoint]:
        """Read what was added to the file since the last call, and yield it point by point.

        A last line without an end is left for the next call: a training may be writing it. If the
        file has become shorter, as when a run is resumed, it is read again from its beginning.
        Raises CharLSTMError for a file that cannot be read.
        """
        try:
            inside = self.path.name == METRICS_FILE  # a directory may come from another person
            size = regular_size(self.path, follow=not inside)
            if size < self._position:
                self._begin()
            with self.path.open("rb") as file:
                file.seek(self._position)
                while line := file.readline(LONGEST_LINE):
                    ended = line.endswith(b"\n")
                    if not ended and len(line) < LONGEST_LINE:
                        break
                    self._position += len(line)
                    whole, self._in_long_line = ended and not self._in_long_line, not ended
                    if not ended:
                        continue
                    point = self._point(line) if whole else None
                    if point is None:
                        self.damaged += 1
                    else:
                        self._add(point)
                        yield point
        except FileNotFoundError:
            return  # a run that has not written a line yet
        except OSError as error:
            fault = f"{self.path}: cannot be read: {error.strerror or error}"
            raise CharLSTMError(fault) from error

    def check(self) -> None:
        """Raise CharLSTMError if no line that was read is sound, so that it is another file."""
        if self.damaged and self.last is None:
            raise CharLSTMError(f"{self.path}: not the metrics of a run; name a run directory")

    @property
    def training(self) -> Curve:
        """The training loss; of a long run the mean of neighbouring points."""
        return self._training.curve()

    @property
    def validation(self) -> Curve:
        """The validation loss; of very many evaluations the mean of neighbouring ones."""
        return self._validation.curve()

    def _point(self, line: bytes) -> LogPoint | None:
        """The point in a line; None for a line that no run can have written after the others."""
        try:
            values = json.loads(line, parse_constant=_not_finite)
            step, sample = values["step"], values.get("sample")
            if type(step) is not int or not self._last_step < step <= MOST_STEPS:
                return None
            if not isinstance(sample, str | None):
                return None
            numbers = {name: _number(values.get(name)) for name in NUMBERS}
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return None
        return LogPoint(step=step, sample=sample, **numbers)

    @property
    def _last_step(self) -> int:
        return self.last.step if self.last else -1

    def _add(self, point: LogPoint) -> None:
        """Enter a point. What is said of overfitting is what the run itself says at its end."""
        if point.loss is not None:
            steps = point.step - max(0, self._last_step)
            self._loss_total += point.loss * steps
            self._loss_steps += steps
            self._training.add(point, point.loss)
        self.last = point
        if point.val_loss is None:
            return
        train_loss = self._loss_total / self._loss_steps if self._loss_steps else np.nan
        self._loss_total, self._loss_steps = 0.0, 0
        self._validation.add(point, point.val_loss)
        self.last_evaluation = point
        losses = point.val_loss, train_loss
        if point.val_loss < self._best[0]:
            self.best, self._best = point, losses
        self.overfitting = overfits(self._best, losses)


def find_history(run: str | os.PathLike[str] | None = None) -> History:
    """The history of a run directory or a metrics file, not read yet; None means the newest run.

    Raises CharLSTMError if there is no such run.
    """
    return History(find_metrics(run))


def read_history(run: str | os.PathLike[str] | None = None) -> History:
    """``find_history``, and what its metrics say now; raises CharLSTMError for any other file."""
    history = find_history(run)
    for _ in history.update():
        pass
    history.check()
    return history


def overfits(best: tuple[float, float], last: tuple[float, float]) -> bool:
    """Whether the training loss went on falling after the validation loss was at its best.

    Both are pairs of the validation loss of an evaluation and the training loss before it.

    >>> overfits((1.5, 1.4), (1.6, 1.2)), overfits((1.5, 1.4), (1.501, 1.2))
    (True, False)
    """
    return last[0] > OVERFITTING * best[0] and last[1] < best[1]


class _Thinned:
    """The points of a curve; those of a long one are merged with their neighbours."""

    def __init__(self) -> None:
        self._rows = np.empty((MOST_POINTS, 4))  # steps, epochs, seconds, losses
        self._size = 0
        self._merged = 1  # how many points make a row
        self._waiting: list[tuple[float, ...]] = []

    def add(self, point: LogPoint, loss: float) -> None:
        where = (point.step, point.epoch, point.seconds)
        self._waiting.append((*(np.nan if value is None else value for value in where), loss))
        if len(self._waiting) < self._merged:
            return
        self._rows[self._size] = np.mean(self._waiting, axis=0)
        self._waiting = []
        self._size += 1
        if self._size == MOST_POINTS:
            self._size //= 2
            self._rows[: self._size] = self._rows.reshape(self._size, 2, 4).mean(axis=1)
            self._merged *= 2

    def curve(self) -> Curve:
        rows = self._rows[: self._size]
        if self._waiting:
            rows = np.vstack((rows, np.mean(self._waiting, axis=0)))
        return Curve(*rows.T.copy())


def _number(value: Any) -> float | None:
    """``value`` if it is a number that a run can have written, or None; else ValueError."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST:
        raise ValueError(shown(value))
    return value


def _not_finite(name: str) -> float:
    raise ValueError(name)
