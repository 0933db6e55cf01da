"""When a text ends: after a number of characters or lines, or before a stop text.

Characters arrive here one at a time; ``text_stream`` and ``batch`` draw them.
"""

from collections import deque
from dataclasses import dataclass
from typing import Literal

from charlstm.checks import shown
from charlstm.errors import OptionError
from charlstm.options import check_record

DEFAULT_LENGTH = 1000

EndReason = Literal["length", "stop", "lines"]


@dataclass(frozen=True, kw_only=True)
class StopRule:
    """Where a text ends: after ``length`` characters or ``lines`` line ends, or before a stop text.

    The first of them ends the text. A length of 0 is without end; None becomes DEFAULT_LENGTH, or
    ``lines`` times as much. With ``keep_stop`` the text ends after the stop text. OptionError is
    raised for values out of range and for an empty stop text.

    >>> [StopRule(length=n, lines=3).length for n in (None, 0, 70)]
    [3000, 0, 70]
    """

    length: int | None = None
    lines: int | None = None
    stop: tuple[str, ...] = ()
    keep_stop: bool = False

    def __post_init__(self) -> None:
        check_record(self)
        if self.length is None:
            object.__setattr__(self, "length", DEFAULT_LENGTH * (self.lines or 1))
        if not all(self.stop):
            raise OptionError("a stop text is empty; is a variable of the shell unset?")

    def check_end(self, characters: set[str], *, whole: bool) -> None:
        """Raise OptionError for a text of these ``characters`` that must end and cannot.

        A text must end if it is kept until it is ``whole``, or if only ``lines`` can end it.
        """
        possible = any(characters.issuperset(text) for text in self.stop)
        if self.length or possible or (self.lines and "\n" in characters):
            return
        if self.lines and (whole or not self.stop):
            raise OptionError(f"is {self.lines}, but the model writes no line end", "lines", "end")
        if whole and self.stop:
            stops = " or ".join(map(shown, self.stop))
            raise OptionError(f"the model never writes {stops}, so that no text ends", code="end")
        if whole:
            raise OptionError(
                "is 0, so that the text has no end, but a whole text needs one", "length", "end"
            )


class TextEnd:
    """Finds the end of one text, and holds back characters that may begin a stop text.

    ``reason`` says why the text has ended; it is None until then. If several reasons apply to one
    character, a stop text is the reason before lines, and lines before the length. ``stop`` is the
    stop text that was found, the longest one if several end at one character. It is cut off, or
    kept if the rule says so; then nothing is held back.

    >>> end = TextEnd(StopRule(stop=("</p>",)))
    >>> [end.feed(character) for character in "a</b</p>"], end.reason
    (['a', '', '', '</b', '', '', '', ''], 'stop')
    """

    def __init__(self, rule: StopRule, before: str = "") -> None:
        """A stop text may begin in ``before``, which was given out earlier."""
        self.reason: EndReason | None = None
        self.stop: str | None = None
        self.held = ""  # drawn, but not given out yet
        self._left, self._lines_left = rule.length, rule.lines
        self._stops = sorted(set(rule.stop), key=len, reverse=True)
        self._longest = len(self._stops[0]) if self._stops else 0
        self._holds = bool(self._stops) and not rule.keep_stop
        self._tail = before[-self._longest :] if self._stops else ""  # the end of the text so far
        self._held_bits: deque[float] = deque()
        self._bits, self._characters = 0.0, 0  # of what was given out

    @property
    def bits_per_char(self) -> float | None:
        """The mean surprisal of what was given out; None if that is nothing."""
        return self._bits / self._characters if self._characters else None

    def feed(self, character: str, bits: float = 0.0) -> str:
        """Take the next character, with its surprisal; return what now surely is in the text."""
        piece, stop = character, ""
        if self._stops:
            self._tail = (self._tail + character)[-self._longest :]
            stop = next(filter(self._tail.endswith, self._stops), "")
        if self._holds:
            self.held += character
            self._held_bits.append(bits)
            piece = self._release(max(0, len(self.held) - (len(stop) or self._begun())))
        else:  # the usual case, for each character of a text
            self._bits += bits
            self._characters += 1
        if self._left:
            self._left -= 1
            self.reason = "length" if not self._left else None
        if character == "\n" and self._lines_left:
            self._lines_left -= 1
            self.reason = self.reason if self._lines_left else "lines"
        if stop:
            self.reason, self.stop, self.held = "stop", stop, ""
        return piece + self._release(len(self.held)) if self.reason else piece

    def _begun(self) -> int:
        """The length of the longest beginning of a stop text that the text ends with."""
        last = self._tail[-1]
        sizes = (
            size
            for stop in self._stops
            for size in range(1, len(stop))
            if stop[size - 1] == last and self._tail.endswith(stop[:size])
        )
        return max(sizes, default=0)

    def _release(self, count: int) -> str:
        """Give out the first ``count`` characters of what is held back."""
        piece, self.held = self.held[:count], self.held[count:]
        for _ in piece:
            self._bits += self._held_bits.popleft()
        self._characters += count
        return piece
