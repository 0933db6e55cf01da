"""How surprising a text is to a model, character by character."""

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from charlstm.errors import ModelFileError
from charlstm.generation.sampling import PLAIN
from charlstm.generation.stream import Stream, bits, network_of, random_numbers
from charlstm.generation.text_stream import opening
from charlstm.model.lstm import Network
from charlstm.model.model_file import ModelFile


@dataclass(frozen=True)
class Score:
    """What a text costs a model: ``surprises``, (characters,), has -log2 of each probability.

    ``bits_per_char`` is their mean, ``loss`` the same in nats; both are None for no text.
    """

    text: str
    surprises: npt.NDArray[np.float64] = field(repr=False)

    @property
    def characters(self) -> int:
        """How many characters were scored: all of them."""
        return len(self.text)

    @property
    def bits_per_char(self) -> float | None:
        """The mean surprise; the fewer bits, the more the text is like the corpus."""
        return float(self.surprises.mean()) if self.text else None

    @property
    def loss(self) -> float | None:
        """The mean surprise in nats, as training reports it."""
        return None if self.bits_per_char is None else self.bits_per_char * math.log(2)


def score(model: ModelFile, text: str, *, network: Network | None = None) -> Score:
    """The surprise at each character of ``text`` after those before it.

    The text is read as the beginning of a line (``text_stream.opening``). Raises
    UnknownCharacterError, and ModelFileError where weights are too large to compute with.
    """
    network = network or network_of(model)
    stream = Stream(network, PLAIN, random_numbers(0), opening(model, network, text))
    surprises = np.empty(len(text))
    with np.errstate(all="ignore"):
        for place, i in enumerate(model.vocabulary.encode(text).tolist()):
            surprises[place] = bits(stream.logits(), i)
            stream.read([i])
    if not np.isfinite(surprises).all():
        raise ModelFileError("the model's weights are too large to compute with; train it again")
    return Score(text, surprises)
