"""The losses of a run as a picture: scalable vector graphics in the colours of the page."""

import math
from collections.abc import Callable
from xml.etree.ElementTree import Element

import numpy as np

from charlstm.analysis.curves import Curve, History
from charlstm.pages.elements import element

WIDTH, HEIGHT = 480.0, 260.0
LEFT, RIGHT, TOP, BOTTOM = 50.0, 15.0, 30.0, 45.0  # the margins around the curves
Scale = Callable[[float], float]  # from a step or a loss to a coordinate
MOST_POINTS = 400  # of a curve: more than its columns of dots on a page


def ticks(least: float, most: float, count: int = 5) -> list[float]:
    """About ``count`` round numbers from ``least`` to ``most``.

    >>> ticks(1.32, 2.9)
    [1.5, 2.0, 2.5]
    """
    raw = (most - least) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw)
    first = math.ceil(least / step)
    return [round(n * step, 10) for n in range(first, math.floor(most / step) + 1)]


def chart(history: History) -> Element | None:
    """The training and the validation loss over the steps; None if too little is known."""
    curves = {"training": history.training, "validation": history.validation}
    known = {name: thinned(curve) for name, curve in curves.items() if len(curve.steps)}
    if not known:
        return None
    steps = np.concatenate([points[0] for points in known.values()])
    losses = np.concatenate([points[1] for points in known.values()])
    most_step, least, most = float(steps.max()), float(losses.min()), float(losses.max())
    if most_step <= 0 or not math.isfinite(most) or most - least < 1e-9:
        return None
    least, most = least - 0.05 * (most - least), most + 0.05 * (most - least)

    def across(step: float) -> float:
        return LEFT + step / most_step * (WIDTH - LEFT - RIGHT)

    def down(loss: float) -> float:
        return TOP + (most - loss) / (most - least) * (HEIGHT - TOP - BOTTOM)

    whole = [step for step in ticks(0, most_step) if step == round(step)]
    drawn = _grid(ticks(least, most), whole, across, down)
    for name, (x, y) in known.items():
        where = " ".join(f"{across(a):.1f},{down(b):.1f}" for a, b in zip(x, y, strict=True))
        drawn.append(element("polyline", points=where, fill="none", class_=name))
    drawn += _legend(list(known))
    best = history.best
    said = f"The loss fell to {best.val_loss:.3f} nats." if best and best.val_loss else "Losses."
    box = f"0 0 {WIDTH:g} {HEIGHT:g}"
    return element("svg", *drawn, viewBox=box, role="img", aria_label=f"Losses by steps. {said}")


def thinned(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """The steps and losses of a curve, of many points the means of neighbours: (N,) each."""
    size = -(-len(curve.steps) // MOST_POINTS)
    starts = np.arange(0, len(curve.steps), size)
    counts = np.diff(np.append(starts, len(curve.steps)))
    x, y = (np.add.reduceat(values, starts) / counts for values in (curve.steps, curve.losses))
    return x, y


def _grid(losses: list[float], steps: list[float], across: Scale, down: Scale) -> list[Element]:
    """Lines and numbers of both axes, and what they are."""
    drawn = []
    for loss in losses:
        ends = {"x1": f"{LEFT}", "x2": f"{WIDTH - RIGHT}", "y1": f"{down(loss):.1f}"}
        drawn.append(element("line", **ends, y2=ends["y1"], class_="grid"))
        drawn.append(_text(f"{loss:g}", LEFT - 6, down(loss) + 4, "end"))
    for step in steps:
        drawn.append(_text(f"{step:,.0f}", across(step), HEIGHT - BOTTOM + 18, "middle"))
    drawn.append(_text("steps", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "middle"))
    return drawn


def _legend(names: list[str]) -> list[Element]:
    """A short line of each curve and its name, above the picture."""
    drawn = []
    for number, name in enumerate(names):
        x, y = LEFT + 170 * number, TOP - 16
        ends = {"x1": f"{x}", "x2": f"{x + 26}", "y1": f"{y}", "y2": f"{y}"}
        drawn.append(element("line", class_=name, **ends))
        drawn.append(_text(f"{name} loss", x + 34, y + 5, "start"))
    return drawn


def _text(text: str, x: float, y: float, anchor: str) -> Element:
    return element("text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor)
