"""The model that a command uses: numpy made ready for it, and a message that says which it is."""

import os
from typing import TYPE_CHECKING, Any

from charlstm.cli import console, wording

if TYPE_CHECKING:
    from charlstm import LanguageModel


def loaded(values: dict[str, Any]) -> "LanguageModel":
    """The model that ``--model`` names, or the newest run, which is then said."""
    compute_with_one_thread()
    from charlstm import load

    model = load(values["model"])
    if values["model"] is None:
        console.say(wording.model_taken(model), quiet=values["quiet"])
    return model


def compute_with_one_thread() -> None:
    """Set up numpy before it is imported.

    For one character at a time a second thread only costs time, and the way in which threads share
    a product changes its rounding. Weights that are too large are noticed when a character is
    drawn or scored, so numpy need not warn about them.
    """
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ[variable] = "1"
    import numpy as np

    np.seterr(all="ignore")
