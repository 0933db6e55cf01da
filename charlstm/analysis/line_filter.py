"""Which generated lines are thrown away and drawn again.

Lines and passages are texts here. What a corpus holds is found in
``charlstm.analysis.novel``.
"""

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Protocol

COMPARED = 1000  # characters before a text that may belong to its first line


class PassageFilter(Protocol):
    """Refuses passages of ``length`` characters, wherever in a line they end."""

    length: int

    def refuses(self, passage: str) -> bool:
        """Whether no line may hold the passage."""


@dataclass(frozen=True, kw_only=True)
class LineFilter:
    r"""What no line may be; it belongs to one call, since it remembers the lines that came.

    ``passages`` looks at every character. ``known`` holds lines that may not come, and with
    ``unique`` no line comes twice; both look at a line when its line end is drawn, without that
    line end, and let empty lines pass.

    >>> lines = LineFilter(known={"Macbeth"}, unique=True)
    >>> lines.take("Banquo\n")
    >>> [lines.fault(text) for text in ("Macbeth\n", "Hail!\nBanquo\n", "Fleance\n", "Macb")]
    ['stood in the corpus', 'came before', None, None]
    """

    passages: PassageFilter | None = None
    known: Container[str] = ()
    unique: bool = False
    taken: set[str] = field(default_factory=set)

    @property
    def memory(self) -> int:
        """How many characters before a text the filter looks at."""
        whole_lines = self.unique or self.known != ()
        return max(self.passages.length if self.passages else 0, COMPARED if whole_lines else 0)

    def copies(self, text: str) -> bool:
        """Whether ``text`` ends with a passage that is refused."""
        passages = self.passages
        if passages is None or len(text) < passages.length:
            return False
        return passages.refuses(text[-passages.length :])

    def fault(self, text: str) -> str | None:
        """Why the line at the end of ``text`` is thrown away; None where it is not."""
        if self.passages and self.copies(text):
            return f"copied {self.passages.length} characters of the corpus"
        line = _ended_line(text)
        if line and line in self.known:
            return "stood in the corpus"
        return "came before" if line and line in self.taken else None

    def take(self, text: str) -> None:
        """Remember the ended line at the end of ``text``, where lines must not come twice."""
        line = _ended_line(text)
        if self.unique and line:
            self.taken.add(line)


def _ended_line(text: str) -> str:
    """The last line of ``text`` without its line end; "" where that line goes on."""
    return text[:-1].rpartition("\n")[2] if text.endswith("\n") else ""
