"""What a training run is asked for (``Settings``) and what it does (``TrainConfig``); no torch.

A ``Settings`` field that is None is the recipe's to choose (``charlstm.training.recipe``).
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from charlstm.errors import OptionError
from charlstm.model.config import ModelConfig
from charlstm.options import require_integer, require_number, set_checked

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "fp32", "bf16")
INTEGERS = {  # the least and the most that each may be; beyond, no machine could follow
    "steps": (1, 10**12),
    "eval_every": (1, 10**12),
    "patience": (0, 10**12),
    "hidden_size": (1, 1 << 16),
    "num_layers": (1, 1 << 10),
    "embedding_size": (1, 1 << 16),
    "seq_length": (1, 1 << 20),
    "batch_size": (1, 1 << 20),
    "threads": (1, 1 << 10),
    "random_seed": (0, (1 << 63) - 1),
}


def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, as Python's own numbers; None is no value.

    Raises OptionError for the first that no run can have.
    """
    found = dict(values)
    for name, value in values.items():
        if value is None:
            continue
        label = name.replace("_", " ")
        if name in INTEGERS:
            least, most = INTEGERS[name]
            found[name] = require_integer(label, value, least=least, most=most)
        elif name in ("time", "epochs", "learning_rate", "grad_clip"):
            below = 1e9 if name in ("time", "epochs") else math.inf
            found[name] = require_number(label, value, least=0, open_below=True, below=below)
        elif name in ("weight_decay", "save_every"):
            found[name] = require_number(label, value, least=0)
        elif name in ("dropout", "weight_dropout", "averaging"):
            found[name] = require_number(label, value, least=0, below=1)
        elif name == "val_fraction":
            found[name] = require_number(label, value, least=0, below=0.9)
        elif name == "init_from" and not (isinstance(value, str) and value):
            raise OptionError(f"init from is {value!r}; name a model file or a run directory")
        elif name == "residual" and not isinstance(value, bool):
            raise OptionError(f"residual is {value!r}; it must be true or false")
        elif name in ("device", "precision"):
            allowed = DEVICES if name == "device" else PRECISIONS
            if value not in allowed:
                raise OptionError(f"{name} is {value!r}; choose one of {', '.join(allowed)}")
    return found


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
        set_checked(self, checked(asdict(self)))
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
        set_checked(self, checked({f.name: getattr(self, f.name) for f in fields(self)}))

    def options(self) -> dict[str, Any]:
        """The choices under the names of the command line's options; no option, no name."""
        values = {name: value for name, value in asdict(self).items() if value is not None}
        sizes = values.pop("model")
        del sizes["vocab_size"]  # the corpus decides
        if self.save_every is not None:
            values["save_every"] = f"{self.save_every:.3f}s"
        return {**values, **sizes}
