"""Where a text ends: stop texts are found as they come, and nothing is held back too long."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charlstm.errors import OptionError
from charlstm.generation.stopping import StopRule, TextEnd

texts = st.text("ab", max_size=40)
stop_texts = st.text("ab", min_size=1, max_size=6)


def feed(text: str, *stop: str, before: str = "") -> tuple[TextEnd, str]:
    """A text fed up to its end, and what was given out."""
    end, given_out = TextEnd(StopRule(stop=stop, length=0), before), ""
    for character in text:
        if end.reason is None:
            given_out += end.feed(character)
    return end, given_out


@settings(deadline=None)
@given(texts, stop_texts)
def test_one_stop_text_is_found_as_partition_finds_it(text: str, stop: str) -> None:
    """With beginnings of it that come to nothing."""
    end, given_out = feed(text, stop)
    before, found, _ = text.partition(stop)
    assert end.reason == ("stop" if found else None)
    assert given_out + end.held == before


@settings(deadline=None)
@given(texts, st.lists(stop_texts, max_size=4))
def test_of_several_the_first_complete_one_counts(text: str, several: list[str]) -> None:
    """And of those that end at the same character, the longest."""
    end, given_out = feed(text, *several)
    for last in range(1, len(text) + 1):
        ending = [stop for stop in several if text[:last].endswith(stop)]
        if ending:
            longest = max(ending, key=len)
            assert end.stop == longest
            assert (given_out, end.reason) == (text[:last].removesuffix(longest), "stop")
            return
    assert (given_out + end.held, end.reason, end.stop) == (text, None, None)


@settings(deadline=None)
@given(texts, stop_texts)
def test_no_more_is_held_back_than_may_be_a_stop_text(text: str, stop: str) -> None:
    """The longest end of the text that is a beginning of the stop text, and nothing else."""
    end = TextEnd(StopRule(stop=(stop,)))
    for last in range(1, len(text) + 1):
        end.feed(text[last - 1])
        if end.reason:
            return
        held = [k for k in range(len(stop)) if text[:last].endswith(stop[:k])]
        assert end.held == stop[: max(held)]


@settings(deadline=None)
@given(texts, texts, stop_texts)
def test_a_stop_text_may_begin_before(before: str, text: str, stop: str) -> None:
    """In what was given out earlier; it is found where it is complete."""
    end, given_out = feed(text, stop, before=before)
    ends = [k for k in range(1, len(text) + 1) if (before + text[:k]).endswith(stop)]
    assert end.reason == ("stop" if ends else None)
    if ends:
        assert given_out == text[: max(0, ends[0] - len(stop))]
    else:
        assert given_out + end.held == text


@settings(deadline=None)
@given(texts, st.lists(stop_texts, max_size=4))
def test_a_stop_text_that_is_kept_ends_the_text(text: str, several: list[str]) -> None:
    """The text is the same with it at its end, and nothing is held back."""
    cut, before = feed(text, *several)
    end = TextEnd(StopRule(stop=tuple(several), keep_stop=True))
    given_out = ""
    for character in text:
        if end.reason is None:
            given_out += end.feed(character)
            assert end.held == ""
    assert (end.reason, end.stop) == (cut.reason, cut.stop)
    assert given_out == (text if cut.stop is None else before + cut.stop)


def test_an_empty_stop_text_is_refused() -> None:
    """It would stand before every text."""
    with pytest.raises(OptionError, match="empty"):
        StopRule(stop=("a", ""))
