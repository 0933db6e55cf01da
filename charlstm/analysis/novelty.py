"""What a text copies from a corpus: its longest copied passages, and the share of its n-grams.

The results are exact. They are computed with suffix arrays, which pydivsufsort sorts in C: to
compare a megabyte with a megabyte takes 0.1 s, and prefix doubling in numpy takes 1 to 6 s.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydivsufsort import divsufsort, kasai

from charlstm.errors import CorpusError
from charlstm.options import OPTIONS
from charlstm.text.corpus import Corpus, code_points

NGRAMS = (8, 16, 32, 64)
COMPARED = 1000  # how many characters of a line are compared


@dataclass(frozen=True)
class Position:
    """Where a passage begins: its file, its offset in characters, its line and column from 1."""

    file: str
    offset: int
    line: int
    column: int


@dataclass(frozen=True)
class WholeText:
    """A normalised text in memory; ``starts`` has the offset of each of its files."""

    name: str
    text: str
    starts: tuple[int, ...]
    files: tuple[str, ...]

    def position(self, offset: int) -> Position:
        r"""The file, line and column of the character at ``offset``.

        >>> WholeText("two", "one\ntwo\nthree", (0, 4), ("1.txt", "23.txt")).position(10)
        Position(file='23.txt', offset=6, line=2, column=3)
        """
        number = bisect_right(self.starts, offset) - 1
        start = self.starts[number]
        line = self.text.count("\n", start, offset) + 1
        column = offset - max(self.text.rfind("\n", start, offset) + 1, start) + 1
        return Position(self.files[number], offset - start, line, column)


@dataclass(frozen=True)
class Passage:
    """A part of a text that is also in the corpus, with its first position in both."""

    passage: str
    in_text: Position
    in_corpus: Position


@dataclass(frozen=True)
class Comparison:
    """What a text copies: its longest passage in characters, shares of n-grams by n, passages.

    A share is None for a text of fewer than n characters. The longest passages come first.
    """

    longest: int
    shares: dict[int, float | None]
    passages: tuple[Passage, ...]


def read_whole(corpus: Corpus, notes: list[str] | None = None) -> WholeText:
    """All of a corpus as one text; a line for each kind of normalisation goes to ``notes``.

    Raises CorpusError if it cannot be read or is empty.
    """
    chunks: list[str] = []
    starts: list[int] = []
    files: list[str] = []
    length, before = 0, None
    for source, chunk in corpus.pieces(notes):
        if source is not before:
            starts.append(length)
            files.append(source.label)
        chunks.append(chunk)
        length, before = length + len(chunk), source
    if not length:
        raise CorpusError(f"{corpus.label}: empty; there is nothing to compare")
    return WholeText(corpus.name, "".join(chunks), tuple(starts), tuple(files))


def compare(
    corpus: WholeText, text: WholeText, *, top: int = 10, min_length: int = 8
) -> Comparison:
    """What ``text`` copies from ``corpus``, with its ``top`` longest passages.

    It takes about 50 bytes of memory for each character of both texts. Raises OptionError for a
    ``top`` below 0 and a ``min_length`` below 1.
    """
    OPTIONS["top"].check(top)
    OPTIONS["min_length"].check(min_length)
    lengths = matching_statistics(corpus.text, text.text)
    found = longest_passages(text.text, lengths, top=top, min_length=min_length)
    return Comparison(
        longest=int(lengths.max(initial=0)),
        shares={n: ngram_share(lengths, n) for n in NGRAMS},
        passages=tuple(
            Passage(passage, text.position(start), corpus.position(corpus.text.find(passage)))
            for start, passage in found
        ),
    )


def matching_statistics(corpus: str, text: str) -> np.ndarray:
    """The length of the longest passage of ``corpus`` that begins at each position of ``text``.

    Shape (len(text),), int64: the matching statistics of Chang and Lawler (1994, "Sublinear
    approximate string matching and biological applications").

    >>> matching_statistics("to be or not", "be not to").tolist()
    [3, 2, 4, 3, 2, 1, 1, 2, 1]

    The suffixes of both texts are sorted together (Manber and Myers 1993). The suffix of the
    corpus that has the longest common prefix with a suffix of the text is the nearest one before
    or after it. The length of that prefix is the minimum of the common prefixes of all neighbours
    in between (Kasai et al. 2001).
    """
    points = np.concatenate([_terminated(corpus), code_points(text) + 1])
    suffixes = divsufsort(points)  # (N,) positions, N = len(corpus) + 1 + len(text)
    common = kasai(points, suffixes)  # (N,) common prefix of each suffix and the next; last: 0
    in_corpus = suffixes <= len(corpus)
    before = _shared_with_the_last(np.concatenate([[0], common[:-1]]), in_corpus)
    after = _shared_with_the_last(common[::-1], in_corpus[::-1])[::-1]
    lengths = np.empty(len(text), np.int64)
    lengths[suffixes[~in_corpus] - len(corpus) - 1] = np.maximum(before, after)[~in_corpus]
    return lengths


def ngram_share(lengths: np.ndarray, n: int) -> float | None:
    """The share of a text's windows of ``n`` characters that are in the corpus.

    ``lengths`` are the matching statistics of the text. None if it has no such window.

    >>> ngram_share(matching_statistics("to be or not", "not to"), 2)  # "no", "ot" and "to" of 5
    0.6
    """
    windows = lengths.size - n + 1
    return int((lengths[:windows] >= n).sum()) / windows if windows > 0 else None


def maximal_passages(lengths: np.ndarray) -> np.ndarray:
    """The positions where the maximal passages of a text begin, in rising order.

    A maximal passage is in the corpus, but no longer passage that contains it is. Maximal passages
    may overlap. The length of a passage is the value of ``lengths`` at its position.

    >>> maximal_passages(matching_statistics("to be or not", "be not to")).tolist()
    [0, 2, 6, 7]
    """
    before = np.concatenate([[0], lengths[:-1]])
    return np.flatnonzero((lengths > 0) & (lengths >= before))


def longest_passages(
    text: str, lengths: np.ndarray, *, top: int, min_length: int = 1
) -> list[tuple[int, str]]:
    """The ``top`` longest maximal passages and their positions: longest first, then by position.

    A passage that occurs several times is listed once. A passage is left out if its middle is in a
    passage listed before, because more than half of it would be shown twice.

    >>> longest_passages("be not to", matching_statistics("to be or not", "be not to"), top=2)
    [(2, ' not'), (0, 'be ')]
    """
    starts = maximal_passages(lengths)
    starts = starts[lengths[starts] >= min_length]
    shown = np.zeros(len(text), np.bool_)
    found: dict[str, int] = {}
    for start in starts[np.argsort(-lengths[starts], kind="stable")].tolist():
        if len(found) >= top:
            break
        length = int(lengths[start])
        if not shown[start + length // 2]:
            shown[start : start + length] = True
            found.setdefault(text[start : start + length], start)
    return [(start, passage) for passage, start in found.items()]


class SuffixIndex:
    """An index of a corpus that finds passages fast, for the lines that are generated.

    It holds the text and 4 bytes for each character. A search takes some microseconds for each
    character of the passage.

    >>> index = SuffixIndex("to be or not to be")
    >>> "not to" in index, "not to see" in index
    (True, False)
    """

    def __init__(self, corpus: str) -> None:
        self.corpus = corpus
        suffixes = divsufsort(_terminated(corpus))  # (len(corpus) + 1,) positions
        # A memoryview gives Python integers, but only if the dtype is marked as native order.
        native = suffixes.astype(suffixes.dtype.newbyteorder("="))
        self._suffixes: Sequence[int] = memoryview(native)

    def __contains__(self, passage: str) -> bool:
        """Whether ``passage`` is in the corpus."""
        size = len(passage)
        rank = bisect_left(self._suffixes, passage, key=lambda i: self.corpus[i : i + size])
        return rank < len(self._suffixes) and self.corpus.startswith(passage, self._suffixes[rank])


class NewLines:
    r"""A ``text_stream.LineFilter`` that rejects copied lines.

    With ``novel``, no passage of so many characters may be copied from the corpus. With
    ``new_lines``, a line must not be a line of the corpus. With ``unique``, it must not have been
    accepted before, so that such a filter is for one call only. Empty lines are always accepted.

    >>> rejects = NewLines("Macbeth\nHag\n", novel=5, new_lines=True, unique=True)
    >>> [rejects(text) for text in ("Macbe", "Hag\n", "Fleance\n", "Fleance\nFleance\n")]
    ['copied 5 characters of the corpus', 'is in the corpus', None, 'came before']
    """

    def __init__(
        self,
        corpus: str = "",
        *,
        novel: int | None = None,
        new_lines: bool = False,
        unique: bool = False,
    ) -> None:
        """Raises OptionError for a ``novel`` out of range."""
        self._novel = 0 if novel is None else OPTIONS["novel"].check(novel)
        self._index = SuffixIndex(corpus) if self._novel else ()
        self._lines = frozenset(corpus.split("\n")) if new_lines else frozenset()
        self._unique, self._before = unique, set[str]()
        self.length = max(self._novel, COMPARED if new_lines or unique else 0)

    def __call__(self, text: str) -> str | None:
        """The reason why the last line of ``text`` is rejected, or None."""
        if len(text) >= self._novel > 0 and text[-self._novel :] in self._index:
            return f"copied {self._novel} characters of the corpus"
        line = text[:-1].rpartition("\n")[2] if text.endswith("\n") else ""
        if line and line in self._lines:
            return "is in the corpus"
        if line and line in self._before:
            return "came before"
        if line and self._unique:
            self._before.add(line)
        return None


def _terminated(text: str) -> np.ndarray:
    """Code points plus 1, then a 0, which no common prefix can include."""
    return np.append(code_points(text) + 1, np.uint32(0))


def _shared_with_the_last(common: np.ndarray, in_corpus: np.ndarray) -> np.ndarray:
    """The common prefix of each sorted suffix and the last suffix of the corpus before it, (N,).

    ``common``, (N,), is the common prefix of each suffix and the one just before it.
    """
    # This is a running minimum that starts again after each suffix of the corpus. There all later
    # values are lowered below all earlier ones, and afterwards raised again.
    lowered = (np.cumsum(in_corpus) - in_corpus) * (common.size + 1)  # (N,)
    shared: np.ndarray = np.minimum.accumulate(common - lowered) + lowered
    return shared
