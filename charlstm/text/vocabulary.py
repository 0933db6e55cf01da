"""Characters and their ids: encoding, decoding, and what to do with an unknown character.

A vocabulary is made from counts (``corpus.survey``) or read from a model. No file is opened here.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from charlstm.errors import CorpusError, UnknownCharacterError
from charlstm.options import OPTIONS

Unknown = Literal["error", "skip", "nearest"]
Ids = npt.NDArray[np.unsignedinteger]

LONGEST_CLUSTER = 100  # characters; that many accents on a letter are no text

# Marks that can replace each other. The first of each kind is the one in plain texts.
SINGLE_QUOTES = "'\u2019\u2018\u201b\u201a\u2032\u02bc\u2039\u203a\u00b4`"
DOUBLE_QUOTES = '"\u201c\u201d\u201f\u201e\u2033\u00ab\u00bb'
DASHES = "-\u2010\u2011\u2013\u2014\u2012\u2015\u2212\u00ad"
SPACES = " \t\u00a0\u2002\u2003\u2009\u200a\u202f\u3000"
LINE_ENDS = "\n\r\u2028\u2029\x0b\x0c"
MARKS = {  # a mark: the marks that can replace it, the best first
    **dict.fromkeys(SINGLE_QUOTES, SINGLE_QUOTES),
    **dict.fromkeys(DOUBLE_QUOTES, DOUBLE_QUOTES + SINGLE_QUOTES),
    **dict.fromkeys(DASHES, DASHES + SPACES),
    **dict.fromkeys(SPACES, SPACES),
    **dict.fromkeys(LINE_ENDS, LINE_ENDS + SPACES),
}

# Letters and signs that Unicode does not decompose, and what plain texts have instead.
PLAIN = {
    "\u2026": "...", "\u00df": "ss", "\u00e6": "ae", "\u0153": "oe", "\u00f8": "o",
    "\u00f0": "d", "\u00fe": "th", "\u0142": "l", "\u0131": "i", "\u017f": "s",
}  # fmt: skip

CONTROL_NAMES = {
    "\t": "CHARACTER TABULATION", "\n": "LINE FEED", "\x0b": "LINE TABULATION",
    "\x0c": "FORM FEED", "\r": "CARRIAGE RETURN", "\x1b": "ESCAPE", "\x7f": "DELETE",
}  # fmt: skip


@dataclass(frozen=True)
class Vocabulary:
    r"""The characters a model knows; the id of a character is its index in ``characters``.

    Raises ValueError for characters that cannot be a vocabulary, for they may come from a file.

    >>> vocabulary = Vocabulary("\nabc")
    >>> vocabulary.encode("cab").tolist()
    [3, 1, 2]
    >>> vocabulary.decode([3, 1, 2])
    'cab'
    """

    characters: str

    def __post_init__(self) -> None:
        if not isinstance(self.characters, str):
            raise ValueError("the vocabulary is not a text")
        self.characters.encode()  # raises for lone surrogates
        if len(self._id_of) != len(self.characters):
            raise ValueError("a character is twice in the vocabulary")

    @cached_property
    def _id_of(self) -> dict[str, int]:
        return {character: i for i, character in enumerate(self.characters)}

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], min_count: int = 1) -> "Vocabulary":
        """The characters that occur at least ``min_count`` times, by code point."""
        kept = sorted(c for c, count in counts.items() if count >= min_count)
        if len(kept) < 2:
            found = f"only {kept[0]!r}" if kept else "no character"
            often = f" {min_count} times or more" if min_count > 1 else ""
            raise CorpusError(
                f"the text has {found}{often}; a model needs two distinct characters or more",
                "min count" if min_count > 1 else "",
            )
        return cls("".join(kept))

    def __len__(self) -> int:
        return len(self.characters)

    def __contains__(self, character: str) -> bool:
        return character in self._id_of

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """The smallest unsigned type that holds every id, little-endian."""
        return np.dtype("u1" if len(self) <= 1 << 8 else "<u2" if len(self) <= 1 << 16 else "<u4")

    @cached_property
    def id_of_code_point(self) -> npt.NDArray[np.int32]:
        """The id of each code point, or -1; the last entry is one past the last known character."""
        points = [ord(character) for character in self.characters]
        table = np.full(max(points) + 2, -1, dtype=np.int32)
        table[points] = np.arange(len(points), dtype=np.int32)
        return table

    def encode(self, text: str) -> Ids:
        """The ids of ``text``, shape (len(text),); raises UnknownCharacterError."""
        unknown = self.unknown(text)
        if unknown:
            raise UnknownCharacterError(unknown)
        return np.fromiter((self._id_of[c] for c in text), dtype=self.dtype, count=len(text))

    @property
    def unknown_id(self) -> int:
        """What marks the unknown characters of a text that keeps them: one more than any id."""
        return len(self)

    @property
    def marked_dtype(self) -> np.dtype[np.unsignedinteger]:
        """The smallest unsigned type that holds every id and ``unknown_id``, little-endian."""
        return np.min_scalar_type(self.unknown_id).newbyteorder("<")

    def encode_marked(self, text: str) -> Ids:
        """The ids of ``text``, with ``unknown_id`` for unknown characters: (len(text),).

        >>> Vocabulary("ab").encode_marked("abc").tolist()
        [0, 1, 2]
        """
        mark = self.unknown_id
        ids = (self._id_of.get(c, mark) for c in text)
        return np.fromiter(ids, dtype=self.marked_dtype, count=len(text))

    def decode(self, ids: Iterable[int]) -> str:
        """The text that has these ids."""
        return "".join(self.characters[i] for i in ids)

    def unknown(self, text: str) -> str:
        """The characters of ``text`` that have no id, each once, in order of appearance."""
        return "".join(c for c in dict.fromkeys(text) if c not in self._id_of)

    def known(self, text: str, unknown: Unknown = "error") -> tuple[str, str]:
        r"""``text`` in known characters, and those that "nearest" left out, each once.

        ``unknown`` says what happens to an unknown character. With "error" it raises
        UnknownCharacterError, and with "skip" it is left out. With "nearest" it is composed with
        the accents that follow it, or decomposed (Unicode's forms NFC and NFD), if the result is
        known; otherwise the most similar known character replaces it. If there is none, it is
        left out. Raises OptionError for any other ``unknown``.

        >>> Vocabulary("acef\u00e9").known("cafe\u0301\u2603", "nearest")
        ('café', '☃')
        """
        read = self.adapted(text, unknown)
        left_out = self.unknown(read)
        known = read.translate(dict.fromkeys(map(ord, left_out)))
        return known, left_out if unknown == "nearest" else ""

    def adapted(self, text: str, unknown: Unknown) -> str:
        """``text`` with its unknown characters replaced, as in ``known``, where they can be.

        The others are unknown still. Raises the errors of ``known``.
        """
        OPTIONS["unknown"].check(unknown)
        missing = self.unknown(text)
        if missing and unknown == "error":
            raise UnknownCharacterError(missing)
        if not missing or unknown == "skip":
            return text
        return "".join(map(self._nearest_cluster, _clusters(text)))

    def nearest(self, character: str) -> str | None:
        r"""The most similar text in known characters: other case, similar mark, no accent, or None.

        >>> Vocabulary("'aeE").nearest("\u00c9"), Vocabulary("'ae").nearest("\u201c")
        ('E', "'")
        """
        if character in self:
            return character
        letters = "".join(
            c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c)
        )
        plain = PLAIN.get(character.lower(), "")
        candidates: list[str] = [character, plain, *MARKS.get(character, ""), letters]
        for candidate in candidates:
            own_case = candidate.upper() if character.isupper() else candidate
            for variant in (own_case, candidate.lower(), candidate.upper()):
                if variant and not self.unknown(variant):
                    return variant
        return None

    def _nearest_cluster(self, cluster: str) -> str:
        """A cluster in known characters, except for those that nothing replaces."""
        forms = (cluster, *(unicodedata.normalize(form, cluster) for form in ("NFC", "NFD")))
        for form in forms:
            if not self.unknown(form):
                return form
        near = []
        for character in cluster if cluster[0] in self else forms[1]:
            found = self.nearest(character)
            if found is not None:
                near.append(found)
            elif not (near and _is_mark(character)):  # a letter may lose its accent silently
                near.append(character)
        return "".join(near)


def _clusters(text: str) -> Iterator[str]:
    """Each character together with the accents that follow it, which may be composed with it."""
    start = 0
    for position, character in enumerate(text):
        if position > start and not _is_mark(character):
            yield text[start:position]
            start = position
    if text:
        yield text[start:]


def whole_clusters(chunks: Iterable[str]) -> Iterator[str]:
    """The same text in pieces that do not end between a character and its accents."""
    held = ""
    for chunk in chunks:
        text = held + chunk
        end = len(text) - 1
        while end > max(0, len(text) - LONGEST_CLUSTER) and _is_mark(text[end]):
            end -= 1
        if end > 0:
            yield text[:end]
        held = text[max(0, end) :]
    if held:
        yield held


def _is_mark(character: str) -> bool:
    """Whether a character is an accent, or a vowel or final consonant of a Korean syllable."""
    return unicodedata.category(character)[0] == "M" or "\u1160" <= character <= "\u11ff"


def describe_characters(counts: Mapping[str, int], min_count: int = 1) -> list[dict[str, Any]]:
    """Id, character, Unicode name, count and share of each character of a vocabulary, by id.

    The share is that of all characters in ``counts``, those below ``min_count`` too.
    """
    total = sum(counts.values())
    return [
        {
            "id": i,
            "character": character,
            "name": character_name(character),
            "count": counts[character],
            "share": counts[character] / total,
        }
        for i, character in enumerate(Vocabulary.from_counts(counts, min_count).characters)
    ]


def character_name(character: str) -> str:
    r"""The Unicode name, an alias for a common control, or the standard's code point label.

    >>> character_name("a"), character_name("\n"), character_name("\x01")
    ('LATIN SMALL LETTER A', 'LINE FEED', '<control-0001>')
    """
    label = {"Cc": "control", "Co": "private-use"}.get(unicodedata.category(character), "reserved")
    fallback = CONTROL_NAMES.get(character, f"<{label}-{ord(character):04X}>")
    return unicodedata.name(character, fallback)
