"""Weights of one model as the beginning of another with other characters; no torch."""

from dataclasses import replace

import numpy as np

from charlstm.errors import OptionError
from charlstm.model.lstm import Array
from charlstm.model.model_file import ModelFile
from charlstm.text.vocabulary import Vocabulary
from charlstm.training.config import Settings


def with_sizes_of(model: ModelFile, settings: Settings) -> Settings:
    """The settings with the sizes of the model to begin from; OptionError where they differ."""
    sizes = {
        name: getattr(model.config, name)
        for name in ("hidden_size", "num_layers", "embedding_size", "residual")
    }
    for name, value in sizes.items():
        asked = getattr(settings, name)
        if asked is not None and asked != value:
            raise OptionError(f"is {asked}, but the model to begin from has {value}", name, "sizes")
    return replace(settings, **sizes)


def transferred(
    model: ModelFile, vocabulary: Vocabulary, fresh: dict[str, Array]
) -> tuple[dict[str, Array], str]:
    """The model's weights for ``vocabulary``, and in words how many characters were kept.

    Each character has a row in the embedding (V, E) and one in the output layer (V, H), which it
    keeps under its new id. A character that the model never saw gets the rows of ``fresh``, the
    random weights of the new network, and the smallest output bias of the model, so that it
    begins as a rare one.
    """
    old = model.vocabulary.id_of_code_point
    points = np.array([ord(c) for c in vocabulary.characters])
    source = old[np.minimum(points, len(old) - 1)]  # (V,), -1 for a new character
    known = source >= 0
    weights = {**model.weights}
    for name in ("embedding.weight", "output.weight", "output.bias"):
        rows = fresh[name].copy()
        rows[known] = model.weights[name][source[known]]
        weights[name] = rows
    weights["output.bias"][~known] = model.weights["output.bias"].min()
    kept = int(known.sum())
    added, dropped = len(vocabulary) - kept, len(model.vocabulary) - kept
    return weights, (
        f"begun from the model of {model.fingerprint.name}: {kept} characters kept, {added} added, "
        f"{dropped} dropped"
    )
