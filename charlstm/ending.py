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

    ``end`` says why the text has ended, and is None before; where several reasons meet, a stop
    text counts first, then the lines.
    """

    def __init__(
        self, *, length: int | None, stop: Sequence[str], lines: int | None, before: str = ""
    ) -> None:
        """``length`` None is without end; a stop text may begin in ``before``, shown earlier.

        Raises OptionError for an empty stop text.
        """
        self.end: End | None = "length" if length == 0 else None
        self._left, self._lines_left = length, lines
        self._stops = StopFilter(stop)
        self._stops.precede(before)
        self._waiting: deque[float] = deque()  # bits of what is held back
        self._bits, self._characters = 0.0, 0  # of what was shown

    @property
    def held(self) -> str:
        """What was drawn and not shown, since it may be the beginning of a stop text."""
        return self._stops.held

    @property
    def bits_per_char(self) -> float | None:
        """The mean surprise of what was shown; None for nothing."""
        return self._bits / self._characters if self._characters else None

    def feed(self, character: str, bits: float = 0.0) -> str:
        """What is to be shown now that ``character`` is drawn, which cost so many bits."""
        piece = character
        if self._stops.texts:
            piece = self._held_back(character, bits)
        else:
            self._bits += bits
            self._characters += 1
        if self._left is not None:
            self._left -= 1
        if self._stops.found is not None:
            self.end = "stop"
        elif character == "\n" and self._lines_left is not None:
            self._lines_left -= 1
            if not self._lines_left:
                self.end = "lines"
        if self._left == 0 and self.end is None:
            self.end = "length"
        if self.end is not None:
            piece += self._shown(self._stops.rest())
        return piece

    def _held_back(self, character: str, bits: float) -> str:
        self._waiting.append(bits)
        return self._shown(self._stops.feed(character))

    def _shown(self, piece: str) -> str:
        self._characters += len(piece)
        self._bits += sum(self._waiting.popleft() for _ in piece)
        return piece
