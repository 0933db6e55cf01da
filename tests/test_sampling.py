"""One id from logits, on distributions small enough to check by hand."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charlstm.errors import ModelFileError, OptionError
from charlstm.generation.sampling import NO_ID, Sampling, probabilities, sample, sample_batch

LOGITS = np.log(np.array([0.1, 0.2, 0.3, 0.4], np.float32))


@pytest.mark.parametrize(
    ("uniform", "chosen"), [(0.0, 0), (0.099, 0), (0.101, 1), (0.299, 1), (0.301, 2), (0.999, 3)]
)
def test_a_draw_is_the_inverse_of_the_cumulated_probability(uniform: float, chosen: int) -> None:
    """At temperature 1 the shares are the softmax's."""
    assert sample(LOGITS, Sampling(), uniform=uniform) == chosen


def test_temperature_sharpens_and_flattens() -> None:
    """Probabilities go with the power 1 / T: squares at 0.5, roots at 2."""
    squares = np.array([0.01, 0.04, 0.09, 0.16]) / 0.30
    roots = np.sqrt([0.1, 0.2, 0.3, 0.4]) / np.sqrt([0.1, 0.2, 0.3, 0.4]).sum()
    for temperature, shares in ((0.5, squares), (2.0, roots)):
        sampling = Sampling(temperature=temperature)
        grid = (np.arange(20_000) + 0.5) / 20_000
        drawn = [sample(LOGITS, sampling, uniform=u) for u in grid]
        np.testing.assert_allclose(np.bincount(drawn) / 20_000, shares, atol=1e-4)
        np.testing.assert_allclose(probabilities(LOGITS, sampling), shares, atol=1e-6)


def test_temperature_zero_is_greedy() -> None:
    """The most probable, the lowest id among equals, whatever the draw."""
    greedy = Sampling(temperature=0.0)
    assert sample(LOGITS, greedy, uniform=0.0) == 3
    assert sample(np.array([1.0, 5.0, 5.0]), greedy, uniform=0.99) == 1
    assert probabilities(LOGITS, greedy).tolist() == [0, 0, 0, 1]


# Shares of 16 in the order of the ids, so that sums are exact.
SHARES = [1, 2, 8, 4, 1]
TABLE: list[tuple[dict[str, Any], list[int], list[int]]] = [
    # settings, recent ids, what the probabilities are proportional to
    ({}, [], [1, 2, 8, 4, 1]),
    ({"top_k": 1}, [], [0, 0, 8, 0, 0]),
    ({"top_k": 3}, [], [0, 2, 8, 4, 0]),
    ({"top_k": 4}, [], [1, 2, 8, 4, 0]),  # of two equals the lower id
    ({"top_k": 5}, [], [1, 2, 8, 4, 1]),
    ({"top_k": 99}, [], [1, 2, 8, 4, 1]),
    ({"top_p": 1e-300}, [], [0, 0, 8, 0, 0]),  # the most probable always stays
    ({"top_p": 0.5}, [], [0, 0, 8, 0, 0]),  # reaches p exactly
    ({"top_p": 0.51}, [], [0, 0, 8, 4, 0]),  # the one that crosses is in
    ({"top_p": 0.75}, [], [0, 0, 8, 4, 0]),
    ({"top_p": 0.8}, [], [0, 2, 8, 4, 0]),
    ({"top_p": 0.9}, [], [1, 2, 8, 4, 0]),
    ({"min_p": 0.125}, [], [1, 2, 8, 4, 1]),  # 1 of 8 exactly
    ({"min_p": 0.126}, [], [0, 2, 8, 4, 0]),
    ({"min_p": 1}, [], [0, 0, 8, 0, 0]),
    ({"banned": (2,)}, [], [1, 2, 0, 4, 1]),
    ({"banned": (0, 1, 3, 4)}, [], [0, 0, 8, 0, 0]),
    ({"repetition_penalty": 4}, [2, 2, 0], [0.25, 2, 2, 4, 1]),  # once, however often it occurred
    ({"repetition_penalty": 0.5}, [1], [1, 4, 8, 4, 1]),  # below 1 it is a reward
    ({"repetition_penalty": 4}, [], [1, 2, 8, 4, 1]),
    ({"temperature": 0.5}, [], [1, 4, 64, 16, 1]),
    ({"temperature": 0}, [], [0, 0, 1, 0, 0]),
    # The order in which they act.
    ({"banned": (2,), "temperature": 0}, [], [0, 0, 0, 1, 0]),
    ({"repetition_penalty": 4, "temperature": 0}, [2], [0, 0, 0, 1, 0]),
    ({"banned": (2,), "top_k": 1}, [], [0, 0, 0, 4, 0]),  # top_k counts what is left
    ({"repetition_penalty": 4, "top_k": 2}, [2], [0, 2, 0, 4, 0]),  # 2, 4; then 8 / 4, a later id
    ({"repetition_penalty": 4, "temperature": 0.5}, [2], [1, 4, 4, 16, 1]),  # (8 / 4)^2
    ({"temperature": 0.5, "top_p": 0.75}, [], [0, 0, 64, 16, 0]),  # 64 of 86 is not enough
    ({"temperature": 0.5, "min_p": 0.125}, [], [0, 0, 64, 16, 0]),  # 1 of 4 after squaring
    ({"top_k": 2, "top_p": 0.66}, [], [0, 0, 8, 0, 0]),  # 8 of the 12 that top_k leaves
    ({"banned": (2,), "top_p": 0.5}, [], [0, 0, 0, 4, 0]),  # 4 of 8
    ({"banned": (2,), "min_p": 0.5}, [], [0, 2, 0, 4, 0]),  # of what is then the most probable
    ({"top_p": 0.8, "min_p": 0.5}, [], [0, 0, 8, 4, 0]),
]


@pytest.mark.parametrize(("settings", "recent", "shares"), TABLE)
def test_each_filter_and_their_order(
    settings: dict[str, Any], recent: list[int], shares: list[float]
) -> None:
    """Worked out by hand, for one stream and as a row of a batch."""
    # Exact shares need exact logits: those of powers of two come back from exp to the last bit.
    logits = np.log(np.array(SHARES, np.float64))
    expected = np.array(shares) / sum(shares)
    sampling = Sampling(**settings)
    np.testing.assert_allclose(probabilities(logits, sampling, recent), expected, atol=1e-12)
    batch = np.stack([logits, logits[::-1]])
    padded = np.array([[*recent, NO_ID], [*(4 - i for i in recent), NO_ID]])
    np.testing.assert_allclose(probabilities(batch, sampling, padded)[0], expected, atol=1e-12)


def test_the_example_of_the_manual_page() -> None:
    """Four characters, the nucleus of 0.7, and the same without the first."""
    logits = np.log([0.5, 0.3, 0.15, 0.05])
    shares = probabilities(logits, Sampling(top_p=0.7))
    assert shares.round(3).tolist() == [0.625, 0.375, 0, 0]
    left = probabilities(logits, Sampling(banned=(0,)))
    assert left.round(3).tolist() == [0, 0.6, 0.3, 0.1]
    shares = probabilities(logits, Sampling(banned=(0,), top_p=0.7))
    assert shares.round(3).tolist() == [0, 0.667, 0.333, 0]


def test_top_k_keeps_exactly_k_of_equals() -> None:
    """A threshold would keep them all."""
    for k in range(1, 7):
        kept = probabilities(np.zeros(7), Sampling(top_k=k))
        assert kept.tolist() == [1 / k] * k + [0] * (7 - k)


def test_filters_that_leave_everything_change_no_draw() -> None:
    """A text is the same with a filter as without where the filter does nothing."""
    wide = Sampling(top_k=4, min_p=1e-9, top_p=1 - 1e-12, repetition_penalty=1 + 1e-15)
    for uniform in np.linspace(0, 1, 200, endpoint=False):
        assert sample(LOGITS, wide, uniform=uniform, recent=[0]) == sample(
            LOGITS, Sampling(), uniform=uniform
        )


samplings = st.builds(
    Sampling,
    temperature=st.sampled_from([0, 5e-324, 0.3, 1, 2.5, 1e4]),
    top_k=st.integers(0, 9),
    top_p=st.floats(0, 1, exclude_min=True),
    min_p=st.floats(0, 1),
    repetition_penalty=st.sampled_from([5e-324, 0.5, 1, 1, 1.3, 1e308]),
    banned=st.sampled_from([(), (), (0,), (1, 1)]),
)
uniforms = st.floats(0, 1, exclude_max=True)


@settings(deadline=None)
@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=9), samplings, uniforms)
def test_any_logits_give_an_id_that_has_a_share(
    logits: list[float], sampling: Sampling, uniform: float
) -> None:
    """No overflow, no id past the end, none of probability zero, however extreme the numbers."""
    array = np.array(logits, np.float32)
    with np.errstate(all="raise", under="ignore"):
        chosen = sample(array, sampling, uniform=uniform, recent=[2])
        shares = probabilities(array, sampling, [2])
    assert shares[chosen] > 0
    assert chosen not in sampling.banned
    assert shares.sum() == pytest.approx(1)
    if sampling.top_k:
        assert np.count_nonzero(shares) <= sampling.top_k


@settings(deadline=None)
@given(st.data(), samplings, st.integers(3, 70), st.integers(1, 9))
def test_a_row_of_a_batch_gets_what_it_gets_alone(
    data: st.DataObject, sampling: Sampling, V: int, B: int
) -> None:
    """To the last bit, with every filter, also among equal logits."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    logits = rng.normal(scale=3, size=(B, V)).astype(np.float32).round(data.draw(st.integers(0, 7)))
    draws = rng.random(B)
    recent = rng.integers(NO_ID, V, size=(B, 5))
    together = sample_batch(logits, sampling, uniforms=draws, recent=recent)
    shares = probabilities(logits, sampling, recent)
    for row in range(B):
        alone = [i for i in recent[row] if i != NO_ID]
        assert sample(logits[row], sampling, uniform=draws[row], recent=alone) == together[row]
        np.testing.assert_array_equal(probabilities(logits[row], sampling, alone), shares[row])


@pytest.mark.parametrize("logits", [[np.nan, 0.0], [np.inf, np.inf], [-np.inf, -np.inf]])
@pytest.mark.parametrize("sampling", [Sampling(), Sampling(temperature=0), Sampling(top_k=1)])
def test_logits_that_are_none_are_refused(logits: list[float], sampling: Sampling) -> None:
    """Weights near the end of float32 overflow; no id comes of it."""
    array = np.array(logits, np.float32)
    with pytest.raises(ModelFileError, match="too large"):
        sample(array, sampling, uniform=0.5)
    with pytest.raises(ModelFileError, match="too large"):
        sample_batch(
            np.stack([array, np.ones_like(array)]), sampling, uniforms=np.array([0.5, 0.5])
        )
    with pytest.raises(ModelFileError, match="too large"):
        probabilities(array, sampling)


@pytest.mark.parametrize(
    ("name", "said", "values"),
    [
        ("temperature", "temperature is", [-1, float("nan"), float("inf"), "1", True, None]),
        ("top_k", "top_k is", [-1, 1.5, True, float("nan")]),
        ("top_p", "top_p is", [0, -0.1, 1.01, float("nan"), float("inf")]),
        ("min_p", "min_p is", [-0.1, 1.01, float("nan")]),
        ("repetition_penalty", "repetition_penalty is", [0, -1, float("nan"), float("inf")]),
        ("repetition_window", "repetition_window is", [0, -3, 1 << 17, 1.0]),
    ],
)
def test_settings_out_of_range_are_refused(name: str, said: str, values: list[Any]) -> None:
    """With their value."""
    for value in values:
        with pytest.raises(OptionError, match=said):
            Sampling(**{name: value})


def test_something_must_be_left_to_draw() -> None:
    """A ban of everything is refused before a draw."""
    assert Sampling().banning("caax", "abc").banned == (0, 2)
    with pytest.raises(OptionError, match="all 3 characters"):
        Sampling().banning("abc", "abc")


@pytest.mark.parametrize("level", [-5000.0, -800.0, -50.0, 0.0, 50.0, 800.0, 5000.0])
def test_where_logits_have_their_zero_makes_no_difference(level: float) -> None:
    """One stream and a batch draw the same, though exponentials may be beyond all numbers."""
    logits = np.log([0.2, 0.3, 0.5])
    rows = np.stack((logits, logits + level, logits - level))
    for uniform, expected in ((0.1, 0), (0.4, 1), (0.9, 2)):
        with np.errstate(over="ignore"):
            assert sample(logits + level, Sampling(), uniform=uniform) == expected
        drawn = sample_batch(rows, Sampling(), uniforms=np.full(3, uniform))
        assert drawn.tolist() == [expected] * 3
