"""What a run remembers of its losses, and whether it diverged; no torch.

Losses are in nats per character.
"""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from charlstm.analysis.curves import overfits
from charlstm.checks import require_integer, require_number
from charlstm.text.dataset import release
from charlstm.text.vocabulary import Ids
from charlstm.training.batches import Batches

EXPLODED = 2.0  # nats above both the lowest loss and a uniform guess: no step of learning does that
COLLAPSED = 0.75  # of the way from the lowest loss back to that of character frequencies
LEAST_LEARNED = 0.5  # nats below the frequencies; a network that learned less cannot lose much
SKIPS = 5  # steps in a row without a finite gradient: the weights are spoiled
LEAST_WINDOW = 50  # steps
WINDOW_CHARACTERS = 50_000  # about fifty passages, whose mean varies little
COUNTED = 1 << 20  # characters of a large text in which the frequencies are counted
COUNTED_BLOCKS = 64  # pieces that these characters are in, spread over the text


@dataclass(frozen=True)
class StepLosses:
    """What a number of steps came to."""

    mean: float  # of the steps that were taken; nan if there were none
    taken: int
    skipped: int  # steps whose gradient was not finite


@dataclass(frozen=True)
class LossLevels:
    """What the losses of a run are compared with."""

    uniform: float  # the loss if every character is equally likely
    frequencies: float  # the loss if only the frequency of each character is known
    window: int  # steps that read enough of the text for their mean not to be chance


class KeptModel(NamedTuple):
    """The model in the run directory: its step and its validation loss.

    After a crash the model may be newer than the last saved state. So a new model is compared with
    the file itself and not with what the state says.
    """

    step: int
    val_loss: float | None  # None where there is no validation text

    def better_than(self, other: "KeptModel | None") -> bool:
        """Whether this model has the lower loss, or is the later one where there are no losses.

        Any model with a finite loss is better than none.

        >>> KeptModel(1622, 1.72).better_than(KeptModel(580, 1.628))
        False
        """
        if self.val_loss is None:
            return other is None or self.step > other.step
        lowest = math.inf if other is None or other.val_loss is None else other.val_loss
        return self.val_loss < lowest  # False also where it is not finite


def loss_levels(batches: Batches, vocab_size: int) -> LossLevels:
    """What the losses of a run that reads these batches are compared with."""
    step = batches.batch_size * batches.seq_length
    window = min(batches.steps_per_pass, WINDOW_CHARACTERS // step)
    return LossLevels(
        uniform=math.log(vocab_size),
        frequencies=_entropy(batches.ids, vocab_size),
        window=max(LEAST_WINDOW, window),
    )


def _entropy(ids: Ids, vocab_size: int) -> float:
    """Nats per character if only its frequency is known; a large text is sampled."""
    if len(ids) <= COUNTED:
        counts = np.bincount(ids, minlength=vocab_size)
    else:
        size = COUNTED // COUNTED_BLOCKS
        counts = np.zeros(vocab_size, np.int64)
        for start in np.linspace(0, len(ids) - size, COUNTED_BLOCKS).astype(int):
            counts += np.bincount(ids[start : start + size], minlength=vocab_size)
            release(ids)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


@dataclass
class RunHistory:
    """What a run has to know of its own past; losses are inf or nan before there is one."""

    seconds: float = 0.0  # that the run has taken
    best_loss: float = math.inf  # of the validation text
    best_train_loss: float = math.nan  # the training loss at that time
    val_loss: float = math.nan  # of the last evaluation
    train_loss: float = math.nan  # between the last two evaluations
    lowest_train_loss: float = math.inf  # between two log points
    window_total: float = 0.0  # sum of the losses since the last full window
    window_steps: int = 0  # number of steps since the last full window
    lowest_window_loss: float = math.inf
    evaluations_since_best: int = 0
    loss_total: float = 0.0  # sum of the losses since the last evaluation
    loss_steps: int = 0  # number of steps since the last evaluation
    skipped_in_a_row: int = 0
    rollbacks: int = 0
    evaluated: int = 0  # steps done at the last evaluation

    def to_json(self) -> dict[str, Any]:
        """The fields; a loss that is not finite, which JSON has no number for, as a text."""
        return {
            name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "RunHistory":
        """What ``to_json`` gave; ValueError, KeyError or TypeError for anything else."""
        found: dict[str, Any] = {}
        for name, kind in ((field.name, field.type) for field in fields(cls)):
            value = values[name]
            if kind is int:
                found[name] = require_integer(name, value)
            else:
                found[name] = float(value)
        require_number("seconds", found["seconds"], least=0)
        if math.isnan(found["best_loss"]):
            raise ValueError("best_loss is no number")
        return cls(**found)

    def add_steps(self, losses: StepLosses, levels: LossLevels) -> bool:
        """Enter the steps since the last log point; whether the run diverged in them.

        A loss that is high from the start does not count as diverged: it may be that of a model
        that meets a new alphabet.
        """
        mean, taken = losses.mean, losses.taken
        self.skipped_in_a_row = 0 if taken else self.skipped_in_a_row + losses.skipped
        exploded = mean > max(levels.uniform, self.lowest_train_loss) + EXPLODED
        if taken and not exploded:
            self.loss_total += mean * taken
            self.loss_steps += taken
            self.lowest_train_loss = min(self.lowest_train_loss, mean)
            # Limited, so that a few steps on an unusual passage do not decide.
            self.window_total += min(mean, levels.frequencies) * taken
            self.window_steps += taken
        if exploded or self.skipped_in_a_row >= SKIPS or self._window_collapsed(levels):
            self.rollbacks += 1
            self.skipped_in_a_row = 0
            self.loss_total, self.loss_steps = 0.0, 0
            self.window_total, self.window_steps = 0.0, 0
            return True
        return False

    def collapsed(self, loss: float, levels: LossLevels) -> bool:
        """Whether ``loss`` is so high that most of what was learned is lost.

        A loss that rises with the learning rate does not come so high. That of a network whose
        gates are all stuck does, and stays there.
        """
        learned = levels.frequencies - self.lowest_window_loss
        return learned > LEAST_LEARNED and loss > levels.frequencies - (1 - COLLAPSED) * learned

    def _window_collapsed(self, levels: LossLevels) -> bool:
        """Whether a window of steps is full and its mean loss is so high."""
        if self.window_steps < levels.window:
            return False
        loss = self.window_total / self.window_steps
        self.window_total, self.window_steps = 0.0, 0
        if self.collapsed(loss, levels):
            return True
        self.lowest_window_loss = min(self.lowest_window_loss, loss)
        return False

    def mean_loss(self) -> float:
        """The training loss since the last evaluation."""
        return self.loss_total / self.loss_steps if self.loss_steps else math.nan

    def add_evaluation(self, val_loss: float | None, step: int) -> bool:
        """Enter an evaluation, None where there is no validation text; whether it is the best."""
        self.evaluated = step
        self.train_loss = self.mean_loss()
        self.loss_total, self.loss_steps = 0.0, 0
        best = val_loss is None or val_loss < self.best_loss
        self.val_loss = math.nan if val_loss is None else val_loss
        self.evaluations_since_best = 0 if best else self.evaluations_since_best + 1
        if best:
            self.best_loss = math.inf if val_loss is None else val_loss
            self.best_train_loss = self.train_loss
        return best

    def out_of_patience(self, patience: int) -> bool:
        """Whether ``patience`` evaluations, if not 0, have passed without improvement."""
        return 0 < patience <= self.evaluations_since_best

    @property
    def overfitting(self) -> bool:
        """Whether the training loss went on falling after the validation loss was at its best."""
        best = self.best_loss, self.best_train_loss
        return overfits(best, (self.val_loss, self.train_loss))
