"""Generated text on stdout: a stream of it, or finished texts one by one.

What a terminal must not be told is made visible here; when a text ends is decided elsewhere.
"""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, Self

from charlstm.cli import console
from charlstm.cli.stop import Stop

if TYPE_CHECKING:
    from charlstm import Sample, TextStream


class Form(NamedTuple):
    """How texts are written: ``separator`` follows each, None is a line end where it has none."""

    raw: bool
    echo: bool
    json: bool
    separator: str | None
    random_seed: int | None


class Output:
    """Texts on stdout; on a terminal in visible form, and the last line is ended at the end.

    However the end comes about: an error, or the prompt of the shell, begins a line.
    """

    def __init__(self, form: Form) -> None:
        self.terminal = sys.stdout.isatty()
        self.visible = self.terminal and not form.raw
        self._in_line = False

    def write(self, text: str) -> None:
        """Write ``text``, at once on a terminal."""
        if not text:
            return
        self._in_line = text[-1] != "\n"
        sys.stdout.write(console.visible(text) if self.visible else text)
        if self.terminal:
            sys.stdout.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.terminal and self._in_line:
            sys.stdout.write("\n")
        sys.stdout.flush()


def stream(phrase: str, text_stream: "TextStream", form: Form, *, stop: Stop) -> None:
    """One text as it is made: a character at a time on a terminal, else a line at a time.

    After a signal it ends where it is, with all that was drawn.
    """
    flush_at_line_ends()
    with Output(form) as output:
        if form.echo:
            output.write(phrase)
        for piece in text_stream:
            output.write(piece)
            if stop.signal:
                break
        output.write(text_stream.held)
        output.write(form.separator or "")


def write_all(
    texts: "Iterator[tuple[str, Sample]]", form: Form, *, whole_lines: bool = False
) -> None:
    """Finished texts, each flushed when it is written; ``whole_lines``: each is one line."""
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
                    }
                )
            else:
                text = phrase + sample.text if form.echo else sample.text
                ended = text.endswith("\n") and not whole_lines
                closing = form.separator if form.separator is not None else "" if ended else "\n"
                output.write(text + closing)
            sys.stdout.flush()


def flush_at_line_ends() -> None:
    """Let whoever reads a pipe have each line when it is made; it costs a call for each."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure:
        reconfigure(line_buffering=True)
