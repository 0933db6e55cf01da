"""Texts that a model has read are told from texts that it has not."""

import random

import numpy as np
import pytest

from charlstm.text.passages import (
    BLOCK,
    MOST,
    NO_PASSAGES,
    WINDOW,
    Hashes,
    merged,
    sampled_passages,
    share_read,
)
from charlstm.text.vocabulary import Vocabulary


def words(seed: int, count: int) -> str:
    """A text of random words in lines."""
    rng = random.Random(seed)
    made = ("".join(rng.choices("abcdefghijklmnop", k=rng.randint(2, 9))) for _ in range(count))
    return "".join(word + ("\n" if i % 9 == 8 else " ") for i, word in enumerate(made))


def passages(text: str) -> Hashes:
    vocabulary = Vocabulary("".join(sorted(set(text))))
    return sampled_passages(vocabulary.encode(text), vocabulary)


def test_a_part_of_a_text_that_was_read_is_known() -> None:
    """Wherever it is cut, and with another vocabulary; a text that was not read is not known."""
    text = words(1, 20_000)
    read = passages(text)
    assert share_read(passages(text[33_333:44_444]), read) == 1.0
    assert share_read(passages(words(2, 5_000)), read) == 0.0
    half = passages(text[:20_000] + words(3, 3_600))
    assert 0.4 < (share_read(half, read) or 0) < 0.6


def test_another_edition_is_known() -> None:
    """Case, line ends, spaces and punctuation make no difference."""
    text = words(1, 5_000)
    other = text.upper().replace("\n", "  ").replace(" A", ", A")
    assert share_read(passages(other), passages(text)) == 1.0


def test_the_hashes_of_a_long_text_are_few_and_spread() -> None:
    """A sample of MOST passages still tells each part of it, and two samples can be merged."""
    ids = np.random.default_rng(0).integers(0, 9, 1_500_000).astype(np.uint8)
    vocabulary = Vocabulary("abcdefghi")
    read = sampled_passages(ids, vocabulary)
    assert len(read) == MOST
    for start in range(0, len(ids), 500_000):
        assert share_read(sampled_passages(ids[start : start + 50_000], vocabulary), read) == 1.0
    # What lies across the border of two blocks is sampled too.
    across = ids[9 * BLOCK - 20_000 : 9 * BLOCK + 20_000]
    assert share_read(sampled_passages(across, vocabulary), read) == 1.0
    cut = len(ids) // 2
    halves = [sampled_passages(part, vocabulary) for part in (ids[:cut], ids[cut:])]
    both = merged(*halves)
    assert np.isin(both, read).mean() > 0.99  # all but those that lie across the cut


@pytest.mark.parametrize("text", ["ab" * (WINDOW // 4), " .,;!" * 100, "x" * (WINDOW - 1) + " "])
def test_a_text_that_is_too_short_cannot_be_compared(text: str) -> None:
    """It has no passage, so nothing is claimed of it."""
    assert share_read(passages(text), passages(words(1, 5_000))) is None


def test_what_has_no_hashes_says_nothing() -> None:
    """A model of an older kind has none."""
    assert share_read(passages(words(1, 5_000)), NO_PASSAGES) is None
