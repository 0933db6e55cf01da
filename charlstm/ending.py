"""When a text ends, and what of it is shown: after a length, before a stop text, after some lines.

Characters go in one at a time as they are drawn; how they are drawn is not known here.
"""

from collections import deque
from collections.abc import Sequence
from typing import Literal

from charlstm.stopping import StopFilter

End = Literal["length", "stop", "lines"]


class Ending:
    """Counts what is drawn of one text, and holds back what may be the beginning of a stop text.

    ``end`` says why the text has ended, and is None before. ``bits`` is the sum of the surprises
    of the ``characters`` that were shown.
    """

    def __init__(self, *, length: int | None, stop: Sequence[str], lines: int | None) -> None:
        """``length`` None is without end. Raises OptionError for an empty stop text."""
        self.drawn = self.characters = 0
        self.bits = 0.0
        self.end: End | None = "length" if length == 0 else None
        self._length, self._lines = length, lines
        self._stops = StopFilter(stop)
        self._waiting: deque[float] = deque()  # bits of what is held back

    @property
    def held(self) -> str:
        """What was drawn and not shown, since it may be the beginning of a stop text."""
        return self._stops.held

    def feed(self, character: str, bits: float = 0.0) -> str:
        """What is to be shown now that ``character`` is drawn, which cost so many bits."""
        self.drawn += 1
        self._waiting.append(bits)
        piece = self._stops.feed(character) if self._stops.texts else character
        if self._stops.found is not None:
            self.end = "stop"
        elif character == "\n" and self._lines is not None and self._ended_a_line():
            self.end = "lines"
        elif self.drawn == self._length:
            self.end = "length"
        if self.end in ("lines", "length"):
            piece += self._stops.rest()
        for _ in piece:
            self.bits += self._waiting.popleft()
        self.characters += len(piece)
        return piece

    def _ended_a_line(self) -> bool:
        assert self._lines is not None
        self._lines -= 1
        return self._lines == 0
