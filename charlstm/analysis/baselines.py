"""What simpler predictors reach on a text: an n-gram, character frequencies, and compressors.

They learn from the training part of a text and are measured on another part, as a model is.
"""

import bz2
import lzma
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from charlstm.text.corpus import code_points
from charlstm.text.dataset import in_blocks
from charlstm.text.vocabulary import Ids, Vocabulary

MOST_COUNTED = 10_000_000  # characters at the end of a training part that an n-gram counts
HELD_BACK = 10  # one of so many characters of the training part chooses the order of the n-gram
HIGHEST_ORDER = 32
REPLACEMENT = "\ufffd"  # what stands for an unknown character

Integers = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]


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


@dataclass(frozen=True)
class Counts:
    """How often each character followed each context of one length.

    A pair is a context and the character after it, as one number: context * V + character. The
    number of a context is the index of its pair among the pairs of the next shorter contexts.
    """

    pairs: Integers  # (M,) the pairs that were seen, in rising order
    seen: Integers  # (M,) how often
    totals: Integers  # (C,) how often a character followed this context
    kinds: Integers  # (C,) how many distinct characters followed it


class NGram:
    r"""An interpolated n-gram with the smoothing of Witten and Bell.

    The probability of character c after the k characters h, where h' is h without its first:

        P_k(c | h) = (count(h c) + T(h) P_(k-1)(c | h')) / (count(h) + T(h))

    T(h) is the number of distinct characters that followed h, and P_(-1) is 1 / V. After an h that
    was never seen it is P_(k-1)(c | h'). Witten and Bell (1991), "The zero-frequency problem",
    method C; the recursion is that of Chen and Goodman (1998, section 2.5). ``order`` is k, the
    number of characters that it looks back.

    >>> ngram = NGram(np.array([0, 1, 0, 1]), order=1, vocab_size=2)
    >>> ngram.probabilities(np.array([0, 1])).tolist()
    [0.5, 0.8333333333333334]
    """

    def __init__(self, ids: Ids, order: int, vocab_size: int) -> None:
        """Count the characters of ``ids``, (N,), after contexts of 0 to ``order`` characters."""
        self.order, self._V = order, vocab_size
        self._levels = list(islice(_counted(ids.astype(np.int64), vocab_size), order + 1))

    def probabilities(self, ids: Ids) -> Shares:
        """The probability of each of ``ids``, given the up to ``order`` before it: (N,)."""
        given = ids.astype(np.int64)
        shares = np.full(len(given), 1 / self._V)
        contexts = np.zeros(len(given), np.int64)
        for counts in self._levels:
            shares, contexts = _looked_up(counts, given, contexts, shares, self._V)
        return shares

    def loss(self, ids: Ids) -> float:
        """The mean of -ln of the probability of all ``ids`` but the first, in nats."""
        total = 0.0
        before = ids[:0]
        for block in in_blocks(ids):
            shares = self.probabilities(np.concatenate((before, block)))[len(before) :]
            total -= float(np.log(shares[0 if len(before) else 1 :]).sum())
            before = np.concatenate((before, block))[-max(1, self.order) :]
        return total / (len(ids) - 1)


def baselines(vocabulary: Vocabulary, train: Ids, ids: Ids) -> tuple[Baseline, ...]:
    """What simpler predictors reach on all of ``ids`` but the first.

    Character frequencies and an n-gram learn from ``train``, of which they count the last
    MOST_COUNTED characters. The order of the n-gram is the best one for the end of ``train``.
    The compressors xz and bzip2 learn from the compressed text alone, as it is in UTF-8. To all of
    them, the characters that ``vocabulary`` does not know are one more character.
    """
    train = np.array(train[-MOST_COUNTED:])
    marks = any(
        (block == vocabulary.unknown_id).any() for part in (train, ids) for block in in_blocks(part)
    )
    V = len(vocabulary) + marks
    most_frequent = np.bincount(train, minlength=V).argmax()
    guessed = sum(int((block == most_frequent).sum()) for block in in_blocks(ids[1:]))
    frequencies, ngram = NGram(train, 0, V), NGram(train, best_order(train, V), V)
    return (
        Baseline("character frequencies", frequencies.loss(ids), guessed / (len(ids) - 1)),
        Baseline(f"n-gram of order {ngram.order}", ngram.loss(ids)),
        *_compressed(vocabulary, ids[1:]),
    )


def best_order(train: Ids, vocab_size: int) -> int:
    """The order with the lowest loss on the last part of ``train``, learned from the rest.

    The search ends when the loss has risen twice in a row.
    """
    cut = len(train) - len(train) // HELD_BACK
    losses = held_back_losses(train, cut, vocab_size)
    return int(np.argmin(losses)) if losses else 0


def held_back_losses(train: Ids, cut: int, vocab_size: int) -> list[float]:
    """The losses of n-grams of order 0, 1, 2 and more on ``train[cut:]``, learned from the rest.

    The list ends when the loss has risen twice in a row. It is empty if fewer than two characters
    are held back.
    """
    held_back = train[cut:].astype(np.int64)
    if len(held_back) < 2:
        return []
    shares = np.full(len(held_back), 1 / vocab_size)
    contexts = np.zeros(len(held_back), np.int64)
    losses: list[float] = []
    for counts in _counted(train[:cut].astype(np.int64), vocab_size):
        shares, contexts = _looked_up(counts, held_back, contexts, shares, vocab_size)
        losses.append(-float(np.log(shares[1:]).mean()))
        risen = len(losses) > 2 and losses[-1] > losses[-2] > losses[-3]
        if risen or len(losses) > HIGHEST_ORDER:
            break
    return losses


def _counted(ids: Integers, V: int) -> Iterator[Counts]:
    """The counts after contexts of 0, 1, 2 and more of ``ids``, (N,), as long as there are any."""
    contexts, count = np.zeros(len(ids), np.int64), 1  # (N,), their number
    while len(ids):
        pairs, which, seen = np.unique(contexts * V + ids, return_inverse=True, return_counts=True)
        first = pairs // V  # (M,) the context of each pair
        totals = np.bincount(first, weights=seen, minlength=count).astype(np.int64)
        yield Counts(pairs, seen, totals, np.bincount(first, minlength=count))
        # A context and the character after it are the context, one longer, of the next character.
        contexts, count, ids = which[:-1], len(pairs), ids[1:]


def _looked_up(
    counts: Counts, ids: Integers, contexts: Integers, shares: Shares, V: int
) -> tuple[Shares, Integers]:
    """The probabilities of ``ids`` with contexts one longer, and the contexts of that length.

    ``contexts``, (N,), are the numbers of the contexts, -1 for one that was never seen.
    ``shares``, (N,), are the probabilities with shorter contexts.
    """
    pairs = contexts * V + ids
    found = np.searchsorted(counts.pairs, pairs).clip(max=len(counts.pairs) - 1)
    known = (counts.pairs[found] == pairs) & (contexts >= 0)
    count = np.where(known, counts.seen[found], 0)
    total = np.where(contexts < 0, 0, counts.totals[contexts])
    kinds = np.where(contexts < 0, 0, counts.kinds[contexts])
    better = (count + kinds * shares) / np.maximum(total + kinds, 1)
    longer = np.concatenate(([-1], np.where(known, found, -1)[:-1]))
    return np.where(total > 0, better, shares), longer


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
