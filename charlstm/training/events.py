"""What a training run tells its caller while it runs: plain records, no torch.

A run begins with TextRead. Then comes Started, then a Step or an Evaluation for each optimizer
step, and at the end Finished. ThreadsChanged comes before a Step where a run with a time changes
its threads, Recovered where something went wrong, SaveFailed and SavedAgain where the disk did.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from charlstm.training.config import TrainConfig


@dataclass(frozen=True)
class TextRead:
    """The corpus of a run is read; ``notes`` say in words what was changed in it.

    Torch is imported next, which takes a second, or many from a disk that was not read before.
    """

    name: str
    characters: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Started:
    """The run is set up and ``step`` steps are done, 0 of a new run."""

    directory: Path
    config: TrainConfig
    reason: str  # why the recipe chose what it chose
    train_characters: int
    val_characters: int
    step: int
    steps: int  # at the end of the run, as it is planned now
    notes: tuple[str, ...] = ()  # what has changed, or what a loss does not show
    base_chosen: bool = False  # whether the program chose the model that the run begins from


@dataclass(frozen=True)
class Step:
    """One optimizer step is done. Now and then it has the training ``loss``, in nats."""

    step: int
    steps: int  # at the end of the run, as it is planned now
    epoch: float
    loss: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """A step is done and the loss of the validation text was computed, in nats per character.

    ``best``: it is the lowest of the run so far. ``kept``: the model was written to the run
    directory, which does not happen where a resumed run finds a better one there. ``sample``:
    what the network wrote, None if none was wanted or the weights are too large.
    """

    step: int
    steps: int  # at the end of the run, as it is planned now
    epoch: float
    loss: float  # training loss since the last evaluation
    val_loss: float | None  # None where there is no validation text
    best: bool
    kept: bool
    seconds: float
    sample: str | None = None


@dataclass(frozen=True)
class ThreadsChanged:
    """From this step on the run computes with so many threads.

    ``trial``: to see whether that is faster. Else such a trial has ended without a gain, and the
    number is that of before.
    """

    step: int
    threads: int
    trial: bool


@dataclass(frozen=True)
class Recovered:
    """Steps were skipped since their gradient was not finite; the weights may be rolled back."""

    step: int
    skipped: int
    rolled_back: bool
    learning_rate: float  # the highest one, from now on


@dataclass(frozen=True)
class SaveFailed:
    """Files of the run could not be written. They are kept in memory and tried again."""

    step: int
    fault: str  # which file, and why


@dataclass(frozen=True)
class SavedAgain:
    """Everything that could not be written before is written now."""

    step: int


@dataclass(frozen=True)
class Finished:
    """The run has ended; ``model`` is the best model.

    ``stopped``: the caller stopped it before its last step. ``out_of_patience``: it ended early,
    since validation got no better. ``overfitting``: after ``best_step`` the training loss went on
    falling, but the validation loss did not.
    """

    directory: Path
    model: Path
    step: int
    steps: int
    stopped: bool
    out_of_patience: bool
    best_step: int
    val_loss: float | None
    overfitting: bool
    characters_per_second: float
    seconds: float
    late: str | None = None  # by how much the run is later than its time, and why, in words


ShouldStop = Callable[[], bool]  # what the caller tells the run, after each step
Event = (
    TextRead
    | Started
    | Step
    | Evaluation
    | ThreadsChanged
    | Recovered
    | SaveFailed
    | SavedAgain
    | Finished
)
