"""Generated text on stdout: one text while it is made, or finished texts one by one."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from charlstm.cli import console
from charlstm.cli.stop import Stop, end_by

if TYPE_CHECKING:
    from charlstm import Sample, TextStream

PART = 1000  # characters, at most 4,000 bytes: a pipe that has room has room for them


@dataclass(frozen=True)
class Form:
    """How texts are written.

    ``separator`` follows each text; None is a line end, unless the text already ends with one.
    """

    raw: bool
    echo: bool
    json: bool
    separator: str | None
    random_seed: int | None


class Output:
    """Stdout for generated text. On a terminal, control characters are visible.

    When the ``with`` block ends, also by an error, the last line on a terminal is ended, so that
    an error or the prompt of the shell begins a line.

    If ``stop`` handles a signal while no more text can be written, because its reader does not read
    on, the program ends at once.
    """

    def __init__(self, form: Form, stop: Stop | None = None) -> None:
        self.terminal = sys.stdout.isatty()
        self.visible = self.terminal and not form.raw
        self._in_line = False
        self._stop = stop

    def write(self, text: str) -> None:
        """Write ``text``, at once on a terminal and where a signal may have to be seen."""
        if not text:
            return
        self._in_line = text[-1] != "\n"
        shown = console.visible(text) if self.visible else text
        if self._stop is None:
            sys.stdout.write(shown)
        else:
            self._write_in_parts(shown, self._stop)
        if self.terminal:
            sys.stdout.flush()

    def _write_in_parts(self, text: str, stop: Stop) -> None:
        """Write ``text`` without being held up by its reader where a signal could not be seen."""
        for start in range(0, len(text), PART):
            if not stop.can_write(sys.stdout):
                end_by(stop.signal)
            sys.stdout.write(text[start : start + PART])
            sys.stdout.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.terminal and self._in_line:
            self.write("\n")
        sys.stdout.flush()


@dataclass
class Written:
    """How many texts were written, and how many of them were ``cut`` at their ``length``."""

    texts: int = 0
    cut: int = 0
    length: int = 0  # characters

    def add(self, length: int, end: str | None) -> None:
        """Count one text of so many characters, which ended for this reason."""
        self.texts += 1
        if end == "length":
            self.cut += 1
            self.length = length


def stream(phrase: str, text_stream: "TextStream", form: Form, *, stop: Stop | None) -> Written:
    """Write one text while it is made, character by character on a terminal, else by lines.

    After a signal that ``stop`` handles, the text ends early, but with all characters that were
    drawn.
    """
    written, length = Written(), 0
    with Output(form, stop) as output:
        if form.echo:
            output.write(phrase)
        for piece in text_stream:
            output.write(piece)
            length += len(piece)
            if stop is not None and stop.signal:
                break
        output.write(text_stream.held)
        output.write(form.separator or "")
    written.add(length, text_stream.end)
    return written


def write_all(
    texts: "Iterator[tuple[str, Sample]]", form: Form, *, whole_lines: bool = False
) -> Written:
    """Write seed phrases and texts, each as soon as it is there.

    With ``whole_lines`` each phrase and its text are one line, whose end is still to be written.
    """
    written = Written()
    with Output(form) as output:
        for phrase, sample in texts:
            if form.json:
                console.write_json(
                    {
                        "text": sample.text,
                        "seed": phrase,
                        "random_seed": form.random_seed,
                        "sample": sample.number,
                        "bits_per_char": sample.bits_per_char,
                        "end": sample.end,
                        "stop": sample.stop,
                    }
                )
            else:
                text = phrase + sample.text if form.echo else sample.text
                ended = text.endswith("\n") and not whole_lines
                closing = form.separator if form.separator is not None else "" if ended else "\n"
                output.write(text + closing)
            sys.stdout.flush()
            written.add(len(sample.text), sample.end)
    return written
