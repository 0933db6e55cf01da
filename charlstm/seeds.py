"""Seed phrases in the characters of a model."""

from typing import Literal

from charlstm.checkpoint import Model
from charlstm.errors import UnknownCharacterError
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
