"""``state.pt``: all that a stopped run needs to go on exactly where it was.

Written atomically by ``torch.save``, read with ``weights_only=True``: a file from a stranger can
be refused, but not executed.
"""

import io
import warnings
from pathlib import Path
from typing import Any

import torch

from charlstm.errors import TrainingError
from charlstm.files import write_atomically

FORMAT = 1


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
