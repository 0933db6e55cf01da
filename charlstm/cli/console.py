"""What is said to a person and how a terminal is treated; nothing here knows a command."""

import io
import json
import os
import re
import sys
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

# Shown in visible form on a terminal: C0 and C1 controls but tab and line feed, and the
# characters that turn the direction of writing.
CONTROLS = {code: f"^{chr(code ^ 0x40)}" for code in (*range(0x20), 0x7F) if code not in (9, 10)}
DIRECTIONS = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
CONTROLS |= {code: f"<U+{code:04X}>" for code in (*range(0x80, 0xA0), *DIRECTIONS, 0xFEFF)}
IN_A_LINE = {**CONTROLS, 10: "^J"}  # where a line end would begin a line that nobody wrote
LONGEST_MESSAGE = 10_000
NARROW = 80  # columns of a terminal that does not say how many it has


def use_utf8() -> None:
    """UTF-8 on every stream whatever the locale, and no translation of line ends on output.

    A stream that was closed before the start reads nothing and takes everything. Names of files
    that are not UTF-8 leave on stdout as they came.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 (for good)
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors=errors, newline="")


def visible(text: str) -> str:
    r"""``text`` with control characters in a form that a terminal does not act on.

    >>> visible("a\x1b[31m")
    'a^[[31m'
    """
    return text.translate(CONTROLS)


def on_one_line(text: str) -> str:
    r"""``text`` in visible form, without a line end.

    >>> on_one_line("a\nb")
    'a^Jb'
    """
    return text.translate(IN_A_LINE)


def printable(text: str) -> str:
    r"""``text`` on one line of a table: whatever is not printable is escaped.

    >>> printable("a\n'\x1b")
    "a\\n'\\x1b"
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def say(message: str, *, quiet: bool = False, whole: bool = False) -> None:
    """One line to the person at the terminal, on stderr; a closed stderr is no reason to stop.

    Names of files and texts are in it, which may hold line ends: it stays one line. On a terminal
    it is broken between words, but for a ``whole`` one, which holds a command to be copied.
    """
    if quiet:
        return
    line = on_one_line(message)
    if not whole and is_terminal(sys.stderr):
        line = wrapped(line, _width(sys.stderr))
    _to_stderr(line + "\n")


def say_if_typed(places: Iterable[str | None], *, quiet: bool) -> None:
    """Say that the program waits, and for what, where ``-`` among ``places`` is a keyboard."""
    if "-" in places and sys.stdin.isatty():
        say("reading from the keyboard; end with Ctrl-D at the beginning of a line", quiet=quiet)


def confirmed(question: str) -> bool:
    """Whether the person at the terminal says yes to it; where there is none, nobody does."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    _to_stderr(f"{on_one_line(question)} [y/N] ")
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):  # it was ended by Ctrl-D
        _to_stderr("\n")
    return answer.strip().lower() in ("y", "yes")


def wrapped(line: str, width: int) -> str:
    r"""``line`` broken between words into lines of at most ``width`` columns of a terminal.

    A word that is longer stays whole, and so do several spaces in a row within a line.

    >>> wrapped("to be or not to be", 8)
    'to be or\nnot to\nbe'
    """
    lines, used = [""], 0
    for word in re.findall(r" *[^ ]+ *", line):
        columns = _columns(word)
        if used + _columns(word.rstrip()) > width and used:
            lines.append("")
            used = 0
        lines[-1] += word
        used += columns
    return "\n".join(part.rstrip() for part in lines)


def _columns(text: str) -> int:
    """How many columns of a terminal ``text`` takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(1 + (east_asian_width(c) in "WF") for c in text if not combining(c))


def _width(stream: TextIO) -> int:
    """The columns of the terminal ``stream``; what COLUMNS says, where it is set."""
    named = os.environ.get("COLUMNS", "")
    if named.isdecimal() and len(named) < 6 and int(named):
        return int(named)
    try:
        return os.get_terminal_size(stream.fileno()).columns or NARROW
    except OSError:
        return NARROW


def error(message: str) -> None:
    """The one line that says why the program ends."""
    say(f"charlstm: error: {message[:LONGEST_MESSAGE]}")


def show_traceback() -> None:
    """The traceback of the exception in hand, for who asked for it; visible, like all else."""
    _to_stderr(visible(traceback.format_exc()))


def _to_stderr(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        pass


def is_terminal(stream: TextIO) -> bool:
    """Whether ``stream`` is a terminal that understands more than plain lines."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def write_json(value: Any) -> None:
    """One object on one line of stdout."""
    write_line(json.dumps(value, ensure_ascii=False))


def write_line(text: str) -> None:
    """One line of stdout, such as a path, as it is; in visible form on a terminal."""
    sys.stdout.write((on_one_line(text) if sys.stdout.isatty() else text) + "\n")


def write_rows(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """A table on a terminal; tab-separated lines with a header elsewhere.

    Whatever is not printable is escaped, so that a cell stays in its place.
    """
    if not is_terminal(sys.stdout):
        for row in (header, *rows):
            sys.stdout.write("\t".join(map(printable, row)) + "\n")
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, header_style="bold", pad_edge=False)
    numeric = [all(_is_number(row[i]) for row in rows) for i in range(len(header))]
    for name, right in zip(header, numeric, strict=True):
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console(file=sys.stdout, highlight=False).print(table)


def abandon_stdout() -> None:
    """Drop what could not be written, so that the interpreter does not try again at its end."""
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), sys.stdout.fileno())


def _is_number(cell: str) -> bool:
    return cell.rstrip("%").replace(".", "", 1).replace(",", "").isdigit()
