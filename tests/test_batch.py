"""Texts in batches: each is the same whatever stands beside it."""

import pytest

from charlstm.batch import TILE
from charlstm.generate import generate
from charlstm.samples import Sample, samples
from charlstm.sampling import Sampling

from .test_generate import make_model

MODEL = make_model("abcdefgh\n")


def texts(count: int, **how: object) -> list[Sample]:
    asked: dict[str, object] = {"random_seed": 5, "length": 60, **how}
    return list(samples(MODEL, "abc", count=count, **asked))  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1, 2, 7, TILE - 1, TILE, TILE + 1])
def test_a_text_does_not_depend_on_how_many_there_are(count: int) -> None:
    """Not in a character, and not in the last bit of its surprise."""
    all_of_them = texts(2 * TILE + 3, measure=True)
    assert [sample.number for sample in all_of_them] == list(range(2 * TILE + 3))
    assert texts(count, measure=True) == all_of_them[:count]


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"sampling": Sampling(temperature=0)},
        {"sampling": Sampling(top_k=3, top_p=0.9, min_p=0.05)},
        {"sampling": Sampling(repetition_penalty=1.5, repetition_window=4)},
        {"stop": ["ab", "hh"]},
        {"lines": 2, "length": 500},
        {"length": 0},
    ],
)
def test_a_text_is_the_one_that_is_written_alone(how: dict[str, object]) -> None:
    """The same characters, surprise and end, whatever the settings."""
    for sample in texts(9, measure=True, **how):
        asked: dict[str, object] = {"length": 60, **how}
        alone = generate(
            MODEL,
            "abc",
            random_seed=5,
            sample=sample.number,
            measure=True,
            **asked,  # type: ignore[arg-type]
        )
        assert "".join(alone) == sample.text
        assert alone.end == sample.end
        assert (alone.bits_per_char is None) == (sample.bits_per_char is None)
        assert (alone.bits_per_char or 0) == pytest.approx(sample.bits_per_char or 0, rel=1e-5)


def test_texts_come_in_order_and_need_not_all_be_taken() -> None:
    """A reader that has enough ends it."""
    first, *_ = (sample.number for sample in texts(3))
    assert first == 0
    some = samples(MODEL, "abc", count=10**9, random_seed=1, length=3)
    assert [next(some).number for _ in range(5)] == list(range(5))
    some.close()  # type: ignore[attr-defined]
