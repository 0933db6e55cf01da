"""The predictors that a model is compared with: formulas by hand, sums, a published figure."""

import bz2
import lzma
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlstm.analysis.baselines import NGram, baselines, best_order
from charlstm.text.vocabulary import Vocabulary

A, B, C = range(3)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        # Trained on "abab" with V = 3. P_-1 = 1/3. Of 4 characters T = 2 kinds: P_0 = (2 + 2/3) / 6
        # for a and b, and (0 + 2/3) / 6 for c.
        (0, {"a": 4 / 9, "b": 4 / 9, "c": 1 / 9}),
        # After a came b, twice: T = 1. P_1(x|a) = (count + P_0(x)) / 3.
        (1, {"a": 4 / 27, "b": 22 / 27, "c": 1 / 27}),
        # After ba came b, once: T = 1. P_2(x|ba) = (count + P_1(x|a)) / 2.
        (2, {"a": 2 / 27, "b": 49 / 54, "c": 1 / 54}),
        # After bba nothing ever came: P_3 = P_2.
        (3, {"a": 2 / 27, "b": 49 / 54, "c": 1 / 54}),
    ],
)
def test_witten_bell_by_hand(order: int, expected: dict[str, float]) -> None:
    """The probability of each character after "bba"."""
    ngram = NGram(np.array([A, B, A, B], np.uint8), order, 3)
    for character, share in expected.items():
        text = np.array([B, B, A, "abc".index(character)], np.uint8)
        assert ngram.probabilities(text)[-1] == pytest.approx(share)


ids = st.lists(st.integers(0, 3), max_size=40).map(lambda found: np.array(found, np.uint8))


@given(ids, ids, st.integers(0, 5))
def test_probabilities_add_up(train: np.ndarray, before: np.ndarray, order: int) -> None:
    """To 1 over all characters, after any context, seen or not."""
    ngram = NGram(train, order, 4)
    shares = [ngram.probabilities(np.append(before, c).astype(np.uint8))[-1] for c in range(4)]
    assert min(shares) > 0
    assert sum(shares) == pytest.approx(1)


@given(ids, ids.filter(lambda found: len(found) > 1), st.integers(0, 5))
def test_the_loss_does_not_depend_on_blocks(
    train: np.ndarray, text: np.ndarray, order: int
) -> None:
    """A block knows the end of the one before it."""
    ngram = NGram(train, order, 4)
    expected = -np.log(ngram.probabilities(text)[1:]).mean()
    assert ngram.loss(text) == pytest.approx(expected)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("charlstm.text.dataset.BLOCK_IDS", 3)
        assert ngram.loss(text) == pytest.approx(expected)


def test_the_figure_of_tiny_shakespeare(shared_corpora: Path) -> None:
    """Four characters of context, last tenth: 1.669 nats, and no other order is chosen."""
    text = (shared_corpora / "tinyshakespeare.txt").read_text()
    vocabulary = Vocabulary("".join(sorted(set(text))))
    encoded = vocabulary.encode(text)
    train, val = encoded[:1003854], encoded[1003854:]
    order = best_order(train, len(vocabulary))
    assert order == 4
    assert NGram(train, order, len(vocabulary)).loss(val) == pytest.approx(1.669, abs=0.0005)


def test_the_order_is_chosen_in_the_training_part() -> None:
    """It has the lowest loss on the last tenth; in noise no context tells anything."""
    rng = np.random.default_rng(0)
    noise = rng.integers(3, size=6000).astype(np.uint8)
    made = noise.copy()
    for t in np.flatnonzero(rng.random(6000) < 0.8):
        made[t] = (made[t - 1] + made[t - 2]) % 3
    losses = [NGram(made[:5400], order, 3).loss(made[5400:]) for order in range(8)]
    assert best_order(made, 3) == np.argmin(losses) > 1
    assert best_order(noise, 3) == 0
    assert best_order(noise[:1], 3) == 0


def test_all_baselines_of_a_text() -> None:
    """Frequencies by hand; compressors give the sizes of the modules of Python, in UTF-8."""
    vocabulary = Vocabulary("ab\u20ac")
    train = vocabulary.encode("aab" * 30)
    text = "b" + "ab\u20ac" * 50
    found = {b.name: b for b in baselines(vocabulary, train, vocabulary.encode(text))}
    ngram = f"n-gram of order {best_order(train, 3)}"
    assert list(found) == ["character frequencies", ngram, "xz -9e", "bzip2 -9"]
    frequencies = found["character frequencies"]
    assert frequencies.accuracy == pytest.approx(1 / 3)
    shares = [(60 + 2 / 3) / 92, (30 + 2 / 3) / 92, (2 / 3) / 92]  # Witten and Bell, of 90
    assert frequencies.loss == pytest.approx(-sum(map(math.log, shares)) / 3)
    data = text[1:].encode()
    for name, packed in (
        ("xz -9e", lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)),
        ("bzip2 -9", bz2.compress(data, 9)),
    ):
        assert found[name].bits_per_char == pytest.approx(8 * len(packed) / 150)
        assert found[name].accuracy is None


@pytest.mark.parametrize("size", [0, 1, 2])
def test_a_training_part_of_almost_nothing(size: int) -> None:
    """What was never counted is as likely as anything else."""
    vocabulary = Vocabulary("abc")
    found = baselines(vocabulary, np.zeros(size, np.uint8), vocabulary.encode("abcabc"))
    assert all(math.isfinite(baseline.loss) for baseline in found)
    if not size:
        assert found[0].loss == pytest.approx(math.log(3))
