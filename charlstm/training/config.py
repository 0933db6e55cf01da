"""What a training run is asked for (``Settings``) and what it does (``TrainConfig``); no torch.

What a value may be is said in ``charlstm.options``. Here are also the forms in which a run writes
its choices down: ``config.toml`` and the command line that repeats the run.
"""

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from charlstm.checks import require_number, require_text
from charlstm.errors import OptionError
from charlstm.model.config import ModelConfig
from charlstm.options import OPTIONS, Seconds, check_record
from charlstm.text.decoding import TextOptions
from charlstm.training.pace import Pace

EVALUATIONS = 16  # of a run, unless they take too much of its time
BUDGETS = ("time", "epochs", "steps", "pace")
AUTO, NONE = "auto", "none"  # what ``init_from`` may be instead of the name of a model
REPORT_OPTIONS = ("sample", "sample_prompt", "tensorboard")  # they do not change the model
LONGEST_PROMPT = 1000  # characters, which are read for each sample


@dataclass(frozen=True, kw_only=True)
class Common:
    """Choices that hold as they are asked for, or else as they stand here."""

    weight_decay: float = 0.05
    grad_clip: float = 1.0
    averaging: float = 0.1  # share of the steps done so far over which weights are averaged
    patience: int = 0  # evaluations without improvement that end the run; 0: it is not ended
    pace: str | None = None  # of another run, to be repeated
    eval_every: int | None = None  # steps; None: at equal parts of the run
    save_every: float | None = None  # seconds between two saved states; None: as often as is cheap
    sample: bool = True  # whether the network writes a sample with each evaluation
    sample_prompt: str = ""  # what each sample begins with
    tensorboard: bool = False  # whether there is an event file for TensorBoard, too
    init_from: str = AUTO  # a model or "none"; in settings also "auto", which becomes one of both
    device: str = "auto"
    precision: str = "auto"
    random_seed: int = 0

    def __post_init__(self) -> None:
        check_record(self)
        if self.pace is not None:
            Pace.parse(self.pace)
        if len(self.sample_prompt) > LONGEST_PROMPT:
            fault = f"has {len(self.sample_prompt):,} characters, of {LONGEST_PROMPT:,} at most"
            raise OptionError(fault, "sample_prompt")


@dataclass(frozen=True, kw_only=True)
class Settings(Common):
    """What was asked for, with at most one of ``time`` (seconds), ``epochs``, ``steps``, ``pace``.

    A field that is None is chosen by ``charlstm.training.recipe``.
    """

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
    evaluations: int | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        given = [name for name in BUDGETS if getattr(self, name) is not None]
        if len(given) > 1:
            raise OptionError(f"{' and '.join(given)} are given together; a run has one budget")
        if self.evaluations is not None and self.eval_every is not None:
            raise OptionError("evaluations and eval_every are given together; leave one out")


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Common):
    """Every choice of a run. The same choices, text, machine and pace give the same model."""

    steps: int  # as planned when the run began, or was given another length
    time: float | None = None  # seconds that the run keeps to; None: it does all of its steps
    most_steps: int | None = None  # which a run with a time does at most
    evaluations: int = EVALUATIONS  # at equal parts of the run, unless ``eval_every`` is given
    network: ModelConfig
    seq_length: int
    batch_size: int
    val_fraction: float
    learning_rate: float
    weight_dropout: float
    threads: int  # with which the run began
    most_threads: int | None = None  # to which the run may change; None: it keeps ``threads``
    init_sha256: str | None = None  # of the file of the model that the run began from
    validation_read: float | None = None  # the share of the validation part that this model read

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.init_sha256 is not None:
            require_text("init_sha256", self.init_sha256)
        if self.validation_read is not None:
            require_number("validation_read", self.validation_read, least=0, most=1)
        if self.most_steps is not None:
            OPTIONS["steps"].check(self.most_steps)
        if self.most_threads is not None:
            OPTIONS["threads"].check(self.most_threads)

    @property
    def characters_per_step(self) -> int:
        """How many characters one step learns from."""
        return self.batch_size * self.seq_length

    @property
    def budget(self) -> str:
        """Which of BUDGETS says how long the run is.

        A time that is more than enough does not: such a run does its ``steps``.
        """
        if self.pace is not None:
            return "pace"
        return "steps" if self.time is None or self.steps == self.most_steps else "time"

    def options(self) -> dict[str, Any]:
        """The choices under their options' names, without the sizes of the network."""
        values = {name: getattr(self, name) for name in OPTIONS if hasattr(self, name)}
        left_out = {*BUDGETS} - {self.budget}
        left_out.add("evaluations" if self.eval_every is not None else "eval_every")
        return {
            name: f"{value:.3f}s" if OPTIONS[name].kind is Seconds else value
            for name, value in values.items()
            if value is not None and name not in left_out
        }


def all_options(config: TrainConfig, text: TextOptions) -> dict[str, Any]:
    """Every option of a run with its value, in the order of the table of options."""
    values = {**asdict(text), **asdict(config.network), **config.options()}
    return {name: values[name] for name in OPTIONS if name in values}


def config_toml(config: TrainConfig, text: TextOptions, sources: Sequence[str]) -> str:
    """The options of a run and its sources as the table of TOML that repeats the run.

    The strings, numbers and booleans of JSON are also those of TOML, except that DEL is escaped.
    """
    values = {"corpus": list(sources), **all_options(config, text)}
    lines = [
        f"{name} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")
        for name, value in values.items()
    ]
    return "\n".join(["[train]", *lines, ""])


def at_pace(config: TrainConfig, pace: Pace) -> TrainConfig:
    """The configuration that repeats a run that had this pace, step by step."""
    if str(pace) == f"0:0:{pace.last}":
        return replace(config, steps=pace.last, time=None, pace=None)
    return replace(config, time=None, pace=str(pace))


def repeating_command(config: TrainConfig, text: TextOptions, sources: Sequence[str]) -> str:
    """The command line that makes the same model on the same machine, ready for a shell."""
    # A name that begins with a hyphen would be read as an option.
    words = [f"./{s}" if s.startswith("-") and s != "-" else s for s in sources]
    for name, value in all_options(config, text).items():
        option = OPTIONS[name]
        if name in REPORT_OPTIONS:
            continue
        if option.kind is not bool:
            words += [option.flag, str(value)]
        elif value:
            words.append(option.flag)
        elif option.default is not False:  # of a pair such as --residual and --no-residual
            words.append(f"--no-{option.flag.removeprefix('--')}")
    return shlex.join(["charlstm", "train", *words])
