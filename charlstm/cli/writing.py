"""Generated text on stdout: a stream of it, or finished texts one by one.

What a terminal must not be told is made visible here; when a text ends is decided elsewhere.
"""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from charlstm.cli import console
from charlstm.cli.stop import Stop

if TYPE_CHECKING:
    from charlstm.generate import Generation
    from charlstm.samples import Sample


class Form(NamedTuple):
    """How texts are written: ``separator`` follows each, None is a line end where it has none."""

    raw: bool
    echo: bool
    json: bool
    separator: str | None
    random_seed: int | None


def stream(phrase: str, generation: "Generation", form: Form, *, stop: Stop) -> None:
    """One text as it is made: a character at a time on a terminal, else a line at a time.

    After a signal it ends where it is, with all that was drawn.
    """
    terminal = sys.stdout.isatty()
    shown = console.visible if terminal and not form.raw else str
    flush_at_line_ends()
    write, last = sys.stdout.write, "\n"
    if phrase and form.echo:
        write(shown(phrase))
        last = phrase
    for last in generation:
        write(shown(last))
        if terminal:
            sys.stdout.flush()
        if stop.signal:
            break
    if generation.held:
        last = generation.held
        write(shown(last))
    if form.separator is not None:
        last = form.separator or last
        write(shown(form.separator))
    if terminal and not last.endswith("\n"):
        write("\n")
    sys.stdout.flush()


def write_all(texts: "Iterator[tuple[str, Sample]]", form: Form, *, whole_lines: bool) -> None:
    """Finished texts, each flushed when it is written; ``whole_lines``: each is one line."""
    terminal = sys.stdout.isatty()
    shown = console.visible if terminal and not form.raw else str
    last = "\n"
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
            last = text + closing or last
            sys.stdout.write(shown(text + closing))
        sys.stdout.flush()
    if terminal and not last.endswith("\n"):
        sys.stdout.write("\n")


def flush_at_line_ends() -> None:
    """Let whoever reads a pipe have each line when it is made; it costs a call for each."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure:
        reconfigure(line_buffering=True)
