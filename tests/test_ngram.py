"""The n-gram: its formulas against a direct count, sums, and published figures."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import charlstm.text.ngram as module
from charlstm.text.ngram import NGram
from charlstm.text.vocabulary import Vocabulary

V = 4
texts = st.lists(st.integers(0, V - 1), min_size=1, max_size=60).map(
    lambda found: np.array(found, np.uint8)
)
orders = st.integers(0, 4)


def counted(ids: np.ndarray, order: int, left_out: int | None = None) -> list[Counter]:
    """For each order how often its pairs count in the ring, without the one at ``left_out``."""
    N = len(ids)
    pairs = [tuple(int(ids[(t - j) % N]) for j in range(order, -1, -1)) for t in range(N)]
    levels = [Counter(pairs)]
    if left_out is not None:
        levels[0][pairs[left_out]] -= 1
    for _ in range(order):
        levels.append(Counter(pair[1:] for pair, count in levels[-1].items() if count))
    return levels[::-1]


def discounts(counts: Counter) -> list[float]:
    """D(0) to D(3), by Chen and Goodman's formula."""
    n = [0, *(sum(count == i for count in counts.values()) for i in (1, 2, 3, 4))]
    y = n[1] / max(1, n[1] + 2 * n[2])
    taken = [i - (i + 1) * y * n[i + 1] / max(1, n[i]) for i in (1, 2, 3)]
    return [0, *(taken if all(0 < d < i for i, d in enumerate(taken, 1)) else (0.5, 1, 1.5))]


def expected(
    levels: list[Counter], taken: list[list[float]], history: tuple[int, ...]
) -> np.ndarray:
    """The distribution after ``history``, of as many characters as the highest order has."""
    shares = np.full(V, 1 / V)
    for k, level in enumerate(levels):
        counts = [level[(*history[len(history) - k :], c)] for c in range(V)]
        if sum(counts):
            less = np.array([taken[k][min(count, 3)] for count in counts])
            shares = (np.array(counts) - less + less.sum() * shares) / sum(counts)
    return shares


def test_the_formula_by_hand() -> None:
    """Of nine characters four are there once, two twice, one three times, one four times."""
    ids = np.array([0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 6, 7, 7, 7, 7], np.uint8)
    # Y = 4 / (4 + 2 * 2) = 1/2. D_1 = 1 - 2 Y 2/4 = 1/2, D_2 = 2 - 3 Y 1/2 = 5/4, D_3 = 3 - 4 Y.
    saved = (4 * 0.5 + 2 * 1.25 + 1 + 1) / 9
    counts = [1 - 0.5, 2 - 1.25, 3 - 1, 4 - 1, 0]
    found = NGram(ids, 9, order=0).distributions(ids)[0]
    assert found[[0, 4, 6, 7, 8]] == pytest.approx([(count + saved) / 15 for count in counts])


def test_a_text_without_rare_pairs() -> None:
    """The formula would take all from the counts of a text that was doubled."""
    found = NGram(np.array([0, 1, 0, 1], np.uint8), 3, order=1).distributions(np.array([0, 0]))[1]
    # 1/2, 1 and 3/2 are taken from counts of 1, 2 and more. P_0(b) = (1 - 1/2 + 1/3) / 2 = 5/12.
    assert found[1] == pytest.approx((2 - 1 + 1 * 5 / 12) / 2)


@given(texts, texts, orders)
def test_probabilities_are_those_of_a_direct_count(
    train: np.ndarray, text: np.ndarray, order: int
) -> None:
    """After any history, seen or not; at the beginning of a text it is shorter."""
    levels = counted(train, order)
    taken = [discounts(level) for level in levels]
    found = NGram(train, V, order).distributions(text)
    for t, row in enumerate(found):
        k = min(t, order)
        history = tuple(map(int, text[t - k : t]))
        known = next(n for n in range(k, -1, -1) if n == 0 or seen(levels, history, n))
        truth = expected(levels[: known + 1], taken, history[len(history) - known :])
        assert row == pytest.approx(truth, abs=1e-6)
    assert found.sum(axis=1) == pytest.approx(1)


def seen(levels: list[Counter], history: tuple[int, ...], k: int) -> bool:
    """Whether the last k characters of a history came before anything."""
    return any(levels[k][(*history[len(history) - k :], c)] for c in range(V))


@pytest.mark.parametrize("without_table", [0, 1, 3])
@given(train=texts, order=orders)
def test_an_occurrence_that_is_left_out(without_table: int, train: np.ndarray, order: int) -> None:
    """It is as if the counts had been made without it, in all orders; discounts stay."""
    taken = [discounts(level) for level in counted(train, order)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WITHOUT_TABLE", without_table)
        found = NGram(train, V, order).without(np.arange(len(train)))
    for t, row in enumerate(found):
        history = tuple(int(train[(t - j) % len(train)]) for j in range(order, 0, -1))
        assert row == pytest.approx(expected(counted(train, order, t), taken, history), abs=1e-6)


@given(texts, texts.filter(lambda found: len(found) > 1), orders)
def test_a_measure_does_not_depend_on_blocks(
    train: np.ndarray, text: np.ndarray, order: int
) -> None:
    """A block knows the end of the one before it."""
    ngram = NGram(train, V, order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", 3 * V)
        in_blocks = ngram.measure(text)
    shares = ngram.distributions(text)[1:]
    own = shares[np.arange(len(text) - 1), text[1:]]
    right = (shares.argmax(axis=1) == text[1:]).mean()
    assert in_blocks == pytest.approx((-np.log(own).mean(), right), rel=1e-5)


@pytest.mark.parametrize("vocab_size", [300, 5000])
def test_an_alphabet_of_thousands(vocab_size: int) -> None:
    """Ids of more than a byte are sorted, too."""
    ids = np.random.default_rng(0).integers(0, vocab_size, 3000).astype(np.uint16)
    ngram = NGram(ids, vocab_size)
    assert ngram.distributions(ids[:50]).sum(axis=1) == pytest.approx(1, rel=1e-5)
    assert ngram.without(np.arange(50)).sum(axis=1) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "split", "loss"), [("tinyshakespeare", 1_003_854, 1.5165), ("macbeth", 93_084, 1.524)]
)
def test_published_figures(shared_corpora: Path, name: str, split: int, loss: float) -> None:
    """The loss on the last tenth, learned from the rest."""
    text = (shared_corpora / f"{name}.txt").read_text()
    vocabulary = Vocabulary("".join(sorted(set(text))))
    ids = vocabulary.encode(text)
    found, _ = NGram(ids[:split], len(vocabulary)).measure(ids[split:])
    assert found == pytest.approx(loss, abs=0.0005)
