"""New lines only: the judge that refuses what a corpus has in one piece.

The comparison is ``charlstm.novelty``'s; what is done with a refused line ``charlstm.generate``'s.
"""

from collections.abc import Sequence

from charlstm.config import TEXT_FILES, TextOptions, require_integer
from charlstm.corpus import open_corpus
from charlstm.novelty import SuffixIndex, read_whole
from charlstm.sampling import LONGEST_WINDOW


class CopyJudge:
    """Refuses passages of ``length`` characters that stand in the corpus.

    Only a passage of just that length is ever asked for: a longer one holds it.
    """

    def __init__(self, corpus: str, length: int) -> None:
        """Raises OptionError for a length below 1, or beyond what is kept of a text."""
        require_integer("novel", length, least=1, most=LONGEST_WINDOW)
        self.length = length
        self._index = SuffixIndex(corpus)

    def copies(self, passage: str) -> bool:
        """Whether the corpus holds the passage in one piece."""
        return passage in self._index


def judge_of(
    places: Sequence[str],
    length: int,
    text: TextOptions,
    notes: list[str] | None = None,
    *,
    glob: str = TEXT_FILES,
) -> CopyJudge:
    """The judge for a corpus, read as the model that learned from it read it.

    What was normalised goes to ``notes``. Raises OptionError and CorpusError.
    """
    require_integer("novel", length, least=1, most=LONGEST_WINDOW)
    return CopyJudge(read_whole(open_corpus(places, text, glob), notes).text, length)
