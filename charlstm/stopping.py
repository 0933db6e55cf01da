"""Stop texts found in a stream: what may be one is held back until it is sure not to be.

Texts in, texts out; where they come from and go to is not known here.
"""

from collections.abc import Sequence

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
