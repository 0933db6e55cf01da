"""One id from logits, on distributions small enough to check by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlstm.errors import ModelFileError, OptionError
from charlstm.sampling import check_temperature, sample

LOGITS = np.log(np.array([0.1, 0.2, 0.3, 0.4], np.float32))


@pytest.mark.parametrize(
    ("uniform", "chosen"), [(0.0, 0), (0.099, 0), (0.101, 1), (0.299, 1), (0.301, 2), (0.999, 3)]
)
def test_a_draw_is_the_inverse_of_the_cumulated_probability(uniform: float, chosen: int) -> None:
    """At temperature 1 the shares are the softmax's."""
    assert sample(LOGITS, temperature=1.0, uniform=uniform) == chosen


def test_temperature_sharpens_and_flattens() -> None:
    """Probabilities go with the power 1 / T: squares at 0.5, roots at 2."""
    squares = np.array([0.01, 0.04, 0.09, 0.16]) / 0.30
    roots = np.sqrt([0.1, 0.2, 0.3, 0.4]) / np.sqrt([0.1, 0.2, 0.3, 0.4]).sum()
    for temperature, shares in ((0.5, squares), (2.0, roots)):
        grid = (np.arange(20_000) + 0.5) / 20_000
        drawn = [sample(LOGITS, temperature=temperature, uniform=u) for u in grid]
        np.testing.assert_allclose(np.bincount(drawn) / 20_000, shares, atol=1e-4)


def test_temperature_zero_is_greedy() -> None:
    """The most probable, the lowest id among equals, whatever the draw."""
    assert sample(LOGITS, temperature=0.0, uniform=0.0) == 3
    assert sample(np.array([1.0, 5.0, 5.0]), temperature=0.0, uniform=0.99) == 1


@given(
    st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=9),
    st.floats(5e-324, 1e4),
    st.floats(0, 1, exclude_max=True),
)
def test_any_logits_give_an_id_that_has_a_share(
    logits: list[float], temperature: float, uniform: float
) -> None:
    """No overflow, no id past the end, none of probability zero, however extreme the numbers."""
    array = np.array(logits, np.float32)
    with np.errstate(all="raise", under="ignore", over="raise"):
        chosen = sample(array, temperature=temperature, uniform=uniform)
    with np.errstate(over="ignore"):
        assert np.exp((array[chosen].astype(float) - array.max()) / temperature) > 0


@pytest.mark.parametrize("logits", [[np.nan, 0.0], [np.inf, np.inf], [-np.inf, -np.inf]])
def test_logits_that_are_none_are_refused(logits: list[float]) -> None:
    """Weights near the end of float32 overflow; no id comes of it."""
    with pytest.raises(ModelFileError, match="too large"):
        sample(np.array(logits, np.float32), temperature=1.0, uniform=0.5)


@pytest.mark.parametrize("temperature", [-1, float("nan"), float("inf"), "1", True, None])
def test_a_temperature_that_is_none_is_refused(temperature: object) -> None:
    """With its value."""
    with pytest.raises(OptionError, match="temperature is"):
        check_temperature(temperature)  # type: ignore[arg-type]
