"""Stop texts found in a stream: what may be one is held back until it is sure not to be.

Texts in, texts out; where they come from and go to is not known here.
"""

from collections import deque
from collections.abc import Sequence
from typing import Literal

from charlstm.errors import OptionError


class StopFilter:
    """Lets a text through up to the first stop text, which it keeps.

    The text ends where the first stop text is complete; if several end there, at the start of
    the longest. Knuth, Morris and Pratt (1977): each character is looked at once, and no more
    is held back than the longest beginning of a stop text that the text ends with.

    >>> stops = StopFilter(["</p>"])
    >>> [stops.feed(piece) for piece in ("a < b", " and </", "b></", "p> c")]
    ['a < b', ' and ', '</b>', '']
    >>> stops.found
    '</p>'
    """

    def __init__(self, stops: Sequence[str]) -> None:
        """Raises OptionError for an empty stop text, which would end every text at once."""
        if not all(stops):
            raise OptionError("a stop text is empty; is a variable of the shell unset?")
        self.held = ""  # at the end of what was fed, the beginning of a stop text
        self.found: str | None = None
        # Longest first: of those that end at one place it is the one that counts.
        self.texts = sorted(set(stops), key=len, reverse=True)
        self._borders = [_borders(stop) for stop in self.texts]
        self._matched = [0] * len(self.texts)  # characters of each that the text ends with

    def precede(self, text: str) -> None:
        """Let ``text``, which was let through before, count as the beginning of what is fed.

        >>> stops = StopFilter(["</p>"])
        >>> stops.precede("<p>one</")
        >>> stops.feed("p> two"), stops.found
        ('', '</p>')
        """
        for character in text:
            for number, stop in enumerate(self.texts):
                matched = self._next(number, character)
                # A whole one is over; what it ends with may begin another.
                self._matched[number] = (
                    self._borders[number][-1] if matched == len(stop) else matched
                )

    def feed(self, text: str) -> str:
        """What is sure to belong to the text once ``text`` is added; "" after the end."""
        sure = []
        for character in text:
            if self.found is not None:
                break
            self.held += character
            for number, stop in enumerate(self.texts):
                self._matched[number] = self._next(number, character)
                if self._matched[number] == len(stop) and self.found is None:
                    self.found = stop
            kept = max(self._matched, default=0) if self.found is None else len(self.found)
            cut = max(0, len(self.held) - kept)  # more than is held: the rest came before
            sure.append(self.held[:cut])
            self.held = self.held[cut:]
        if self.found is not None:
            self.held = ""
        return "".join(sure)

    def rest(self) -> str:
        """What is held back, once no more text comes."""
        rest, self.held = self.held, ""
        return rest

    def _next(self, number: int, character: str) -> int:
        """How much of a stop text the text ends with after one more character."""
        stop, matched = self.texts[number], self._matched[number]
        while matched and stop[matched] != character:
            matched = self._borders[number][matched - 1]
        return matched + (stop[matched] == character)


def _borders(stop: str) -> list[int]:
    """For each beginning of ``stop``, its longest shorter beginning that it also ends with."""
    borders, length = [0], 0
    for character in stop[1:]:
        while length and stop[length] != character:
            length = borders[length - 1]
        length += stop[length] == character
        borders.append(length)
    return borders


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
