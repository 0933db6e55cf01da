"""New lines only: a filter that refuses what a corpus holds, as passages or as whole lines.

The comparison of passages is ``charlstm.analysis.novelty``'s.
"""

from collections.abc import Sequence

from charlstm.analysis.line_filter import LineFilter
from charlstm.analysis.novelty import SuffixIndex, read_whole
from charlstm.generation.sampling import LONGEST_WINDOW
from charlstm.options import TEXT_FILES, require_integer
from charlstm.text.corpus import TextOptions, open_corpus


class CopiedPassages:
    """Refuses passages of ``length`` characters that stand in the corpus.

    Only a passage of just that length is ever asked for: a longer one holds it.
    """

    def __init__(self, corpus: str, length: int) -> None:
        """Raises OptionError for a length below 1, or beyond what is kept of a text."""
        self.length = require_integer("novel", length, least=1, most=LONGEST_WINDOW)
        self._index = SuffixIndex(corpus)

    def refuses(self, passage: str) -> bool:
        """Whether the corpus holds the passage in one piece."""
        return passage in self._index


def new_lines_filter(
    places: Sequence[str],
    text: TextOptions,
    *,
    novel: int | None = None,
    new_lines: bool = False,
    unique: bool = False,
    glob: str = TEXT_FILES,
    notes: list[str] | None = None,
) -> LineFilter:
    """The filter for a corpus, read as the model that learned from it read it.

    It refuses lines that copy ``novel`` characters, with ``new_lines`` those that stand in the
    corpus as lines, with ``unique`` those that came before. What was normalised goes to
    ``notes``. Raises OptionError and CorpusError.
    """
    if novel is not None:
        require_integer("novel", novel, least=1, most=LONGEST_WINDOW)
    corpus = read_whole(open_corpus(places, text, glob), notes).text if places else ""
    return LineFilter(
        passages=None if novel is None else CopiedPassages(corpus, novel),
        known=frozenset(corpus.split("\n")) if new_lines else (),
        unique=unique,
    )
