"""What simpler predictors reach on a text: an n-gram, character frequencies, and compressors.

They learn from the training part of a text and are measured on another part, as a model is.
"""

import bz2
import lzma
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from charlstm.text.corpus import code_points
from charlstm.text.dataset import in_blocks
from charlstm.text.ngram import ORDER, NGram
from charlstm.text.vocabulary import Ids, Vocabulary

MOST_COUNTED = 5_000_000  # characters at the end of a training part that an n-gram counts
REPLACEMENT = "\ufffd"  # what stands for an unknown character


class LossUnits:
    """The ``loss`` of a predictor, in nats per character, in other units."""

    loss: float

    @property
    def bits_per_char(self) -> float:
        """The loss in bits."""
        return self.loss / math.log(2)

    @property
    def perplexity(self) -> float:
        """How many equally probable characters would be as hard to predict: e to the loss.

        It is infinite if that is more than a float can be.
        """
        try:
            return math.exp(self.loss)
        except OverflowError:
            return math.inf


@dataclass(frozen=True)
class Baseline(LossUnits):
    """What another predictor reaches: ``loss`` in nats per character.

    ``accuracy`` is the share of characters that it guesses, None if that is not known.
    """

    name: str
    loss: float
    accuracy: float | None = None


def baselines(vocabulary: Vocabulary, train: Ids, ids: Ids) -> tuple[Baseline, ...]:
    """What simpler predictors reach on all of ``ids`` but the first.

    Character frequencies and an n-gram learn from ``train``, of which they count the last
    MOST_COUNTED characters. The compressors xz and bzip2 learn from the compressed text alone, as
    it is in UTF-8. To all of them, the characters that ``vocabulary`` does not know are one more
    character.
    """
    train = np.array(train[-MOST_COUNTED:])
    marks = any(
        (block == vocabulary.unknown_id).any() for part in (train, ids) for block in in_blocks(part)
    )
    V = len(vocabulary) + marks
    return (
        Baseline("character frequencies", *NGram(train, V, order=0).measure(ids)),
        Baseline(f"n-gram of order {ORDER}", *NGram(train, V).measure(ids)),
        *_compressed(vocabulary, ids[1:]),
    )


def _compressed(vocabulary: Vocabulary, ids: Ids) -> Iterator[Baseline]:
    """What xz and bzip2 make of a text, as nats for each character."""
    compressors: dict[str, lzma.LZMACompressor | bz2.BZ2Compressor] = {
        "xz -9e": lzma.LZMACompressor(preset=9 | lzma.PRESET_EXTREME),
        "bzip2 -9": bz2.BZ2Compressor(9),
    }
    sizes = dict.fromkeys(compressors, 0)
    points = code_points(vocabulary.characters + REPLACEMENT)
    for block in in_blocks(ids):
        data = points[block].tobytes().decode("utf-32-le").encode()
        for name, compressor in compressors.items():
            sizes[name] += len(compressor.compress(data))
    for name, compressor in compressors.items():
        size = sizes[name] + len(compressor.flush())
        yield Baseline(name, 8 * size * math.log(2) / len(ids))
