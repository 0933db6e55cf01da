"""Which character may come next, and with which probability."""

from typing import NamedTuple

import numpy as np

from charlstm.generation.sampling import Sampling, probabilities
from charlstm.generation.text_stream import opening
from charlstm.model.model_file import ModelFile


class Prediction(NamedTuple):
    """A character that may come next.

    ``probability`` is that with which it is drawn, and ``model_probability`` the model's own: at
    temperature 1, and without any other setting of sampling.
    """

    character: str
    probability: float
    model_probability: float


def predict(
    model: ModelFile, seed: str, sampling: Sampling, top: int | None = None
) -> list[Prediction]:
    """The characters that may follow ``seed``, the most probable first; with ``top`` so many.

    What ``sampling`` makes impossible comes last, with probability 0. With ``top``, characters that
    the model itself has among its first are also listed if they are impossible. Raises
    UnknownCharacterError, and ModelFileError if the weights are too large to compute with.
    """
    ids = model.vocabulary.encode(seed).tolist()
    state = opening(model, seed)
    with np.errstate(all="ignore"):
        for i in ids:
            state.read(i)
        logits = state.logits()
        own = probabilities(logits, Sampling())
        drawn = probabilities(logits, sampling, ids[-sampling.repetition_window :])
    ranked = np.lexsort((-own, -drawn))  # by the last key first
    first = {*ranked[:top].tolist()}
    first |= {i for i in np.argsort(-own, kind="stable")[:top].tolist() if drawn[i] == 0}
    return [
        Prediction(model.vocabulary.characters[i], float(drawn[i]), float(own[i]))
        for i in ranked.tolist()
        if i in first
    ]
