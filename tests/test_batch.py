"""Texts in batches: each is the same whatever stands beside it."""

import threading

import numpy as np
import pytest

from charlstm import parallel
from charlstm.generation import batch
from charlstm.generation.batch import MOST_ROWS
from charlstm.generation.sampling import Sampling
from charlstm.generation.text_stream import Sample
from charlstm.model.lstm import SMALL_PRODUCT, TILE, in_blocks

from .writing import generate, generate_many, make_model

MODEL = make_model("abcdefgh\n")


def texts(count: int, **how: object) -> list[Sample]:
    asked: dict[str, object] = {"random_seed": 5, "length": 60, **how}
    return list(generate_many(MODEL, "abc", samples=count, **asked))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def many() -> list[Sample]:
    """More texts than two cores compute together."""
    return texts(2 * MOST_ROWS + 3, measure=True)


@pytest.mark.parametrize("cores", [1, 2, 5])
@pytest.mark.parametrize("count", [1, 2, TILE - 1, TILE, TILE + 1, 2 * TILE, 2 * MOST_ROWS + 3])
def test_a_text_does_not_depend_on_how_many_there_are(
    many: list[Sample], count: int, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor on how many cores share them: not in a character, nor in the last bit of its surprise."""
    for module in (batch, parallel):
        monkeypatch.setattr(module, "cores", lambda: cores)
    assert [sample.number for sample in many] == list(range(len(many)))
    assert texts(count, measure=True) == many[:count]


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (TILE, 1), (TILE + 1, 2), (2 * TILE, 2)])
def test_two_tiles_are_shared_by_two_cores(
    count: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One tile is computed by one."""
    monkeypatch.setattr(batch, "cores", lambda: 2)
    groups, group = [], batch._group
    monkeypatch.setattr(batch, "_group", lambda *words: groups.append(words) or group(*words))
    texts(count)
    assert len(groups) == expected


def test_a_reader_that_has_enough_ends_the_other_threads() -> None:
    """They do not write their texts to the end."""
    before = threading.active_count()
    taken = generate_many(MODEL, samples=99, random_seed=1, length=10**9, stop=["ab"])
    next(taken)
    taken.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


@pytest.mark.parametrize("shape", [(4, 64), (513, 1024), (769, 1536), (257, 5408), (7, 4 * 251)])
def test_blocks_hold_the_matrix(shape: tuple[int, int]) -> None:
    """Side by side they are the matrix; each is small, but where none of that size divides it."""
    weights = np.arange(shape[0] * shape[1], dtype=np.float32).reshape(shape)
    blocks = in_blocks(weights)
    np.testing.assert_array_equal(np.hstack(list(blocks)), weights)
    assert TILE * blocks[0].size <= SMALL_PRODUCT or len(blocks) == 1


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"sampling": Sampling(temperature=0)},
        {"sampling": Sampling(top_k=3, top_p=0.9, min_p=0.05)},
        {"sampling": Sampling(repetition_penalty=1.5, repetition_window=4)},
        {"stop": ["ab", "hh"]},
        {"stop": ["ab", "hh"], "keep_stop": True},
        {"lines": 2, "length": 500},
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
        assert (alone.end, alone.stop) == (sample.end, sample.stop)
        assert (alone.bits_per_char is None) == (sample.bits_per_char is None)
        assert (alone.bits_per_char or 0) == pytest.approx(sample.bits_per_char or 0, rel=1e-5)


def test_texts_come_in_order_and_need_not_all_be_taken() -> None:
    """A reader that has enough ends it."""
    first, *_ = (sample.number for sample in texts(3))
    assert first == 0
    some = generate_many(MODEL, "abc", samples=10**9, random_seed=1, length=3)
    assert [next(some).number for _ in range(5)] == list(range(5))
    some.close()  # type: ignore[attr-defined]
