"""What a training run is asked for (``Settings``) and what it does (``TrainConfig``); no torch.

A ``Settings`` field that is None is the recipe's to choose (``charlstm.training.recipe``).
"""

from dataclasses import asdict, dataclass
from typing import Any

from charlstm.errors import OptionError
from charlstm.model.config import ModelConfig
from charlstm.options import check_record


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What was asked for. At most one of ``time`` (seconds), ``epochs`` and ``steps``."""

    time: float | None = None
    epochs: float | None = None
    steps: int | None = None
    hidden_size: int | None = None
    num_layers: int | None = None
    embedding_size: int | None = None
    dropout: float | None = None
    weight_dropout: float | None = None
    residual: bool | None = None
    seq_length: int | None = None
    batch_size: int | None = None
    val_fraction: float | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None
    grad_clip: float | None = None
    averaging: float | None = None  # of the steps done so far
    eval_every: int | None = None  # steps
    patience: int | None = None  # evaluations
    save_every: float | None = None  # seconds
    init_from: str | None = None  # a model file or a run directory
    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    random_seed: int | None = None

    def __post_init__(self) -> None:
        check_record(self)
        budgets = [name for name in ("time", "epochs", "steps") if getattr(self, name) is not None]
        if len(budgets) > 1:
            raise OptionError(f"{' and '.join(budgets)} are both given; a run has one budget")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Every choice of a run, made: with it, corpus and machine alike, a run can be repeated."""

    steps: int
    eval_every: int
    model: ModelConfig
    seq_length: int
    batch_size: int
    val_fraction: float
    learning_rate: float
    weight_decay: float
    grad_clip: float
    weight_dropout: float
    averaging: float  # how far back the kept weights are averaged, of the steps done so far
    patience: int  # evaluations without a better one that end the run; 0: none do
    save_every: float | None  # seconds from one state to the next; None: as is cheap
    init_from: str | None  # the model file that the run began from
    device: str  # a torch device that is there: cpu, cuda or mps
    precision: str  # fp32 or bf16
    threads: int
    random_seed: int

    def __post_init__(self) -> None:
        check_record(self)

    def options(self) -> dict[str, Any]:
        """The choices under the names of the command line's options; no option, no name."""
        values = {name: value for name, value in asdict(self).items() if value is not None}
        sizes = values.pop("model")
        del sizes["vocab_size"]  # the corpus decides
        if self.save_every is not None:
            values["save_every"] = f"{self.save_every:.3f}s"
        return {**values, **sizes}
