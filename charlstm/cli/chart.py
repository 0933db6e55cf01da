"""The losses of runs as a chart of characters for a terminal, drawn by plotext.

Training losses are lines, and validation losses are marks. Runs differ by colour, and without
colour by the characters of which their lines and marks are made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from rich.text import Text

    from charlstm.analysis.curves import Curve, History

    Values = npt.NDArray[np.float64]

LEAST_WIDTH, LEAST_HEIGHT = 24, 6  # a smaller chart shows nothing
MOST_HEIGHT = 30
# Of the 256 colours of terminals, those that can be seen on black and on white: blue, orange,
# green, purple, red, grey.
COLOURS = (33, 208, 34, 134, 160, 244)
MARKS = "\u25cf\u25a0\u25b2\u25c6\u25bc\u2605"  # solid shapes, which no line looks like
LINES = ("braille", ".", "-", "=", "~", "'")  # without colour; braille has eight dots a character
FIRST = 0.05  # share of the run in which the loss may be too high for the chart, which shows
LEAST_SHOWN = 20  # points at least


@dataclass(frozen=True)
class Style:
    """How the losses of one run are drawn."""

    line: str
    mark: str
    line_colour: int | None
    mark_colour: int | None


def style(number: int, runs: int, *, colour: bool) -> Style:
    """The style of run ``number`` of so many; of a single run, line and marks differ by colour."""
    n, more = len(COLOURS), number // len(COLOURS)
    mark = MARKS[(number + more) % n]
    if not colour:
        return Style(LINES[number % n], mark, None, None)
    own = COLOURS[number % n]
    return Style("braille", mark, own, COLOURS[1] if runs == 1 else own)


def legend(histories: "Sequence[History]", *, colour: bool) -> "Text":
    """What the lines and marks mean, a line for each run."""
    from rich.text import Text

    from charlstm.cli.console import printable

    text = Text()
    for number, history in enumerate(histories):
        drawn = style(number, len(histories), colour=colour)
        dots = "\u2812" if drawn.line == "braille" else drawn.line
        text.append("\n" if number else "")
        text.append(2 * dots, _ink(drawn.line_colour)).append(" training  ")
        text.append(2 * drawn.mark, _ink(drawn.mark_colour)).append(" validation  ")
        text.append(printable(history.name))
    return text


def draw(
    histories: "Sequence[History]", by: str, size: tuple[int, int], *, colour: bool
) -> "Text | None":
    """The chart in so many columns and lines; None if there is no room, or nothing to show."""
    import numpy as np
    import plotext
    from rich.text import Text

    width, height = size
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        return None
    curves = [(h.training, h.validation) for h in histories]
    shown = [points(curve, by) for pair in curves for curve in pair]
    if not any(len(x) for x, _ in shown):
        return None
    left, right = _range(np.concatenate([x for x, _ in shown]))
    bottom, top = _range(np.concatenate([_usual(y) for _, y in shown]))
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.limit_size(False, False)
    plotext.plot_size(width, height)
    plotext.xlim(left, right)
    plotext.ylim(bottom, top)
    across, up = ticks(left, right, width // 12), ticks(bottom, top, height // 4)
    plotext.xticks(across, [_shown(value, across) for value in across])
    plotext.yticks(up, [_shown(value, up) for value in up])
    plotext.xlabel(f"{by} (losses in nats per character)")
    styles = [style(number, len(histories), colour=colour) for number in range(len(histories))]
    for drawn, (training, _) in zip(styles, curves, strict=True):
        x, y = _averaged(*points(training, by), width)
        plotext.plot(x.tolist(), y.tolist(), marker=drawn.line, color=drawn.line_colour)
    for drawn, (_, validation) in zip(styles, curves, strict=True):  # above all lines
        x, y = points(validation, by)
        plotext.scatter(x.tolist(), y.tolist(), marker=drawn.mark, color=drawn.mark_colour)
    return Text.from_ansi(plotext.build().rstrip("\n"))


def points(curve: "Curve", by: str) -> "tuple[Values, Values]":
    """The points of a curve that say where they are, x and y."""
    import numpy as np

    x, y = getattr(curve, by), curve.losses
    known = np.isfinite(x) & np.isfinite(y)
    return x[known], y[known]


def ticks(least: float, most: float, count: int) -> list[float]:
    """About ``count`` round numbers from ``least`` to ``most``.

    >>> ticks(0, 3828, 6)
    [0, 1000, 2000, 3000]
    """
    import math

    rough = (most - least) / max(2, count)
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * n for n in (1, 2, 5, 10) if power * n >= rough)
    first, last = math.ceil(least / step), math.floor(most / step)
    return [n * step for n in range(first, last + 1)]


def _ink(colour: int | None) -> str:
    """A colour as rich names it."""
    return "" if colour is None else f"color({colour})"


def _range(values: "Values") -> tuple[float, float]:
    """The least and the greatest of the values, a little apart if they are equal."""
    if not values.size:
        return 0.0, 1.0
    least, most = float(values.min()), float(values.max())
    return (least, most) if most > least else (least - 0.5, most + 0.5)


def _usual(losses: "Values") -> "Values":
    """The losses without those of the very first steps, which would make all others one line."""
    return losses[int(FIRST * len(losses)) :] if len(losses) >= LEAST_SHOWN else losses


def _averaged(x: "Values", y: "Values", most: int) -> "tuple[Values, Values]":
    """The points of a line, in so many means at most: a chart has no more columns of dots."""
    import numpy as np

    if len(x) <= most:
        return x, y
    parts = np.linspace(0, len(x), most + 1).astype(int)[:-1]
    counts = np.diff(np.append(parts, len(x)))
    return np.add.reduceat(x, parts) / counts, np.add.reduceat(y, parts) / counts


def _shown(value: float, ticks: Sequence[float]) -> str:
    """A tick's label, with as many decimals as the distance between ticks needs."""
    import math

    apart = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    return f"{value:,.{max(0, -math.floor(math.log10(apart) + 1e-9))}f}"
