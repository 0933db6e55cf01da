"""What a model has read, as hashes of sampled passages: enough to tell a text that it has read.

A passage is WINDOW letters and digits in a row. Case, spaces, line ends and punctuation do not
count, so another edition of the same text is recognised. Which passages are sampled depends on
their own letters alone, and so the same ones are sampled wherever a text is cut or joined.
"""

import numpy as np
import numpy.typing as npt

from charlstm.text.vocabulary import Ids, Vocabulary

Hashes = npt.NDArray[np.uint64]

WINDOW = 48  # letters and digits; two texts that have so many in common have a common source
MOST = 12_000  # hashes of a model: 96 kB
SAMPLED = 64  # of so many passages one is sampled, of a long text fewer
BLOCK = 1 << 16  # characters that are hashed at a time
LONGEST = 512 * BLOCK  # of a longer text not every block is sampled
NOTICED = 0.05  # the share of a text that was read, from which a loss is not one of unseen text
NO_PASSAGES: Hashes = np.empty(0, np.uint64)

_LIMIT = np.uint64(2**64 // SAMPLED)
_MULTIPLIER = 0x9E3779B97F4A7C15
_INVERSE = pow(_MULTIPLIER, -1, 2**64)


def sampled_passages(ids: Ids, vocabulary: Vocabulary) -> Hashes:
    """The hashes of sampled passages of a text, sorted: (K,), at most MOST.

    Of a text with more than LONGEST characters only a part is read, so that ``share_read`` finds
    only this share of it.

    >>> vocabulary = Vocabulary(" abcdefgh")
    >>> ids = np.random.default_rng(0).integers(0, 9, 9000).astype(np.uint8)
    >>> read, part = sampled_passages(ids, vocabulary), ids[3000:6000]
    >>> share_read(sampled_passages(part, vocabulary), read)
    1.0
    """
    letters = _letters(vocabulary)
    every = max(1, -(-len(ids) // LONGEST))
    found, before = [NO_PASSAGES], letters[:0]
    for start in range(0, len(ids), every * BLOCK):
        values = letters[ids[start : start + BLOCK]]
        values = np.concatenate((before, values[values > 0]))
        hashes = _hashes(values)
        found.append(hashes[hashes < _LIMIT])
        if every == 1:  # else the next block does not continue this one
            before = values[-(WINDOW - 1) :]
    return _smallest(found)


def merged(one: Hashes, other: Hashes) -> Hashes:
    """The hashes of what two models have read, or one model before and after."""
    return _smallest([one, other])


def share_read(passages: Hashes, read: Hashes) -> float | None:
    """The share of the sampled ``passages`` of a text that are among those ``read``.

    None if no passage of the text can be compared, because the text is too short.
    """
    limit = read[-1] if len(read) == MOST else _LIMIT
    comparable = passages[passages <= limit]
    if not len(comparable) or not len(read):
        return None
    return float(np.isin(comparable, read).mean())


def has_short_lines(ids: Ids, vocabulary: Vocabulary) -> bool:
    r"""Whether most letters of a text stand in lines of fewer letters than a passage has.

    The passages of such a text change with the order of its lines, as in a list of names. That none
    of them was read then does not tell whether the lines were.

    >>> vocabulary = Vocabulary("\nab")
    >>> has_short_lines(vocabulary.encode("ab\nba\n"), vocabulary)
    True
    """
    if "\n" not in vocabulary:
        return False
    is_letter, line_end = _letters(vocabulary) > 0, int(vocabulary.encode("\n")[0])
    short = total = 0
    for start in range(0, len(ids), BLOCK):
        block = ids[start : start + BLOCK]
        lengths = np.add.reduceat(
            is_letter[block], [0, *np.flatnonzero(block == line_end)], dtype=int
        )
        short += int(lengths[lengths < WINDOW].sum())
        total += int(lengths.sum())
    return 2 * short > total


def _smallest(several: list[Hashes]) -> Hashes:
    """All hashes together; if they are more than MOST, the smallest of them.

    The smallest hashes are a random sample of the passages, and two such samples can be merged
    (Broder 1997, "On the resemblance and containment of documents").
    """
    return np.unique(np.concatenate(several))[:MOST]


def _letters(vocabulary: Vocabulary) -> Hashes:
    """A random number for each id that is a letter or a digit, the same for both cases; else 0.

    It is 0 for an unknown character, too, which is the last one.
    """
    points = [ord(c.lower()[0]) if c.isalnum() else 0 for c in vocabulary.characters]
    return _mixed(np.array([*points, 0], np.uint64))


def _hashes(values: Hashes) -> Hashes:
    """The hash of each window of ``values``, (N,): (N - WINDOW + 1,).

    A polynomial of the window's values modulo 2 ** 64, from running sums (Karp and Rabin 1987).
    """
    n = len(values) - WINDOW + 1
    if n < 1:
        return NO_PASSAGES
    powers = np.full(len(values), _MULTIPLIER, np.uint64)
    inverse = np.full(len(values), _INVERSE, np.uint64)
    powers[0] = inverse[0] = 1
    sums = np.concatenate(([np.uint64(0)], np.cumsum(values * np.cumprod(inverse))))
    return _mixed((sums[WINDOW:] - sums[:-WINDOW]) * np.cumprod(powers)[:n])


def _mixed(values: Hashes) -> Hashes:
    """The values with their bits mixed (the last steps of SplitMix64); 0 stays 0."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
