"""The model that a command uses: numpy made ready for it, and a message that says which it is."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charlstm.cli import console, wording

if TYPE_CHECKING:
    from charlstm import LanguageModel

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "VECLIB_MAXIMUM_THREADS": "1"}


def loaded(values: dict[str, Any]) -> "LanguageModel":
    """The model that ``--model`` means."""
    compute_with_one_thread()
    from charlstm import load

    model = load(values["model"])
    say_model(model, values["model"], quiet=values["quiet"])
    return model


def say_model(model: "LanguageModel", named: str | None, *, quiet: bool) -> None:
    """Say which model is used, if none is named, or if the name means a run under ``runs/``."""
    assert model.path is not None
    if named is None or (model.bundled_name is None and found_elsewhere(named, model.path)):
        console.say(wording.model_taken(model), quiet=quiet)


def found_elsewhere(name: str, path: Path) -> bool:
    """Whether ``name`` is neither the file ``path`` nor its directory, but the name of a run."""
    return Path(name) not in (path, path.parent)


def compute_with_one_thread() -> None:
    """Set up numpy before it is imported.

    For one character at a time a second thread only costs time, and the way in which threads share
    a product changes its rounding.
    """
    os.environ |= ONE_THREAD
    import numpy  # noqa: F401


def leave_threads_to_torch() -> None:
    """Import numpy so that it computes with one thread, and torch later with as many as it likes.

    numpy writes the samples of a training. With several threads, which would compete with those of
    torch, that takes many times as long.
    """
    before = {name: os.environ[name] for name in ONE_THREAD if name in os.environ}
    os.environ |= ONE_THREAD
    import numpy  # noqa: F401

    for name in ONE_THREAD:
        del os.environ[name]
    os.environ |= before
