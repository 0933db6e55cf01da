"""What a run remembers of itself, to judge how it goes; plain numbers, no torch."""

import math
from dataclasses import dataclass, field

OVERFITTING = 1.003  # times the best validation loss; less is chance
EXPLODED = 2.0  # nats above the best and above guessing blindly: no step of learning goes there
COLLAPSED = 0.75  # of the way from the lowest loss back to that of character frequencies
LEAST_LEARNED = 0.5  # nats below the frequencies; a network that learned less cannot lose much
SKIPS = 5  # steps in a row without a finite gradient: the weights are spoiled


@dataclass(frozen=True)
class Levels:
    """What the losses of a run are held against; nats per character."""

    uniform: float  # of guessing blindly, every character alike
    frequencies: float  # of knowing how frequent each character is, and nothing else
    window: int  # steps that have read enough of the text for their mean to be no chance


@dataclass(frozen=True)
class KeptModel:
    """The model in the run directory: its step, and its validation loss in nats per character.

    A run that was killed may find a model there that is newer than its last state, so what is kept
    is compared with this and not with what the state says.
    """

    step: int
    val_loss: float | None  # None where nothing is held back

    def gives_way_to(self, other: "KeptModel") -> bool:
        """Whether ``other`` is to be kept instead: if its loss is lower, without losses if later.

        >>> KeptModel(580, 1.628).gives_way_to(KeptModel(1622, 1.72))
        False
        """
        if self.val_loss is None or other.val_loss is None:
            return other.step > self.step
        return other.val_loss < self.val_loss


@dataclass
class Books:
    """Losses in nats per character; inf or nan before there is one."""

    seconds: float = 0.0  # spent before this process, or before its first step
    best_loss: float = math.inf  # of the validation text
    best_step: int = 0  # 0: nothing evaluated yet
    best_train_loss: float = math.nan  # the training loss at that time
    val_loss: float = math.nan  # of the last evaluation
    train_loss: float = math.nan
    lowest_train_loss: float = math.inf  # of a stretch between two looks
    window_total: float = 0.0  # of losses since the last full window of steps,
    window_steps: int = 0  # and how many those are
    lowest_window_loss: float = math.inf
    evaluations_since_best: int = 0
    loss_total: float = 0.0  # of the steps since the last evaluation,
    loss_steps: int = 0  # and how many those are
    skipped_in_a_row: int = 0
    rollbacks: int = 0
    lengthened_at: list[int] = field(default_factory=list)  # steps where a new length was given

    def looked(self, mean: float, taken: int, skipped: int, levels: Levels) -> bool:
        """Enter a stretch of steps, and whether it calls for going back.

        ``mean`` is the loss of the steps ``taken``. A loss that is high from the start, as on an
        alphabet that is new to the model, is no explosion.
        """
        self.skipped_in_a_row = 0 if taken else self.skipped_in_a_row + skipped
        exploded = mean > max(levels.uniform, self.lowest_train_loss) + EXPLODED
        if taken and not exploded:
            self.loss_total += mean * taken
            self.loss_steps += taken
            self.lowest_train_loss = min(self.lowest_train_loss, mean)
            # No step counts for more, so that a few on a strange passage do not decide.
            self.window_total += min(mean, levels.frequencies) * taken
            self.window_steps += taken
        if exploded or self.skipped_in_a_row >= SKIPS or self._window_collapsed(levels):
            self.rollbacks += 1
            self.skipped_in_a_row = 0
            self.loss_total, self.loss_steps = 0.0, 0
            self.window_total, self.window_steps = 0.0, 0
            return True
        return False

    def collapsed(self, loss: float, levels: Levels) -> bool:
        """Whether ``loss`` is as if most of what was learned were lost again.

        A loss that rises with the learning rate does not go so far; that of a network whose gates
        are all stuck does, and stays there.
        """
        learned = levels.frequencies - self.lowest_window_loss
        return learned > LEAST_LEARNED and loss > levels.frequencies - (1 - COLLAPSED) * learned

    def _window_collapsed(self, levels: Levels) -> bool:
        """Whether a window of steps has come to its end, with such a loss in the mean."""
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

    def evaluated(self, step: int, val_loss: float | None) -> bool:
        """Enter an evaluation, None where nothing is held back; whether it is the best."""
        self.train_loss = self.mean_loss()
        self.loss_total, self.loss_steps = 0.0, 0
        best = val_loss is None or val_loss < self.best_loss
        self.val_loss = math.nan if val_loss is None else val_loss
        self.evaluations_since_best = 0 if best else self.evaluations_since_best + 1
        if best:
            self.best_step = step
            self.best_loss = math.inf if val_loss is None else val_loss
            self.best_train_loss = self.train_loss
        return best

    def out_of_patience(self, patience: int) -> bool:
        """Whether ``patience`` evaluations, if that is any, have passed without a better one."""
        return 0 < patience <= self.evaluations_since_best

    @property
    def overfitting(self) -> bool:
        """Whether the training loss went on falling after the validation loss was at its best."""
        worse = self.val_loss > OVERFITTING * self.best_loss
        return worse and self.train_loss < self.best_train_loss
