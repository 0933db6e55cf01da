"""Characters and ids: round trips, what is unknown, what is near."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlstm.errors import CorpusError, UnknownCharacterError
from charlstm.text.vocabulary import Vocabulary, character_name, describe_characters

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=2).filter(
    lambda text: len(set(text)) > 1
)


@given(texts)
def test_encoding_and_decoding_are_inverse(text: str) -> None:
    """Any Unicode text comes back as it was."""
    vocabulary = Vocabulary.from_counts({c: text.count(c) for c in text})
    ids = vocabulary.encode(text)
    assert vocabulary.decode(ids) == text
    assert ids.dtype == vocabulary.dtype
    table = vocabulary.id_of_code_point
    assert [table[ord(c)] for c in text] == ids.tolist()


@pytest.mark.parametrize(("size", "name"), [(256, "uint8"), (257, "uint16"), (65_537, "uint32")])
def test_ids_take_the_smallest_type_that_holds_them(size: int, name: str) -> None:
    """One byte up to 256 characters, two up to 65,536, then four."""
    characters = (chr(c) for c in range(0x20, 0x10FFFF) if not 0xD800 <= c < 0xE000)
    assert Vocabulary("".join(next(characters) for _ in range(size))).dtype.name == name


def test_unknown_characters_are_named_once_each() -> None:
    """In order of appearance, and in the error."""
    vocabulary = Vocabulary("abc")
    assert vocabulary.unknown("xaybx") == "xy"
    with pytest.raises(UnknownCharacterError) as caught:
        vocabulary.encode("a\u00e9x")
    assert caught.value.characters == "\u00e9x"
    assert "U+00E9" in str(caught.value)


@pytest.mark.parametrize(
    ("known", "character", "near"),
    [
        ("ab", "A", "a"),
        ("AB", "a", "A"),
        ("eE", "\u00c9", "E"),
        ("e'", "\u2019", "'"),
        ('e"', "\u201c", '"'),
        ("-a", "\u2014", "-"),
        ("fi", "\ufb01", "fi"),
        (".a", "\u2026", "..."),
        ("as", "\u00df", "ss"),
        ("AE", "\u00c6", "AE"),
        ("a ", "\u00a0", " "),
        ("ab", "\u4e2d", None),
        ("\u00e9E", "\u00c9", "\u00e9"),
    ],
)
def test_the_nearest_known_text(known: str, character: str, near: str | None) -> None:
    """Other case, no accent, plain forms of typographic signs; None where nothing is near."""
    assert Vocabulary(known).nearest(character) == near


def test_rare_characters_are_left_out() -> None:
    """Those seen less often than ``min_count``."""
    assert Vocabulary.from_counts({"a": 5, "b": 2, "c": 1}, min_count=2).characters == "ab"


@pytest.mark.parametrize("counts", [{}, {"a": 9}])
def test_a_vocabulary_needs_two_characters(counts: dict[str, int]) -> None:
    """With one there is nothing to predict."""
    with pytest.raises(CorpusError, match="two distinct"):
        Vocabulary.from_counts(counts)


def test_duplicates_are_refused() -> None:
    """An id must mean one character."""
    with pytest.raises(ValueError, match="twice"):
        Vocabulary("aba")


def test_the_table_of_characters() -> None:
    """Ids by code point, shares of all that was counted."""
    rows = describe_characters({"a": 3, "\n": 1})
    assert [(row["id"], row["character"], row["share"]) for row in rows] == [
        (0, "\n", 0.25),
        (1, "a", 0.75),
    ]


@pytest.mark.parametrize(
    ("character", "name"),
    [
        ("a", "LATIN SMALL LETTER A"),
        ("\n", "LINE FEED"),
        ("\x01", "<control-0001>"),
        ("\ue000", "<private-use-E000>"),
        ("\U0001f600", "GRINNING FACE"),
    ],
)
def test_every_character_has_a_name(character: str, name: str) -> None:
    """Unicode's, an alias for common controls, or the standard's label."""
    assert character_name(character) == name
