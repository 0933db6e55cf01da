"""``state.pt``: all that a stopped run needs to go on exactly where it was.

Written atomically by ``torch.save``, read with ``weights_only=True``: a file from a stranger can
be refused, but not executed.
"""

import io
import warnings
from pathlib import Path
from typing import Any

import torch

from charlstm.config import ModelConfig, require_integer, require_number
from charlstm.errors import TrainingError
from charlstm.files import write_atomically
from charlstm.training.config import TrainConfig

FORMAT = 1
UNSOUND = (ValueError, LookupError, TypeError, AttributeError, OverflowError)


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write ``state``, made of tensors and plain values, to ``path``."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    write_atomically(path, buffer.getvalue())


def load_state(path: Path) -> dict[str, Any]:
    """Read what ``save_state`` wrote; TrainingError for anything else."""
    try:
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
            state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's reader fails in many ways on what it did not write
        raise damaged(path, error) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        found = state.get("format") if isinstance(state, dict) else None
        raise TrainingError(
            f"{path}: state format {found!r}, but this charlstm reads {FORMAT}; start a new run"
        )
    return state


def damaged(path: Path, error: Exception) -> TrainingError:
    """The error for a state that cannot be taken up."""
    reason = " ".join(str(error).split())[:80] or type(error).__name__
    return TrainingError(
        f"{path}: not a sound training state of charlstm ({reason}); the model beside it can "
        f"still be used"
    )


def config_in(state: dict[str, Any]) -> TrainConfig:
    """The configuration in a state, if the tensors beside it have the sizes that it promises.

    So no size is believed that would not fit into the file. Raises ValueError and the like.
    """
    values = dict(state["config"])
    config = TrainConfig(model=ModelConfig(**values.pop("model")), **values)
    learner = state["learner"]
    expected = config.model.parameter_shapes
    for part in ("model", "averaged", "sound"):
        shapes = {name: tuple(weight.shape) for name, weight in learner[part].items()}
        layers = config.model.num_layers  # counted before so many shapes are listed
        if len(shapes) != 4 * layers + 3 or shapes != expected():
            raise ValueError("weights of other sizes than the configuration's")
    moments = [
        tuple(values[name].shape)
        for values in learner["optimizer"]["state"].values()
        for name in ("exp_avg", "exp_avg_sq")
    ]
    if moments and moments != [shape for shape in expected().values() for _ in range(2)]:
        raise ValueError("moments of other sizes than the weights")
    carried = (1, config.batch_size, config.model.hidden_size)
    parts = [tuple(part.shape) for pair in learner["carried"] for part in pair]
    if parts != [carried] * (2 * config.model.num_layers):
        raise ValueError("carried state of another size than the configuration's")
    if tuple(learner["losses"].shape) != (3,):
        raise ValueError("losses of another size")
    require_integer("steps done", learner["steps_done"], least=0)
    require_number("rate scale", learner["rate_scale"], least=0, open_below=True)
    return config
