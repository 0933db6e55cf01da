"""What a training run tells whoever watches it; plain records, no torch.

``train`` yields Started, then one Step or Evaluation for each optimizer step, with Mended before
it where something had to be and Saving where the disk was at fault or no longer is, then Finished.
"""

from dataclasses import dataclass
from pathlib import Path

from charlstm.training.config import TrainConfig
from charlstm.training.finetune import Transfer


@dataclass(frozen=True)
class Started:
    """The run is set up; nothing is learned yet (or ``step`` steps are, when resumed)."""

    directory: Path
    config: TrainConfig
    reason: str  # why the recipe chose what it chose
    train_characters: int
    val_characters: int
    step: int
    transfer: Transfer | None = None  # how the weights of another model were taken over
    changes: tuple[str, ...] = ()  # what is not as it was before a resumed run was stopped


@dataclass(frozen=True)
class Step:
    """One optimizer step is done; ``loss`` (training, nats per character) is there now and then."""

    step: int
    epoch: float
    loss: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """A step is done and the validation text was walked.

    ``best``: the loss is the lowest of the run's so far. ``kept``: the model was kept, which a
    resumed run does not do where it finds a better one from before it was killed.
    """

    step: int
    epoch: float
    loss: float  # training loss since the last evaluation, nats per character
    val_loss: float | None  # None where nothing is held back
    best: bool
    kept: bool
    seconds: float


@dataclass(frozen=True)
class Mended:
    """Steps were skipped since their gradient was not finite; weights may be rolled back."""

    step: int
    skipped: int
    rolled_back: bool
    learning_rate: float  # at its peak, from now on


@dataclass(frozen=True)
class Saving:
    """Files of the run could not be written, and are kept in memory and tried again.

    ``fault`` says which and why; it is None when all is written again.
    """

    step: int
    fault: str | None


@dataclass(frozen=True)
class Finished:
    """The run is over, or was ``stopped`` before its last step; ``model`` is what was kept.

    ``impatient``: it ended early, since validation got no better. ``overfitting``: the training
    loss fell after ``best_step`` and the validation loss did not.
    """

    directory: Path
    model: Path
    step: int
    steps: int
    stopped: bool
    impatient: bool
    best_step: int
    val_loss: float | None
    overfitting: bool
    characters_per_second: float
    seconds: float


Event = Started | Step | Mended | Evaluation | Saving | Finished
