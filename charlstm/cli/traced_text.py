"""What ``charlstm visualize`` writes of a text: on a terminal a picture, else rows of numbers."""

import dataclasses
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from charlstm.cli import console
from charlstm.errors import CorpusError

if TYPE_CHECKING:
    import numpy as np

    from charlstm import LanguageModel, Trace
    from charlstm.cli.heatmap import Character


@dataclass(frozen=True)
class Shown:
    """What is shown of a character: its surprisal, or the value of a gate or a cell, and guesses.

    ``layer`` and ``unit`` are numbers from 1; with 0 a gate's value is the mean of all cells.
    """

    gate: str | None
    guesses: int
    layer: int = 0
    unit: int = 0

    @property
    def name(self) -> str:
        """The name of the value, as a column has it."""
        cell = f" {self.layer}:{self.unit}" if self.layer else ""
        return f"{self.gate} gate{cell}" if self.gate else f"cell{cell}" if cell else "surprisal"

    @property
    def surprisal(self) -> bool:
        """Whether it is the surprisal that is shown."""
        return self.gate is None and not self.layer

    @property
    def columns(self) -> list[str]:
        """The names of the columns of a table."""
        names = ["position", "character", "bits", *([] if self.surprisal else [self.name])]
        for n in range(1, self.guesses + 1):
            names += [f"guess {n}", f"probability {n}"]
        return names

    def values(self, trace: "Trace") -> "np.ndarray":
        """The value at each character, (T,)."""
        import numpy as np

        if self.surprisal:
            return trace.bits
        cells = getattr(trace, f"{self.gate}_gate") if self.gate else np.tanh(trace.cell)
        if self.layer:
            return np.asarray(cells[:, self.layer - 1, self.unit - 1])
        return np.asarray(cells.mean(axis=(1, 2)))


def write(model: "LanguageModel", pieces: Iterable[str], shown: Shown, *, as_json: bool) -> None:
    """Write a text that comes in pieces of known characters."""
    traces = model.traces(pieces)
    if as_json:
        count = _write_json(model, traces, shown)
    elif sys.stdout.isatty():
        count = _draw(model, traces, shown)
    else:
        count = _write_rows(model, traces, shown)
    if not count:
        raise CorpusError("the model knows no character of the text; there is nothing to show")


def _characters(model: "LanguageModel", trace: "Trace", shown: Shown) -> "list[Character]":
    """The characters of a trace, each with its value and the most probable guesses."""
    from charlstm.cli.heatmap import Character

    best = (-trace.probabilities).argsort(axis=1, kind="stable")[:, : shown.guesses]  # (T, N)
    return [
        Character(text, value, tuple((model.vocabulary[i], float(p[i])) for i in ids))
        for text, value, ids, p in zip(
            trace.text, shown.values(trace).tolist(), best, trace.probabilities, strict=True
        )
    ]


def _write_rows(model: "LanguageModel", traces: "Iterable[Trace]", shown: Shown) -> int:
    """Write lines separated by tabs, and return how many characters there were."""
    position = 0
    for trace in traces:
        if not position:
            sys.stdout.write("\t".join(shown.columns) + "\n")
        lines = []
        for one, bits in zip(_characters(model, trace, shown), trace.bits, strict=True):
            position += 1
            cells = [str(position), console.printable(one.text), f"{bits:.4f}"]
            cells += [] if shown.surprisal else [f"{one.value:.4f}"]
            for guess, probability in one.guesses:
                cells += [console.printable(guess), f"{probability:.4f}"]
            lines.append("\t".join(cells) + "\n")
        sys.stdout.write("".join(lines))
    return position


def _write_json(model: "LanguageModel", traces: "Iterable[Trace]", shown: Shown) -> int:
    """Write an object for each character, and return how many there were."""
    position = 0
    for trace in traces:
        for one, bits in zip(_characters(model, trace, shown), trace.bits, strict=True):
            position += 1
            row: dict[str, Any] = {"position": position, "character": one.text}
            row["bits"] = float(bits)
            if not shown.surprisal:
                row["value"] = one.value
            if one.guesses:
                row["guesses"] = [{"character": c, "probability": p} for c, p in one.guesses]
            console.write_json(row)
    return position


def _draw(model: "LanguageModel", traces: "Iterable[Trace]", shown: Shown) -> int:
    """Draw the text, with a legend and the mean surprisal below it; return its characters."""
    from charlstm.cli import heatmap

    scale = heatmap.SURPRISAL if shown.surprisal else heatmap.GATE if shown.gate else heatmap.CELL
    scale = dataclasses.replace(scale, name=shown.name)
    picture = heatmap.Heatmap(scale)
    count, bits = 0, 0.0

    def characters() -> "Iterator[Character]":
        nonlocal count, bits
        for trace in traces:
            count += len(trace.text)
            bits += float(trace.bits.sum())
            yield from _characters(model, trace, shown)

    picture.write(characters())
    if count:
        picture.note("")
        picture.legend(scale)
        if shown.guesses and picture.coloured:
            picture.legend(heatmap.PROBABILITY)
        elif shown.guesses:
            picture.note("guesses: below, the most probable first")
        picture.note(f"{count:,} characters, {bits / count:.2f} bits per character")
    return count
