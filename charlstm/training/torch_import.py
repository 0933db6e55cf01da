"""Whether torch can be imported: asked once, before the first module of this room that needs it."""

import sys
from pathlib import Path

from charlstm.errors import TrainingError


def require_torch() -> None:
    """Import torch; TrainingError where it is not installed, or is installed but broken.

    A torch that is half installed, or that lacks a shared library, can raise any error. A lack of
    memory is not torch's fault, and is raised as it is.
    """
    python = Path(sys.executable)
    try:
        from torch import Tensor, nn  # noqa: F401 (what is left of a torch may have neither)
    except MemoryError:
        raise
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "torch":
            fault = "torch, which training needs, is not installed"
            raise TrainingError(fault, "no torch", python=python) from error
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        fault = f"torch, which training needs, cannot be imported: {reason}"
        raise TrainingError(fault, "broken torch", python=python) from error
