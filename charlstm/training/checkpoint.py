"""``state.safetensors``: all that a stopped run needs to go on exactly where it was.

Tensors by name, and one metadata entry, ``charlstm-training``, of sorted JSON for the rest. No file
is ever executed. ``config_in`` makes sure of every part before a run takes it up.
"""

import hashlib
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from charlstm.errors import TrainingError
from charlstm.files import write_atomically
from charlstm.model.config import ModelConfig
from charlstm.options import require_integer, require_number, shown
from charlstm.text.corpus import Fingerprint, TextOptions
from charlstm.training.config import TrainConfig
from charlstm.training.losses import Books
from charlstm.training.optimizer import MOMENTS, WEIGHTS
from charlstm.untrusted import check_header, read_description, reason

FORMAT = 1
METADATA_KEY = "charlstm-training"
UNSOUND = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RuntimeError)
RNG_BYTES, CUDA_RNG_BYTES = 5056, 16  # of torch's generators

Kind = tuple[torch.dtype, tuple[int, ...]]


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write ``state`` to ``path``: its ``tensors``, and plain values that JSON can hold.

    Losses that are not finite, which JSON has no numbers for, are written as texts.
    """
    plain = {name: value for name, value in state.items() if name != "tensors"}
    books = {
        name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in state["books"].items()
    }
    tensors = state["tensors"]
    description = {
        "format": FORMAT,
        **plain,
        "books": books,
        "tensors_sha256": digest(tensors),
    }
    metadata = {METADATA_KEY: json.dumps(description, sort_keys=True)}
    write_atomically(path, save(tensors, metadata=metadata))


def digest(tensors: dict[str, Tensor]) -> str:
    """The SHA-256 of all values, by name: a state that was damaged goes on to another model."""
    found = hashlib.sha256()
    for _, tensor in sorted(tensors.items()):
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def load_state(path: Path) -> dict[str, Any]:
    """Read what ``save_state`` wrote; TrainingError for anything else."""
    try:
        check_header(path, follow=False)
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(METADATA_KEY)
            if text is None:
                raise ValueError("a safetensors file of another kind")
            state = read_description(text)
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        if state.get("tensors_sha256") != digest(tensors):
            raise ValueError("its values are not those that were saved")
        state["tensors"] = tensors
    except FileNotFoundError as error:
        raise TrainingError(
            f"{path}: no such file, so there is no run to go on with here; name a run directory"
        ) from error
    except NotADirectoryError as error:
        raise TrainingError(f"{path.parent}: not a run directory; name the directory") from error
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (SafetensorError, RecursionError, *UNSOUND) as error:
        raise damaged(path, error) from error
    found = state.get("format")
    if type(found) is not int or found != FORMAT:
        words = shown(found) if isinstance(found, int | float | str) else "none"
        raise TrainingError(
            f"{path}: state format {words}, but this charlstm reads {FORMAT}; start a new run"
        )
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
    require_integer("steps_done", done, least=0, most=config.steps)
    require_number("rate_scale", learner["rate_scale"], above=0)
    if learner["rolled_back_at"] is not None:
        require_integer("rolled_back_at", learner["rolled_back_at"], least=0, most=done)
    _check_tensors(state["tensors"], config, done)
    _check_books(state["books"])
    _plain(state["fingerprint"])
    Fingerprint(**state["fingerprint"])
    _plain(state["text"])
    TextOptions(**state["text"])
    _plain(state["environment"])
    for places in (state["places"], state["places_given"]):
        if not (isinstance(places, list) and places and all(map(_is_place, places))):
            raise ValueError("places that are no file names")
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


def tensors_of(config: TrainConfig) -> dict[str, Kind]:
    """The type and shape of each tensor in the state of such a run, but for a GPU's own."""
    weights = config.model.parameter_shapes()
    kinds: dict[str, Kind] = {}
    for part in (*WEIGHTS, *MOMENTS):
        for name, shape in weights.items():
            kinds[f"{part}.{name}"] = torch.float32, () if part == "step" else shape
    carried = (1, config.batch_size, config.model.hidden_size)
    for layer in range(config.model.num_layers):
        kinds |= {f"{part}.{layer}": (torch.float32, carried) for part in ("hidden", "cell")}
    return kinds | {"losses": (torch.float32, (3,)), "rng": (torch.uint8, (RNG_BYTES,))}


def _check_tensors(tensors: dict[str, Tensor], config: TrainConfig, done: int) -> None:
    """Raise ValueError unless tensors are those of the configuration after ``done`` steps."""
    # Counted first: a configuration may promise a billion layers.
    if len(tensors) < config.model.num_layers:
        raise ValueError(f"{len(tensors)} tensors for {config.model.num_layers} layers")
    expected = tensors_of(config)
    if "cuda_rng" in tensors:
        expected["cuda_rng"] = torch.uint8, (CUDA_RNG_BYTES,)
    if tensors.keys() != expected.keys():
        other = sorted(tensors.keys() ^ expected.keys())[0]
        raise ValueError(f"{shown(other)} is missing, or is one too many")
    for name, tensor in tensors.items():
        dtype, shape = expected[name]
        if tensor.dtype != dtype or tuple(tensor.shape) != shape:
            raise ValueError(f"{name} is {tensor.dtype} of shape {tuple(tensor.shape)}")
        part = name.partition(".")[0]
        if part == "sound" and not tensor.isfinite().all():
            raise ValueError(f"{name} holds values that are not finite")
        if part == "step":
            require_number(name, tensor.item(), least=0, below=done + 1)
    for count in tensors["losses"][1:].tolist():
        require_number("number_of_losses", count, least=0, below=done + 1)


def _check_books(books: dict[str, Any]) -> None:
    """Raise OptionError or ValueError unless the books hold numbers such as are entered there."""
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
        else:
            _check_loss(label, value, unknown=name != "best_loss")


def _check_loss(label: str, value: object, *, unknown: bool) -> None:
    """Raise ValueError unless ``value`` is a loss as ``save_state`` writes it, or ``unknown``."""
    if not isinstance(value, float) and value not in ("inf", "-inf", "nan"):
        raise ValueError(f"{label} is no loss")
    if value == "nan" and not unknown:
        raise ValueError(f"{label} is no number")
