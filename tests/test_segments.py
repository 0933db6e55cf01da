"""A text read in segments: the same numbers as in one walk, whatever the size of the groups."""

from pathlib import Path

import numpy as np
import pytest

import charlstm
from charlstm.analysis import segments
from charlstm.analysis.score import surprisals
from charlstm.analysis.segments import Measure, Plan, grouped, read_segments

from .conftest import VERSE
from .writing import make_model

NOTHING = np.empty(0, np.uint8)


def test_groups_have_one_size_however_the_text_comes() -> None:
    """A result must not depend on how a pipe cuts the text."""
    blocks = [np.arange(n, dtype=np.uint8) for n in (3, 0, 9, 1)]
    groups = list(grouped(blocks, 4))
    assert [len(group) for group in groups] == [4, 4, 4, 1]
    assert np.concatenate(groups).tolist() == np.concatenate(blocks).tolist()


@pytest.mark.parametrize("length", [1, 1023, 2048, 5000])
def test_segments_agree_with_one_walk(trained: Path, length: int) -> None:
    """After its warm-up a segment knows what it would know after the whole text before it."""
    model = charlstm.load(trained)._model
    ids = model.vocabulary.encode((VERSE * 20)[:length])
    fast, exact = (
        np.concatenate(list(surprisals(model, [ids[1:]], ids[:1], exact=exact)) or [[]])
        for exact in (False, True)
    )
    assert len(fast) == length - 1
    assert fast == pytest.approx(exact, abs=1e-4)


def test_groups_continue_each_other(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first segment of a group reads the end of the group before it."""
    model = charlstm.load(trained)._model
    ids = model.vocabulary.encode(VERSE * 12)
    whole = np.concatenate(list(surprisals(model, [ids], NOTHING)))
    monkeypatch.setattr("charlstm.analysis.score.GROUP", 1500)
    parts = list(surprisals(model, [ids], NOTHING))
    assert len(parts) == 3
    assert np.concatenate(parts) == pytest.approx(whole, abs=1e-4)


def test_a_window_knows_the_character_before_it_alone() -> None:
    """Each window begins with an empty state, and reads one character before it predicts."""
    model = make_model("abc\n")
    ids = model.vocabulary.encode("abcacbbacab\nabcc" * 30)
    found = np.concatenate(list(surprisals(model, [ids[1:]], ids[:1], window=7)))
    for start in range(0, len(ids) - 1, 7):
        part = ids[start : start + 8]
        alone = np.concatenate(list(surprisals(model, [part[1:]], part[:1], exact=True)))
        assert found[start : start + 7] == pytest.approx(alone, abs=1e-5)


def test_the_number_of_cores_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment is always in the same row of a tile."""
    model = make_model("abc\n")
    ids = model.vocabulary.encode("abcacbbacab\nabcc" * 1200)
    results = []
    for cores in (1, 3, 64):
        monkeypatch.setattr(segments, "cores", lambda cores=cores: cores)
        results.append(np.concatenate(list(surprisals(model, [ids], NOTHING))))
    assert (results[0] == results[1]).all()
    assert (results[0] == results[2]).all()


def test_values_come_in_the_order_of_the_text() -> None:
    """Whatever is measured, in however many segments."""
    model = make_model("abc\n")
    ids = model.vocabulary.encode("abcacbba" * 100)

    def record(state: object, chosen: np.ndarray) -> np.ndarray:
        return np.asarray(chosen)[..., None]

    measure = Measure(record, lambda records, chosen: records + 10 * chosen[..., None])
    found = read_segments(model.lstm, NOTHING, ids, measure, Plan(90, 30))
    assert found[:, 0].tolist() == (11 * ids).tolist()
