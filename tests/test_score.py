"""Scores of many texts, and of texts in pieces: the numbers of one text that is read alone."""

import itertools
import math
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import charlstm
from charlstm.analysis import score as scoring
from charlstm.analysis import segments

from .conftest import VERSE
from .writing import make_model

LINES = [*VERSE.splitlines(), "", "\n", "T", "\nThe tide\n\nAnd", "The " * 300]


@pytest.fixture(scope="module")
def model(trained: Path) -> charlstm.LanguageModel:
    """The small trained model."""
    return charlstm.load(trained)


def test_texts_scored_together_score_as_alone(model: charlstm.LanguageModel) -> None:
    """Whatever their lengths are, also empty ones and those that begin with a line end."""
    scores = list(model.score_many(LINES))
    assert [score.text for score in scores] == LINES
    for text, score in zip(LINES, scores, strict=True):
        assert score.bits == pytest.approx(model.score(text).bits, abs=1e-4)
        assert score.characters == len(score.bits) == len(text)


def test_long_texts_are_scored_among_short_ones(model: charlstm.LanguageModel) -> None:
    """One that is read in segments, and one that is just short enough not to be."""
    texts = ["The", (VERSE * 30)[: scoring.LONG], (VERSE * 30)[: scoring.LONG - 1], "And"]
    for text, score in zip(texts, model.score_many(texts), strict=True):
        assert score.text == text
        assert score.bits == pytest.approx(model.score(text).bits, abs=1e-4)


def test_a_score_does_not_depend_on_the_texts_beside_it(
    model: charlstm.LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor on how many are read at a time, nor on the number of cores."""
    whole = np.concatenate([score.bits for score in model.score_many(LINES)])
    for cores, block in ((1, 1), (3, 50), (16, 1 << 20)):
        monkeypatch.setattr(segments, "cores", lambda cores=cores: cores)
        monkeypatch.setattr(scoring, "BLOCK", block)
        bits = np.concatenate([score.bits for score in model.score_many(LINES)])
        assert bits == pytest.approx(whole, abs=1e-4)


def test_a_model_without_line_ends_scores_lines() -> None:
    """Nothing is read before them."""
    model = charlstm.LanguageModel(make_model("abc"))
    for text, score in zip(["a", "cab", ""], model.score_many(["a", "cab", ""]), strict=True):
        assert score.bits == pytest.approx(model.score(text).bits, abs=1e-4)


def test_scores_come_before_all_texts_are_read(
    model: charlstm.LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts without end have scores, so memory does not grow with their number."""
    monkeypatch.setattr(scoring, "BLOCK", 40)
    endless = model.score_many(itertools.cycle(["The tide", "And"]))
    assert [score.text for score in itertools.islice(endless, 3)] == ["The tide", "And", "The tide"]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_text_in_pieces_scores_as_a_whole(
    model: charlstm.LanguageModel, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """However it is cut, and in whatever groups it is read."""
    monkeypatch.setattr(scoring, "GROUP", 333)
    text = "\n" + VERSE * 2
    parts = list(model.score_pieces(text[i : i + size] for i in range(0, len(text), size)))
    assert len(parts) == -(-len(text) // 333)
    assert "".join(part.text for part in parts) == text
    bits = np.concatenate([part.bits for part in parts])
    assert bits == pytest.approx(model.score(text).bits, abs=1e-4)


def test_no_pieces_have_no_scores(model: charlstm.LanguageModel) -> None:
    """Neither have empty ones."""
    assert list(model.score_pieces([])) == list(model.score_pieces(["", ""])) == []
    assert list(model.score_many([])) == []


def test_memory_does_not_grow_with_the_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text ten times as long takes no more."""
    monkeypatch.setattr(scoring, "GROUP", 2000)
    model = charlstm.LanguageModel(make_model("abcd\n"))

    def peak(count: int) -> int:
        tracemalloc.start()
        for _ in model.score_pieces("abcd\n" * 100 for _ in range(count)):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(4)  # what is made once
    assert peak(40) < peak(8) + 50_000


def test_unknown_characters_are_the_callers_choice(model: charlstm.LanguageModel) -> None:
    """As in a single score."""
    texts = ["The", "T\u4e2dhe"]
    with pytest.raises(charlstm.CharLSTMError, match=r"U\+4E2D"):
        list(model.score_many(texts))
    assert [score.unknown for score in model.score_many(texts, unknown="skip")] == [0, 0.25]
    with pytest.raises(charlstm.CharLSTMError, match=r"U\+4E2D"):
        list(model.score_pieces(texts))
    (score,) = model.score_pieces(texts, unknown="skip")
    assert (score.text, score.unknown) == ("TheT\u4e2dhe", pytest.approx(1 / 7))


def bits_by_hand(model: charlstm.LanguageModel, text: str) -> list[float]:
    """The bits of each character: of the least probable one for a character that is unknown."""
    bits = []
    for i, character in enumerate(text):
        before = "".join(c for c in text[:i] if c in model.vocabulary)
        expected = {p.character: p.probability for p in model.predict(before)}
        bits.append(-math.log2(expected.get(character, min(expected.values()))))
    return bits


@pytest.mark.parametrize(
    "text", ["T\u4e2dhe", "\u4e2dThe \u4e2d\u4e2dtide", "The\u4e2d\u4e2d", "\u4e2d\u4e2d"]
)
@pytest.mark.parametrize("unknown", ["skip", "nearest"])
def test_an_unknown_character_costs_as_much_as_the_least_probable_one(
    model: charlstm.LanguageModel, text: str, unknown: Any
) -> None:
    """At its place, wherever that is, and the network does not read it."""
    expected = pytest.approx(bits_by_hand(model, text), abs=1e-4)
    (many,) = model.score_many([text], unknown=unknown)
    pieces = list(model.score_pieces(list(text), unknown=unknown))
    assert list(model.score(text, unknown=unknown).bits) == expected
    assert list(many.bits) == expected
    assert [bits for piece in pieces for bits in piece.bits] == expected


def test_unknown_characters_at_the_end_of_a_group(
    model: charlstm.LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long text is read in groups, and what is unknown at the end of one costs the same."""
    text = "The tide \u4e2d\u4e2d\u4e2d came in"
    whole = model.score(text, unknown="skip").bits
    for group in (1, 5, 10, 11):
        monkeypatch.setattr(scoring, "GROUP", group)
        bits = [b for part in model.score_pieces([text], unknown="skip") for b in part.bits]
        assert bits == pytest.approx(list(whole), abs=1e-4)


def test_a_text_in_foreign_characters_is_surprising(model: charlstm.LanguageModel) -> None:
    """More than one in known letters, and not less for what is left of it."""
    foreign = model.score("\u0438 the " + "\u0438" * 40, unknown="skip")
    assert foreign.bits_per_char > model.score("the lamps were hung to dry").bits_per_char


def test_an_accent_may_come_in_the_next_piece() -> None:
    """It is composed with its letter, as in a text that is not cut."""
    model = charlstm.LanguageModel(make_model("e\u00e9\n"))
    for pieces in (["e\u0301e"], ["e", "\u0301e"], ["e", "\u0301", "e"]):
        scores = model.score_pieces(pieces, unknown="nearest")
        assert "".join(score.text for score in scores) == "\u00e9e"
        traces = model.traces(pieces, unknown="nearest")
        assert "".join(trace.text for trace in traces) == "\u00e9e"


def test_weights_that_are_too_large_are_an_error() -> None:
    """For many texts as for one."""
    drawn = make_model("ab\n")
    for weight in drawn.weights.values():
        weight[:] = np.sign(weight) * 3e38
    with pytest.raises(charlstm.CharLSTMError, match="too large"):
        list(charlstm.LanguageModel(drawn).score_many(["a", "b"]))
