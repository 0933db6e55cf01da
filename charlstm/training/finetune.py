"""Weights of one model as the beginning of another, whose text has other characters; no torch."""

from dataclasses import dataclass, replace

import numpy as np

from charlstm.errors import OptionError
from charlstm.model.lstm import Array
from charlstm.model.model_file import ModelFile
from charlstm.text.vocabulary import Vocabulary
from charlstm.training.config import Settings


@dataclass(frozen=True)
class Transfer:
    """How many characters of a model's vocabulary went over, were new, and were left behind."""

    source: str
    kept: int
    added: int
    dropped: int


def with_sizes_of(model: ModelFile, settings: Settings) -> Settings:
    """The settings with the sizes of the model to begin from; OptionError where they differ."""
    sizes = {
        name: getattr(model.config, name)
        for name in ("hidden_size", "num_layers", "embedding_size", "residual")
    }
    for name, value in sizes.items():
        asked = getattr(settings, name)
        if asked is not None and asked != value:
            raise OptionError(
                f"{name.replace('_', ' ')} is {asked}, but the model to begin from has {value}; "
                f"leave it out"
            )
    return replace(settings, **sizes)


def transferred(
    model: ModelFile, vocabulary: Vocabulary, drawn: dict[str, Array]
) -> tuple[dict[str, Array], Transfer]:
    """The model's weights for ``vocabulary``, and the count of what that took.

    A character has its own row in the embedding (V, E) and in the output layer (V, H), and takes
    it along to its new id. One that the model never saw gets the row of ``drawn``, fresh weights
    of the new network, and the smallest output bias there is, so that it begins as rare.
    """
    old = model.vocabulary.id_of_code_point
    points = np.array([ord(c) for c in vocabulary.characters])
    source = old[np.minimum(points, len(old) - 1)]  # (V,), -1 for a new character
    known = source >= 0
    weights = {**model.weights}
    for name in ("embedding.weight", "output.weight", "output.bias"):
        rows = drawn[name].copy()
        rows[known] = model.weights[name][source[known]]
        weights[name] = rows
    weights["output.bias"][~known] = model.weights["output.bias"].min()
    kept = int(known.sum())
    counts = Transfer(
        source=model.fingerprint.name,
        kept=kept,
        added=len(vocabulary) - kept,
        dropped=len(model.vocabulary) - kept,
    )
    return weights, counts
