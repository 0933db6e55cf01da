"""A model as the beginning of another: its weights for other characters, and the recipe; no torch.

The sweeps behind the recipe are in ``benchmarks/README.md``.
"""

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from charlstm.errors import OptionError
from charlstm.model.lstm import Array
from charlstm.model.model_file import ModelFile
from charlstm.text.vocabulary import Vocabulary
from charlstm.training.config import Settings
from charlstm.training.length import SMALL

NEAR_RATE = 0.25  # of the learning rate of a fresh network, for a text that the base reads well
# Nats worse than an n-gram: up to NEAR a text is near what the base has read, from FAR on far.
NEAR, FAR = 0.15, 1.15
# Shares of the epochs of a fresh network: little of a near text is new.
NEAR_EPOCHS, NEAR_EPOCHS_SHORT = 1 / 3, 1 / 6
NEAR_CHARACTERS = 40_000  # a text that is shorter has a lower rate: it is learned by heart sooner
SIZES = ("hidden_size", "num_layers", "embedding_size", "residual")

Counts = npt.NDArray[np.int64]


def nearness(distance: float) -> float:
    """From 1 for a near text to 0 for a far one."""
    return min(1.0, max(0.0, (FAR - distance) / (FAR - NEAR)))


def rate_share(characters: int, distance: float) -> float:
    """The learning rate for a text of so many characters, as a share of that of a fresh network.

    What the base knows of a near text is kept by a low rate, and the more so the less there is to
    learn. ``distance`` is how many nats worse than an n-gram the base reads the text.

    >>> rate_share(400_000, -0.4), rate_share(10_000, -0.4), rate_share(400_000, 2.0)
    (0.25, 0.125, 1.0)
    """
    near = nearness(distance)
    short = math.sqrt(min(1.0, characters / NEAR_CHARACTERS))
    return float((NEAR_RATE * short) ** near)


def epochs_share(characters: int, distance: float) -> float:
    """How often it is of use to read such a text, as a share of the epochs of a fresh network.

    >>> epochs_share(1_000_000, -0.4), epochs_share(1_000_000, 2.0)
    (0.3333333333333333, 1.0)
    """
    near = NEAR_EPOCHS_SHORT if characters < SMALL else NEAR_EPOCHS
    return float(near ** nearness(distance))


def sizes_asked(settings: Settings) -> bool:
    """Whether the settings ask for a size of network."""
    return any(getattr(settings, name) is not None for name in SIZES)


def with_sizes_of(model: ModelFile, settings: Settings) -> Settings:
    """The settings with the sizes of the model to begin from; OptionError where they differ."""
    sizes = {name: getattr(model.config, name) for name in SIZES}
    for name, value in sizes.items():
        asked = getattr(settings, name)
        if asked is not None and asked != value:
            raise OptionError(f"is {asked}, but the model to begin from has {value}", name, "sizes")
    return replace(settings, **sizes)


def transferred(model: ModelFile, vocabulary: Vocabulary, counts: Counts) -> dict[str, Array]:
    """The model's weights for ``vocabulary``, whose characters occur ``counts`` times, (V,).

    Each character has a row in the embedding (V, E) and one in the output layer (V, H), which it
    keeps under its new id. A character that the model never saw begins with the rows of the most
    similar one that it knows, such as the letter without its accent, or else with the mean of all
    rows. Its output bias is the logarithm of its count, plus the mean of what the biases of the
    known characters are above the logarithms of their counts.
    """
    weights = {**model.weights}
    similar = [model.vocabulary.nearest(character) for character in vocabulary.characters]
    ids = [None if text is None else model.vocabulary.encode(text) for text in similar]
    for name in ("embedding.weight", "output.weight", "output.bias"):
        rows = model.weights[name]
        mean = rows.mean(0)
        weights[name] = np.stack([mean if some is None else rows[some].mean(0) for some in ids])
    known = np.array([c in model.vocabulary for c in vocabulary.characters])
    bias, logs = weights["output.bias"], np.log(np.maximum(counts, 0.5))
    if known.any():
        bias[~known] = (bias[known] - logs[known]).mean() + logs[~known]
    return weights
