"""How surprising a text is to a model, character by character."""

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from charlstm.generation.sampling import surprisal, too_large
from charlstm.generation.text_stream import opening
from charlstm.model.model_file import ModelFile


@dataclass(frozen=True)
class Score:
    """The surprisal of a text: ``bits``, (characters,), are -log2 of each probability.

    ``bits_per_char`` and ``loss`` are None for an empty text.
    """

    text: str
    bits: npt.NDArray[np.float64] = field(repr=False)

    @property
    def characters(self) -> int:
        """How many characters the text has."""
        return len(self.text)

    @property
    def bits_per_char(self) -> float | None:
        """The mean surprisal in bits; it is small for a text that resembles the corpus."""
        return float(self.bits.mean()) if self.text else None

    @property
    def loss(self) -> float | None:
        """The mean surprisal in nats, as training reports it."""
        return None if self.bits_per_char is None else self.bits_per_char * math.log(2)


def score(model: ModelFile, text: str) -> Score:
    """The surprisal of each character of ``text``, given the characters before it.

    The text is read as the beginning of a line (``text_stream.opening``). Raises
    UnknownCharacterError, and ModelFileError if the weights are too large to compute with.
    """
    lstm = opening(model, text)
    bits = np.empty(len(text))
    with np.errstate(all="ignore"):
        for position, i in enumerate(model.vocabulary.encode(text).tolist()):
            bits[position] = surprisal(lstm.logits(), i)
            lstm.read(i)
    if not np.isfinite(bits).all():
        raise too_large()
    return Score(text, bits)
