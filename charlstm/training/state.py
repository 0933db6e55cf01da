"""``state.pt``: all that a stopped run needs to go on exactly where it was.

Written atomically by ``torch.save``, read with ``weights_only=True`` from an archive that was
looked through: a file from a stranger can be refused, but not executed. ``config_in`` makes sure
of every part before a run takes it up.
"""

import io
import math
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from charlstm.config import (
    TEXT_FILES,
    Fingerprint,
    ModelConfig,
    TextOptions,
    require_integer,
    require_number,
    shown,
)
from charlstm.description import reason
from charlstm.errors import TrainingError
from charlstm.files import regular_size, write_atomically
from charlstm.sources import check_glob
from charlstm.training.archive import looked_through
from charlstm.training.books import Books
from charlstm.training.config import TrainConfig
from charlstm.training.learner import BETAS

FORMAT = 2
UNSOUND = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RuntimeError)
MOMENTS = ("exp_avg", "exp_avg_sq")
CUDA_RNG_BYTES = 16


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write ``state``, made of tensors and plain values, to ``path``."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    write_atomically(path, buffer.getbuffer())


def load_state(path: Path) -> dict[str, Any]:
    """Read what ``save_state`` wrote; TrainingError for anything else."""
    try:
        size = regular_size(path, follow=False)
        file = path.open("rb")
    except FileNotFoundError as error:
        raise TrainingError(
            f"{path}: no such file, so there is no run to go on with here; name a run directory"
        ) from error
    except NotADirectoryError as error:
        raise TrainingError(f"{path.parent}: not a run directory; name the directory") from error
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        with file, warnings.catch_warnings(action="ignore"):
            state = torch.load(looked_through(file, size), map_location="cpu", weights_only=True)
    except Exception as error:  # the readers fail in many ways on what torch did not write
        raise damaged(path, error) from error
    found = state.get("format") if isinstance(state, dict) else None
    if type(found) is not int or found != FORMAT:
        words = shown(found) if isinstance(found, int | float | str) else "none"
        raise TrainingError(
            f"{path}: state format {words}, but this charlstm reads {FORMAT}; start a new run"
        )
    assert isinstance(state, dict)
    return state


def damaged(path: Path, error: Exception) -> TrainingError:
    """The error for a state that cannot be taken up."""
    return TrainingError(
        f"{path}: not a sound training state of charlstm ({reason(error)[:80]}); the model beside "
        f"it can still be used"
    )


def config_in(state: dict[str, Any]) -> TrainConfig:
    """The configuration in a state, once every part that a run takes up is found to fit it.

    Sizes are those of tensors that are there, so none is believed that would not fit into the
    file. Raises ValueError and whatever Python and torch raise for a wrong type.
    """
    values = dict(state["config"])
    sizes = dict(values.pop("model"))
    _plain(sizes | values, none=("init_from", "save_every"))
    config = TrainConfig(model=ModelConfig(**sizes), **values)
    if "auto" in (config.device, config.precision):
        raise ValueError("a device or precision that is still to be chosen")
    learner = state["learner"]
    done = learner["steps_done"]
    require_integer("steps done", done, least=0, most=config.steps)
    require_number("rate scale", learner["rate_scale"], least=0, open_below=True)
    if learner["rolled_back_at"] is not None:
        require_integer("rolled back at", learner["rolled_back_at"], least=0, most=done)
    _check_weights(learner, config)
    _check_optimizer(learner["optimizer"], config, done)
    carried = (1, config.batch_size, config.model.hidden_size)
    types = (torch.float32, *[torch.bfloat16] * (config.precision == "bf16"))
    if len(learner["carried"]) != config.model.num_layers:
        raise ValueError("carried state of another size than the configuration's")
    for hidden, cell in learner["carried"]:
        for part in (hidden, cell):
            _check_tensor("carried state", part, carried, *types)
    _check_tensor("losses", learner["losses"], (3,), torch.float32)
    for count in learner["losses"][1:].tolist():
        require_number("number of losses", count, least=0, below=done + 1)
    _check_tensor("rng", learner["rng"], tuple(torch.get_rng_state().shape), torch.uint8)
    if "cuda_rng" in learner:
        _check_tensor("cuda_rng", learner["cuda_rng"], (CUDA_RNG_BYTES,), torch.uint8)
    _check_books(state["books"])
    _plain(state["fingerprint"])
    Fingerprint(**state["fingerprint"])
    _plain(state["text"])
    TextOptions(**state["text"])
    _plain(state["environment"])
    for places in (state["places"], state["places_given"]):
        if not (isinstance(places, list) and places and all(map(_is_place, places))):
            raise ValueError("places that are no file names")
    check_glob(state.setdefault("glob", TEXT_FILES))  # a state from before there were patterns
    state["glob"].encode()
    return config


def _is_place(place: object) -> bool:
    """Whether ``place`` can be the name of a file; ValueError for lone surrogates."""
    return isinstance(place, str) and bool(place.encode()) and "\0" not in place


def _plain(values: dict[str, Any], none: tuple[str, ...] = ()) -> None:
    """Raise ValueError unless all values are numbers and texts; those named may be None."""
    for name, value in values.items():
        if not (type(value) in (bool, int, float, str) or (value is None and name in none)):
            raise ValueError(f"{name} is no plain value")
        if isinstance(value, str):
            value.encode()  # refuses lone surrogates


def _check_weights(learner: dict[str, Any], config: TrainConfig) -> None:
    """Raise ValueError unless the three sets of weights are the configuration's."""
    for part in ("model", "averaged", "sound"):
        weights = learner[part]
        # Counted first: a configuration may promise a billion layers.
        if len(weights) != 4 * config.model.num_layers + 3:
            raise ValueError("weights of other sizes than the configuration's")
        for name, shape in config.model.parameter_shapes().items():
            _check_tensor("weights", weights[name], shape, torch.float32)
            if part == "sound" and not weights[name].isfinite().all():
                raise ValueError(f"{name} holds values that are not finite")


def _check_optimizer(optimizer: dict[str, Any], config: TrainConfig, done: int) -> None:
    """Raise ValueError unless moments and options are those of this run's AdamW."""
    shapes = list(config.model.parameter_shapes().values())
    states, groups = optimizer["state"], optimizer["param_groups"]
    if states and states.keys() != set(range(len(shapes))):
        raise ValueError("moments of other weights")
    for number, moments in states.items():
        if len(moments) != 1 + len(MOMENTS):
            raise ValueError("moments of another optimizer")
        _check_tensor("step", moments["step"], (), torch.float32)
        require_number("step", moments["step"].item(), least=0, below=done + 1)
        for name in MOMENTS:
            _check_tensor("moments", moments[name], shapes[number], torch.float32)
    # What AdamW makes of the configuration, to compare with: torch's versions differ.
    reference = torch.optim.AdamW(
        [torch.zeros(1)], betas=BETAS, weight_decay=config.weight_decay, fused=True
    ).param_groups[0]
    options = dict(groups[0])
    if len(groups) != 1 or options.pop("params") != list(range(len(shapes))):
        raise ValueError("options of other weights")
    require_number("learning rate", options.pop("lr"), least=0)
    for name, value in options.items():
        like = type(value) in (bool, int, float, tuple, type(None))
        if not like or value != reference.get(name, value):
            raise ValueError(f"{name} of the optimizer is another")


def _check_books(books: dict[str, Any]) -> None:
    """Raise OptionError unless the books hold numbers such as are entered there."""
    for name, usual in asdict(Books()).items():
        label, value = name.replace("_", " "), books[name]
        if isinstance(usual, list):
            if type(value) is not list:
                raise ValueError(f"{label} is no list")
            for step in value:
                require_integer(label, step, least=0)
        elif isinstance(usual, int):
            require_integer(label, value, least=0)
        elif name == "seconds":
            require_number(label, value, least=0)
        elif type(value) is not float or (name == "best_loss" and math.isnan(value)):
            raise ValueError(f"{label} is no loss")


def _check_tensor(what: str, value: Any, shape: tuple[int, ...], *dtypes: torch.dtype) -> None:
    """Raise ValueError unless ``value`` is a dense tensor of this shape and one of these types.

    Dense: a tensor may be a view that repeats one number a billion times.
    """
    if not (
        type(value) is Tensor
        and value.layout == torch.strided
        and value.dtype in dtypes
        and tuple(value.shape) == shape
        and value.is_contiguous()
        and not value.requires_grad
        and not value.is_neg()
    ):
        raise ValueError(f"{what} of other sizes than the configuration's, or of another type")
