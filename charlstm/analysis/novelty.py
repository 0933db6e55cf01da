"""What a text shares with a corpus: its longest copied passages and the share of its n-grams.

Texts go in, lengths and places come out, exactly; what is too much is for the reader to say. All
comes from suffix arrays, which pydivsufsort (MIT, wheels for Linux, macOS and Windows) sorts in
C: a megabyte beside a megabyte in 0.1 s, where prefix doubling in numpy takes 1 to 6 s.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydivsufsort import divsufsort, kasai

from charlstm.errors import CorpusError
from charlstm.options import require_integer
from charlstm.text.corpus import Corpus, code_points

NGRAMS = (8, 16, 32, 64)


@dataclass(frozen=True)
class Place:
    """Where a passage begins: its file, the characters before it there, line and column from 1."""

    file: str
    offset: int
    line: int
    column: int


@dataclass(frozen=True)
class WholeText:
    """A normalised text in memory and where in it each of its files begins, in rising order."""

    name: str
    text: str
    starts: tuple[int, ...]
    files: tuple[str, ...]

    def place(self, offset: int) -> Place:
        r"""The file, line and column of the character at ``offset``.

        >>> WholeText("two", "one\ntwo\nthree", (0, 4), ("1.txt", "23.txt")).place(10)
        Place(file='23.txt', offset=6, line=2, column=3)
        """
        number = int(np.searchsorted(self.starts, offset, side="right")) - 1
        start = self.starts[number]
        line = self.text.count("\n", start, offset) + 1
        column = offset - max(self.text.rfind("\n", start, offset) + 1, start) + 1
        return Place(self.files[number], offset - start, line, column)


@dataclass(frozen=True)
class Passage:
    """A stretch of a text that stands in the corpus too, and where each has it first."""

    passage: str
    in_text: Place
    in_corpus: Place


@dataclass(frozen=True)
class Comparison:
    """What ``compare`` finds: ``longest`` in characters, ``shares`` by n, longest passages first.

    The share of n-grams is None for a text of fewer than n characters.
    """

    longest: int
    shares: dict[int, float | None]
    passages: tuple[Passage, ...]


def read_whole(corpus: Corpus, notes: list[str] | None = None) -> WholeText:
    """All of a corpus as one text; what was normalised goes to ``notes``.

    Raises CorpusError where it cannot be read or is empty.
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
    """Everything that ``charlstm novelty`` reports: see the functions that it calls.

    Takes about 50 bytes of memory a character of both, whatever the characters.
    Raises OptionError for a ``top`` below 0 and a ``min_length`` below 1.
    """
    require_integer("top", top, least=0)
    require_integer("min_length", min_length, least=1)
    lengths = matching_statistics(corpus.text, text.text)
    found = longest_passages(text.text, lengths, top=top, min_length=min_length)
    return Comparison(
        longest=int(lengths.max(initial=0)),
        shares={n: ngram_share(lengths, n) for n in NGRAMS},
        passages=tuple(
            Passage(passage, text.place(start), corpus.place(corpus.text.find(passage)))
            for start, passage in found
        ),
    )


def matching_statistics(corpus: str, text: str) -> np.ndarray:
    """How many characters from each place of ``text`` on stand in ``corpus`` in one piece.

    Shape (len(text),), int64: the matching statistics of Chang and Lawler (1994, "Sublinear
    approximate string matching and biological applications").

    >>> matching_statistics("to be or not", "be not to").tolist()
    [3, 2, 4, 3, 2, 1, 1, 2, 1]

    The suffixes of both texts are sorted together (Manber and Myers 1993). Of all suffixes of
    the corpus, the nearest before and the nearest after a suffix of the text share most with
    it: as much as the least common prefix (Kasai et al. 2001) on the way there.
    """
    points = np.concatenate([_terminated(corpus), code_points(text) + 1])
    suffixes = divsufsort(points)  # (N,) places, N = len(corpus) + 1 + len(text)
    common = kasai(points, suffixes)  # (N,) of each suffix with the next; the last has 0
    in_corpus = suffixes <= len(corpus)
    before = _shared_with_the_last(np.concatenate([[0], common[:-1]]), in_corpus)
    after = _shared_with_the_last(common[::-1], in_corpus[::-1])[::-1]
    lengths = np.empty(len(text), np.int64)
    lengths[suffixes[~in_corpus] - len(corpus) - 1] = np.maximum(before, after)[~in_corpus]
    return lengths


def ngram_share(lengths: np.ndarray, n: int) -> float | None:
    """The share of a text's windows of ``n`` characters that the corpus holds.

    ``lengths`` are the matching statistics of the text; None if it has no such window.

    >>> ngram_share(matching_statistics("to be or not", "not to"), 2)  # "no", "ot" and "to" of 5
    0.6
    """
    windows = lengths.size - n + 1
    return int((lengths[:windows] >= n).sum()) / windows if windows > 0 else None


def maximal_passages(lengths: np.ndarray) -> np.ndarray:
    """Where the maximal passages of a text begin, in rising order; each has ``lengths`` there.

    A maximal passage is in the corpus, and is not once a character is added before or after it.
    No maximal passage contains another; they may overlap.

    >>> maximal_passages(matching_statistics("to be or not", "be not to")).tolist()
    [0, 2, 6, 7]
    """
    before = np.concatenate([[0], lengths[:-1]])
    return np.flatnonzero((lengths > 0) & (lengths >= before))


def longest_passages(
    text: str, lengths: np.ndarray, *, top: int, min_length: int = 1
) -> list[tuple[int, str]]:
    """The ``top`` longest maximal passages with their places, the longest first, then by place.

    One that recurs is listed once. One whose middle lies in a passage before it in that order
    is left out, for more than half of it would be shown twice.

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
    """A corpus made ready for many short questions, such as one for each line that is generated.

    Holds the text and 4 bytes a character; a question costs some microseconds a character.

    >>> index = SuffixIndex("to be or not to be")
    >>> "not to" in index, "not to see" in index
    (True, False)
    """

    def __init__(self, corpus: str) -> None:
        self.corpus = corpus
        suffixes = divsufsort(_terminated(corpus))  # (len(corpus) + 1,) places
        # A memoryview gives Python's own integers, but only of arrays that say "native order".
        native = suffixes.astype(suffixes.dtype.newbyteorder("="))
        self._suffixes: Sequence[int] = memoryview(native)

    def __contains__(self, passage: str) -> bool:
        """Whether the corpus holds ``passage`` in one piece."""
        size = len(passage)
        rank = bisect_left(self._suffixes, passage, key=lambda i: self.corpus[i : i + size])
        return rank < len(self._suffixes) and self.corpus.startswith(passage, self._suffixes[rank])


def _terminated(text: str) -> np.ndarray:
    """Code points from 1 on, then a 0 that no text has: no common prefix goes past it."""
    return np.append(code_points(text) + 1, np.uint32(0))


def _shared_with_the_last(common: np.ndarray, in_corpus: np.ndarray) -> np.ndarray:
    """How much each suffix in a sorted row shares with the last one of the corpus before it.

    ``common``, shape (N,), is what each shares with the one just before it.
    """
    # A running minimum that starts anew after each suffix of the corpus: there all values are
    # lowered below those before, and afterwards raised again.
    lowered = (np.cumsum(in_corpus) - in_corpus) * (common.size + 1)  # (N,)
    shared: np.ndarray = np.minimum.accumulate(common - lowered) + lowered
    return shared
