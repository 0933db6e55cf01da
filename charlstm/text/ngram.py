"""An n-gram: what is to be expected after a few characters, from how often it came after them.

It is the baseline that a network has to beat. A text of a million characters is counted in about
a second.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from pydivsufsort import divsufsort, kasai

from charlstm.text.vocabulary import Ids

# Characters of history. Beside the best number for a text it costs 0 to 0.5 % with most, and up to
# 4 % with those that repeat themselves and with a thousand characters: see benchmarks/README.md.
ORDER = 6
USUAL_DISCOUNTS = [0.5, 1.0, 1.5]  # where a text has too few pairs of some small count
NEVER = -1  # the number of a history that was not seen
BLOCK = 1 << 22  # probabilities in memory at a time: 16 MB
TABLE = 1 << 20  # probabilities after short histories that are kept,
WITHOUT_TABLE = 3  # but not of so many of the highest orders, where few are of use again

Integers = npt.NDArray[np.integer[Any]]
Booleans = npt.NDArray[np.bool_]
Shares = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Level:
    """The counts of one order k: of C histories of k characters, and of M pairs.

    A pair is a history and a character that came after it. Its key is history * V + character. The
    number of a history is that of its pair one order below: of its first k - 1 characters and its
    last one. In the highest order a pair counts as often as it was seen. Below, it counts once for
    each distinct character that was seen before it.
    """

    keys: npt.NDArray[np.int64]  # (M,) in rising order
    counts: Integers  # (M,)
    shorter: Integers  # (M,) the pair without its first character, one order below
    first: Integers  # (C + 1,) the first pair of each history
    totals: Shares  # (C,) the sum of its counts
    saved: Shares  # (C,) the sum of its discounts, which goes to the order below
    discounts: Shares  # (4,) of a count of 0, 1, 2, and 3 or more

    def discount(self, counts: Integers) -> Shares:
        """What is taken from these counts."""
        taken: Shares = self.discounts[np.minimum(counts, 3)]
        return taken


class NGram:
    r"""An interpolated n-gram with modified Kneser-Ney smoothing.

    The probability of a character c after the k characters h, where h' is h without its first:

        P_k(c | h) = (a(h c) - D(a(h c)) + sum_x D(a(h x)) P_(k-1)(c | h')) / sum_x a(h x)

    a(h c) is the count of a pair, as ``Level`` has it. The discount D(a) is 0, D_1, D_2 or D_3 for
    a count of 0, 1, 2, or more: D_i = i - (i + 1) Y n_(i+1) / n_i with Y = n_1 / (n_1 + 2 n_2),
    where n_i is the number of pairs with the count i. USUAL_DISCOUNTS replace them if one is not
    between 0 and i. P_(-1) is 1 / V. After an h that was not seen P_k is P_(k-1). Chen and Goodman,
    "An empirical study of smoothing techniques for language modeling" (1998), section 3.

    The text is read as a ring: after its last character comes its first one.
    """

    def __init__(self, ids: Ids, vocab_size: int, order: int = ORDER) -> None:
        """Count ``ids``, (N,), after histories of 0 to ``order`` characters."""
        self.order, self.vocab_size = order, vocab_size
        self._levels, self._pairs = _counted(ids, order, vocab_size) if len(ids) else ([], ids)

    def distributions(self, ids: Ids) -> Shares:
        """The probability of each character at each of ``ids``, given those before it: (N, V)."""
        shares = self._uniform(len(ids))
        histories = np.zeros(len(ids), np.int64)
        for level in self._levels:
            known = histories != NEVER
            totals = np.where(known, level.totals[histories], 0)
            self._interpolate(level, shares, histories, level.saved[histories], totals)
            keys = histories * self.vocab_size + ids
            pairs = np.searchsorted(level.keys, keys).clip(max=len(level.keys) - 1)
            pairs = np.where((level.keys[pairs] == keys) & known, pairs, NEVER)
            histories = np.concatenate(([NEVER], pairs[:-1]))
        return shares

    def measure(self, ids: Ids) -> tuple[float, float]:
        """The mean of -ln of the probability of all ``ids`` but the first, and the share guessed.

        A character is guessed if no other is more probable. Memory does not grow with the text.
        """
        nats, right, size = 0.0, 0, max(1, BLOCK // self.vocab_size)
        for start in range(1, len(ids), size):
            before = max(0, start - self.order)
            block = ids[before : start + size]
            shares = self.distributions(block)[start - before :]
            given = block[start - before :]
            nats -= float(np.log(shares[np.arange(len(given)), given], dtype=np.float64).sum())
            right += int((shares.argmax(axis=-1) == given).sum())
        return nats / (len(ids) - 1), right / (len(ids) - 1)

    def without(self, positions: Integers) -> Shares:
        """The probability of each character at ``positions`` of the counted text: (N, V).

        Each as if the character there had not been counted after its history, in no order: where a
        count falls to 0, the pair one order below loses a distinct character before it.
        """
        pairs = [self._pairs[positions]]  # of each order; from the highest one down,
        for level in self._levels[:0:-1]:
            pairs.append(level.shorter[pairs[-1]])
        pairs.reverse()  # and up
        less = np.ones((self.order + 1, len(positions)), bool)  # whether a pair counts one less
        for k in range(self.order, 0, -1):
            less[k - 1] = less[k] & (self._levels[k].counts[pairs[k]] == 1)
        top, table = self._table
        # Where nothing is one less in the orders up to ``top``, they are as in the table.
        shares = table[self._levels[top].keys[pairs[top]] // self.vocab_size]
        rows = np.flatnonzero(less[top])
        rest = self._uniform(len(rows))
        for k, level in enumerate(self._levels[: top + 1]):
            self._interpolate_without(level, rest, pairs[k][rows], less[k][rows])
        shares[rows] = rest
        for k, level in enumerate(self._levels[top + 1 :], top + 1):
            self._interpolate_without(level, shares, pairs[k], less[k])
        return shares

    def _uniform(self, count: int) -> Shares:
        return np.full((count, self.vocab_size), 1 / self.vocab_size, np.float32)

    @cached_property
    def _table(self) -> tuple[int, Shares]:
        """An order, and the distributions after all histories of that order, (C, V)."""
        table = self._uniform(1)
        for k, level in enumerate(self._levels):
            C = len(level.totals)
            if k and (C * self.vocab_size > TABLE or k > self.order - WITHOUT_TABLE):
                return k - 1, table
            if k:  # begin with those of the histories that are one shorter
                below = self._levels[k - 1]
                table = table[below.keys[level.shorter[level.first[:-1]]] // self.vocab_size]
            self._interpolate(level, table, np.arange(C), level.saved, level.totals)
        return self.order, table

    def _interpolate(
        self, level: Level, shares: Shares, histories: Integers, saved: Shares, totals: Shares
    ) -> None:
        """Turn ``shares``, (N, V), from those of one order into those of the next one.

        ``saved`` and ``totals`` are those of the ``histories``, (N,). A total of 0 is that of a
        history that was not seen.
        """
        known = totals > 0
        totals = np.maximum(totals, 1)
        shares *= np.where(known, saved / totals, 1)[:, None]
        starts = level.first[histories]
        lengths = np.where(known, level.first[histories + 1] - starts, 0)
        # All pairs of the first history, then those of the second, and so on.
        before = lengths.cumsum() - lengths
        pairs = np.repeat(starts - before, lengths) + np.arange(lengths.sum())
        counts = level.counts[pairs]
        kept = (counts - level.discount(counts)) / np.repeat(totals, lengths)
        row = (np.arange(len(histories)) - histories) * self.vocab_size
        shares.reshape(-1)[level.keys[pairs] + np.repeat(row, lengths)] += kept

    def _interpolate_without(
        self, level: Level, shares: Shares, pairs: Integers, less: Booleans
    ) -> None:
        """``_interpolate`` to the histories of ``pairs``, with one less of a pair where ``less``.

        A history without any other pair is one that was not seen.
        """
        histories, characters = np.divmod(level.keys[pairs], self.vocab_size)
        totals = level.totals[histories] - less
        before = level.counts[pairs]
        change = level.discount(before - less) - level.discount(before)
        self._interpolate(level, shares, histories, level.saved[histories] + change, totals)
        rows = np.flatnonzero(less & (totals > 0))
        shares[rows, characters[rows]] -= (1 + change[rows]) / totals[rows]


def _counted(ids: Ids, order: int, V: int) -> tuple[list[Level], Integers]:
    """The levels of order 0 to ``order``, and the pair of the highest at each position, (N,).

    The suffixes of the reversed text are sorted once. In that order, a pair of any order is a run
    of neighbours that have its character and its history in common.
    """
    N = len(ids)
    text = np.ascontiguousarray(np.resize(ids[::-1], N + order))  # it goes on as a ring
    suffixes = divsufsort(text)
    common = np.concatenate(([0], kasai(text, suffixes)[:-1]))  # with the suffix before it
    inside = suffixes < N
    positions = N - 1 - suffixes[inside]  # of the character of each pair
    starts = []  # for each order, where among ``positions`` a pair begins
    for k in range(order + 1):
        runs = (common <= k).cumsum()[inside]
        starts.append(np.flatnonzero(np.diff(runs, prepend=-1)))
    starts.append(np.arange(N))
    levels: list[Level] = []
    pairs = np.zeros(N, np.int64)  # at each position, those of the order below
    ranks = np.zeros(1, np.int64)  # of its runs
    for k, (begin, finer) in enumerate(pairwise(starts)):
        first = positions[begin]
        keys = ids[first].astype(np.int64)
        if k:
            keys += pairs[first - 1] * V
        counts = np.diff(np.searchsorted(finer, begin), append=len(finer)).astype(np.int32)
        shorter = ranks[np.searchsorted(starts[k - 1], begin, "right") - 1] if k else 0 * begin
        by_key = keys.argsort()
        levels.append(_level(keys[by_key], counts[by_key], shorter[by_key].astype(np.int32), V))
        ranks = by_key.argsort()
        pairs[positions] = np.repeat(ranks, np.diff(begin, append=N))
    return levels, pairs.astype(np.int32)


def _level(keys: npt.NDArray[np.int64], counts: Integers, shorter: Integers, V: int) -> Level:
    """The level of these pairs, with its discounts and its sums."""
    n = [int(np.count_nonzero(counts == i)) for i in (1, 2, 3, 4)]
    y = n[0] / max(1, n[0] + 2 * n[1])
    taken = [i - (i + 1) * y * n[i] / max(1, n[i - 1]) for i in (1, 2, 3)]
    if not all(0 < discount < i for i, discount in enumerate(taken, 1)):
        taken = USUAL_DISCOUNTS
    discounts = np.array([0.0, *taken], np.float32)
    first = np.searchsorted(keys // V, np.arange(keys[-1] // V + 2))
    return Level(
        keys=keys,
        counts=counts,
        shorter=shorter,
        first=first,
        totals=np.add.reduceat(counts, first[:-1]).astype(np.float32),
        saved=np.add.reduceat(discounts[np.minimum(counts, 3)], first[:-1]),
        discounts=discounts,
    )
