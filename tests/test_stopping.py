"""Stop texts in a stream: the same text up to the same place, however it is cut in pieces."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charlstm.errors import OptionError
from charlstm.generation.stopping import StopFilter

texts = st.text("ab", max_size=40)


def pieces(text: str, cuts: list[int]) -> list[str]:
    """``text`` cut at some of its places."""
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    return [text[i:j] for i, j in pairwise(places)]


@settings(deadline=None)
@given(texts, st.text("ab", min_size=1, max_size=6), st.lists(st.integers(0, 40)))
def test_one_stop_text_is_found_as_partition_finds_it(
    text: str, stop: str, cuts: list[int]
) -> None:
    """Across pieces, and with beginnings of it that come to nothing."""
    stops = StopFilter([stop])
    passed = "".join(stops.feed(piece) for piece in pieces(text, cuts))
    before, found, _ = text.partition(stop)
    assert (stops.found or "") == found
    assert passed + stops.rest() == before
    if found:
        assert stops.feed("more") == stops.rest() == ""


@settings(deadline=None)
@given(texts, st.lists(st.text("ab", min_size=1, max_size=6), max_size=4))
def test_of_several_the_first_complete_one_counts(text: str, several: list[str]) -> None:
    """And of those that end at one place the longest."""
    stops = StopFilter(several)
    passed = "".join(stops.feed(character) for character in text) + stops.rest()
    for end in range(1, len(text) + 1):
        ending = [stop for stop in several if text[:end].endswith(stop)]
        if ending:
            longest = max(ending, key=len)
            assert (passed, stops.found) == (text[:end].removesuffix(longest), longest)
            return
    assert (passed, stops.found) == (text, None)


@settings(deadline=None)
@given(texts, st.text("ab", min_size=1, max_size=6))
def test_no_more_is_held_back_than_may_be_a_stop_text(text: str, stop: str) -> None:
    """The longest end of the text that is a beginning of the stop text, and nothing else."""
    stops = StopFilter([stop])
    for end in range(1, len(text) + 1):
        stops.feed(text[end - 1])
        if stops.found:
            return
        held = [k for k in range(len(stop)) if text[:end].endswith(stop[:k])]
        assert stops.held == stop[: max(held)]


def test_an_empty_stop_text_is_refused() -> None:
    """It would stand before every text."""
    with pytest.raises(OptionError, match="empty"):
        StopFilter(["a", ""])
