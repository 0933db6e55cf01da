"""A text on a terminal whose characters are coloured by numbers: a heat map.

Where there are no colours, a digit from 0 to 9 stands below each character.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from unicodedata import combining

from rich.cells import cell_len
from rich.color import Color, ColorSystem
from rich.console import COLOR_SYSTEMS, Console
from rich.style import Style
from rich.text import Text

from charlstm.cli import console

Colour = tuple[int, int, int]  # red, green, blue, 0 to 255

SHADES = 65  # colours of a scale, an odd number so that one is in the middle
LEGEND = 16  # columns of the legend's colours, one less than there are
SPECIAL = {"\n": console.LINE_END, "\t": "\u2192   "}
VISIBLE_SPACE = "\u2423"
DOTTED_CIRCLE = "\u25cc"  # carries an accent that stands alone
LIGHT = 0.18  # the luminance at which black and white are as easy to read


@dataclass(frozen=True)
class Scale:
    """What colours mean: values from ``low`` to ``high``, beyond which they do not change.

    ``meaning`` says what the two ends are. ``colours`` are evenly spaced from low to high; the
    colours between them are mixed. ``standard`` are numbers of colours for a terminal that has
    only 16; they are not mixed.
    """

    name: str
    low: float
    high: float
    meaning: tuple[str, str]
    colours: tuple[Colour, ...]
    standard: tuple[int, ...] = ()

    def share(self, value: float) -> float:
        """Where a value is between low and high, from 0 to 1."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def digit(self, value: float) -> str:
        """The tenth of the scale in which a value is, from 0 to 9."""
        return str(min(9, int(10 * self.share(value))))

    def colour(self, share: float) -> Colour:
        """The colour at a share of the scale.

        >>> Scale("", 0, 1, ("", ""), ((0, 0, 0), (100, 0, 200))).colour(0.5)
        (50, 0, 100)
        """
        position = share * (len(self.colours) - 1)
        first = min(int(position), len(self.colours) - 2)
        rest = position - first
        red, green, blue = (
            round(a + rest * (b - a))
            for a, b in zip(self.colours[first], self.colours[first + 1], strict=True)
        )
        return red, green, blue


# The colours have near neighbours among the 256 of older terminals.
DARK = (42, 42, 42)
SURPRISAL = Scale(
    "surprisal", *(0, 8), ("0 bits: expected", "8 bits or more: surprising"), (DARK, (95, 10, 10),
    (135, 5, 5), (180, 10, 5), (215, 30, 10), (255, 95, 20), (255, 175, 95)), (0, 1, 9, 11),
)  # fmt: skip
# As in the paper: red for -1 and blue for 1.
CELL = Scale(
    "cell", *(-1, 1), ("tanh(c) = -1", "1"), ((178, 24, 43), (244, 165, 130), (240, 240, 240),
    (146, 197, 222), (33, 102, 172)), (1, 9, 7, 14, 4),
)  # fmt: skip
GATE = Scale(
    "gate", *(0, 1), ("0: closed", "1: open"), (DARK, (10, 95, 10), (20, 135, 20), (70, 175, 70),
    (150, 235, 130)), (0, 8, 2, 10),
)  # fmt: skip
PROBABILITY = replace(GATE, name="guesses", meaning=("0: improbable", "1: certain"))


@dataclass(frozen=True)
class Character:
    """A character, the value that its colour shows, and guesses with their probabilities."""

    text: str
    value: float
    guesses: tuple[tuple[str, float], ...] = ()


def shown(character: str) -> str:
    r"""A character as one sees it on a terminal, in one column or more.

    >>> shown("\n"), shown("\x1b"), shown("\u0301") == "\u25cc\u0301"
    ('↵', '^[', True)
    """
    text = SPECIAL.get(character) or console.visible(character)
    if cell_len(text):
        return text
    return DOTTED_CIRCLE + text if combining(text) else f"<U+{ord(text):04X}>"


def folded(characters: Iterable[Character], width: int) -> Iterator[list[Character]]:
    """The lines of a text, folded after the last space that fits, or within a word without one."""
    line: list[Character] = []
    filled = 0
    for one in characters:
        line.append(one)
        filled += columns(one)
        while filled > width and len(line) > 1:
            spaces = (i for i in range(len(line) - 2, -1, -1) if line[i].text.isspace())
            end = next(spaces, len(line) - 2) + 1
            yield line[:end]
            line = line[end:]
            filled = sum(map(columns, line))
        if one.text == "\n":
            yield line
            line, filled = [], 0
    if line:
        yield line


def columns(one: Character) -> int:
    """How many columns of a terminal a character takes, together with the guesses below it."""
    return max(cell_len(text) for text in (shown(one.text), *map(_guess, one.guesses)))


class Heatmap:
    """Texts on the terminal of stdout, with colours as far as it has them."""

    def __init__(self, scale: Scale) -> None:
        self._console = Console(file=sys.stdout, highlight=False)
        self._scale = scale
        self._styles = {kind.colours: self._shades(kind) for kind in (scale, PROBABILITY)}

    @property
    def width(self) -> int:
        """The columns of the terminal."""
        return self._console.width

    @cached_property
    def coloured(self) -> bool:
        """Whether the terminal has colours, and the user wants them (NO_COLOR)."""
        return self._console.color_system is not None and not self._console.no_color

    def write(self, characters: Iterable[Character], indent: int = 0) -> None:
        """Write a text, each line as soon as it is complete."""
        for number, line in enumerate(folded(characters, self.width - indent)):
            rows = list(self._rows(line))
            if number and len(rows) > 1:
                rows.insert(0, Text())
            for row in rows:
                self._print(Text(" " * indent) + row)

    def legend(self, scale: Scale) -> None:
        """Write what the colours of a scale mean."""
        low, high = scale.meaning
        if self.coloured:
            text = Text(f"{scale.name}  {low} ")
            for shade in range(0, SHADES, SHADES // LEGEND):
                text.append(" ", self._styles[scale.colours][shade])
            self._print(text + Text(f" {high}"))
        else:
            self._print(Text(f"{scale.name}: from 0 ({low}) to 9 ({high})"))

    def note(self, message: str) -> None:
        """Write a line without colours."""
        self._print(Text(message))

    def _rows(self, line: list[Character]) -> Iterator[Text]:
        """A line, what stands for its colours if there are none, and the guesses below it."""
        row, digits = Text(), Text()
        for one in line:
            padded = _padded(shown(one.text), columns(one))
            style = self._style(self._scale, self._scale.share(one.value))
            row.append(padded, style + Style(dim=one.text == "\n"))
            digits.append(_padded(self._scale.digit(one.value), columns(one)))
        yield row
        if not self.coloured:
            yield digits
        for n in range(max((len(one.guesses) for one in line), default=0)):
            row = Text()
            for one in line:
                guess = one.guesses[n] if n < len(one.guesses) else (" ", 0.0)
                row.append(_padded(_guess(guess), columns(one)), self._style(PROBABILITY, guess[1]))
            yield row

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)

    def _style(self, scale: Scale, share: float) -> Style:
        return self._styles[scale.colours][round(share * (SHADES - 1))]

    def _shades(self, scale: Scale) -> list[Style]:
        """The styles of a scale: its colours behind the characters, black or white before them."""
        if not self.coloured:
            return [Style.null()] * SHADES
        system = COLOR_SYSTEMS[self._console.color_system or "truecolor"]
        few = scale.standard if system == ColorSystem.STANDARD else ()
        styles = []
        for i in range(SHADES):
            if few:
                behind = Color.from_ansi(few[i * len(few) // SHADES])
            else:
                behind = Color.from_rgb(*scale.colour(i / (SHADES - 1))).downgrade(system)
            before = (0, 0, 0) if _luminance(behind) > LIGHT else (255, 255, 255)
            styles.append(Style(color=Color.from_rgb(*before).downgrade(system), bgcolor=behind))
        return styles


def _guess(guess: tuple[str, float]) -> str:
    return VISIBLE_SPACE if guess[0] == " " else shown(guess[0])


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def _luminance(colour: Color) -> float:
    """The relative luminance of a colour, 0 to 1, as the W3C's contrast guidelines define it."""
    shares = [value / 255 for value in colour.get_truecolor()]
    red, green, blue = (s / 12.92 if s <= 0.03928 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
