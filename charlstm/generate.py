"""From a seed phrase to an endless stream of text, one character at a time.

Puts network, sampler and vocabulary together; it prints nothing and never needs torch.
"""

import itertools
import random
from collections.abc import Iterator
from typing import Literal

from charlstm.checkpoint import Model
from charlstm.config import require_integer
from charlstm.errors import UnknownCharacterError
from charlstm.lstm import Network
from charlstm.sampling import Sampling, sample
from charlstm.vocab import Vocabulary

Unknown = Literal["error", "skip", "nearest"]


def known_text(text: str, vocabulary: Vocabulary, unknown: Unknown = "error") -> str:
    """``text`` in characters of the vocabulary.

    What it lacks is an error, is left out, or becomes the nearest that it has; a character
    with nothing near it is an error too. Raises UnknownCharacterError.
    """
    missing = vocabulary.unknown(text)
    if not missing:
        return text
    if unknown == "error":
        raise UnknownCharacterError(missing)
    near = {ord(c): "" if unknown == "skip" else vocabulary.nearest(c) for c in missing}
    lost = "".join(c for c in missing if near[ord(c)] is None)
    if lost:
        raise UnknownCharacterError(lost, nearest_tried=True)
    return text.translate(near)


def read_seed(model: Model, seed: str, unknown: Unknown = "error") -> str:
    """The seed phrase as the model will read it: in its case and its characters."""
    return known_text(model.text.cased(seed), model.vocabulary, unknown)


def generate(
    model: Model,
    seed: str = "",
    *,
    random_seed: int,
    length: int | None = None,
    temperature: float = 1.0,
) -> Iterator[str]:
    """Text that follows ``seed``, a character at a time: ``length`` of them, or without end.

    The network reads the whole seed phrase first; without one it reads a line end, so that the
    text begins as a line does. The same arguments give the same text: draws come from
    ``random.Random(random_seed).random()``, whose sequence Python promises to keep.

    Raises OptionError and UnknownCharacterError at once, not at the first character.
    """
    sampling = Sampling(temperature=temperature)
    require_integer("random seed", random_seed, least=0)
    if length is not None:
        require_integer("length", length, least=0)
    ids = model.vocabulary.encode(seed or ("\n" if "\n" in model.vocabulary else ""))
    uniform = random.Random(random_seed).random
    network = Network(model.weights, model.config)

    def characters() -> Iterator[str]:
        state = network.zero_state()
        features = state.hidden[-1]
        for i in ids:
            features, state = network.step(i, state)
        for _ in range(length) if length is not None else itertools.count():
            chosen = sample(network.logits(features), sampling, uniform=uniform())
            yield model.vocabulary.characters[chosen]
            features, state = network.step(chosen, state)

    return characters()
