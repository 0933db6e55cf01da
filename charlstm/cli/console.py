"""Messages on stderr, and what terminals need; nothing here depends on a command."""

import io
import json
import os
import re
import sys
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

from charlstm.cli.wording import NOTHING

# What a terminal shows for C0 and C1 control characters, except tab and line feed, and for the
# characters that change the direction of writing.
CONTROLS = {code: f"^{chr(code ^ 0x40)}" for code in (*range(0x20), 0x7F) if code not in (9, 10)}
DIRECTIONS = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
CONTROLS |= {code: f"<U+{code:04X}>" for code in (*range(0x80, 0xA0), *DIRECTIONS, 0xFEFF)}
IN_A_LINE = {**CONTROLS, 10: "^J"}  # where a line end could forge a message of its own
LONGEST_MESSAGE = 10_000
INDENT = 4 * " "  # before a text that is quoted
BAR = f"{INDENT}\u2502 "  # the same on a terminal
REST = 2 * " "  # before the rest of a line that was broken
LINE_END = "\u21b5"  # the arrow of a return key
LEAST_WIDTH = 8  # of a column of numbers
USUAL_WIDTH = 80  # columns of a terminal that does not say how many it has


def use_utf8() -> None:
    """Use UTF-8 whatever the locale is, do not translate line ends, and flush after each line.

    A stream that was closed before the program started is replaced by the null device. The names
    of files that are not UTF-8 are written to stdout unchanged.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 (it stays open)
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors=errors, newline="", line_buffering=True)


def visible(text: str) -> str:
    r"""``text`` with control characters in a form that a terminal shows and does not obey.

    >>> visible("a\x1b[31m")
    'a^[[31m'
    """
    return text.translate(CONTROLS)


def on_one_line(text: str) -> str:
    r"""``text`` in visible form, with visible line ends too.

    >>> on_one_line("a\nb")
    'a^Jb'
    """
    return text.translate(IN_A_LINE)


def printable(text: str) -> str:
    r"""``text`` for one cell of a table: characters that are not printable are escaped.

    >>> printable("a\n'\x1b")
    "a\\n'\\x1b"
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def say(*messages: str, quiet: bool = False, whole: bool = False) -> None:
    """Write messages of one line to stderr; a closed stderr is no reason to stop.

    Line ends in a message, for example in the name of a file, are made visible. A terminal gets
    the message broken between words, unless it is ``whole`` because it has a command to copy.
    """
    for message in () if quiet else messages:
        line = on_one_line(message)
        if not whole and is_terminal(sys.stderr):
            line = wrapped(line, _width(sys.stderr))
        _to_stderr(line + "\n")


def quote(text: str) -> None:
    """Write a text of the network to stderr, so that it cannot be taken for a message.

    On a terminal each line of the text stands beside a bar, dimmed and broken between words, and
    the rest of a broken line is indented. Elsewhere the text is one line, as a message is, and a
    mark shows where its lines end.
    """
    if not is_terminal(sys.stderr):
        _to_stderr(INDENT + on_one_line(text.replace("\n", LINE_END)) + "\n")
        return
    dim, plain = ("", "") if os.environ.get("NO_COLOR") else ("\x1b[2m", "\x1b[0m")
    room = _width(sys.stderr) - len(BAR) - len(REST)
    for line in text.split("\n"):
        broken = wrapped(on_one_line(line), room).replace("\n", f"\n{REST}")
        for part in broken.split("\n"):
            _to_stderr(f"{BAR}{dim}{part}{plain}\n")


def say_if_typed(sources: Iterable[str | None], *, quiet: bool) -> None:
    """Say that the program waits for input if ``-`` is among ``sources`` and means a keyboard."""
    if "-" in sources and sys.stdin.isatty():
        say("reading from the keyboard; end with Ctrl-D at the beginning of a line", quiet=quiet)


def confirmed(question: str) -> bool:
    """Whether the user at the terminal answers yes; without a terminal the answer is no."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    _to_stderr(f"{on_one_line(question)} [y/N] ")
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):  # Ctrl-D ended the answer
        _to_stderr("\n")
    return answer.strip().lower() in ("y", "yes")


def wrapped(line: str, width: int) -> str:
    r"""``line`` broken between words into lines of at most ``width`` columns of a terminal.

    A longer word is not broken, and several spaces in a row within a line are kept.

    >>> wrapped("to be or not to be", 8)
    'to be or\nnot to\nbe'
    """
    lines = [""]
    for word in re.findall(r" *[^ ]+ *", line):
        if lines[-1] and _columns(lines[-1] + word.rstrip()) > width:
            lines.append("")
        lines[-1] += word
    return "\n".join(part.rstrip() for part in lines)


def _columns(text: str) -> int:
    """How many columns of a terminal ``text`` fills."""
    from unicodedata import combining, east_asian_width

    return sum(1 + (east_asian_width(c) in "WF") for c in text if not combining(c))


def _width(stream: TextIO) -> int:
    """The number of columns of the terminal ``stream``; the variable COLUMNS outranks it."""
    named = os.environ.get("COLUMNS", "")
    if named.isdecimal() and len(named) < 6 and int(named):
        return int(named)
    try:
        return os.get_terminal_size(stream.fileno()).columns or USUAL_WIDTH
    except OSError:
        return USUAL_WIDTH


def error(message: str) -> None:
    """Write the line that says why the program ends."""
    say(f"charlstm: error: {message[:LONGEST_MESSAGE]}")


def show_traceback() -> None:
    """Write the traceback of the current exception, with control characters in visible form."""
    _to_stderr(visible(traceback.format_exc()))


def _to_stderr(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        pass


def is_terminal(stream: TextIO) -> bool:
    """Whether ``stream`` is a terminal that can do more than show plain lines."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def write_json(value: Any) -> None:
    """Write an object to stdout, on one line."""
    sys.stdout.write(_json_line(value))


def write_line(text: str) -> None:
    """Write a line such as a path to stdout: unchanged, or in visible form on a terminal."""
    sys.stdout.write(_line(text))


def write_row(row: Iterable[str]) -> None:
    """Write one tab-separated line to stdout, with what is not printable escaped."""
    sys.stdout.write("\t".join(map(printable, row)) + "\n")


def write_rows(
    header: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, cut_last: bool = False
) -> None:
    """Write a table to a terminal, or tab-separated lines with a header to anything else.

    Characters that are not printable are escaped, since a tab or a line end would break a row. On a
    terminal long cells are folded, or cut in the last column with ``cut_last``.
    """
    if not is_terminal(sys.stdout):
        for row in (header, *rows):
            write_row(row)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, header_style="bold", pad_edge=False)
    for name, *cells in zip(header, *rows, strict=True):
        numbers = [_is_number(cell) for cell in cells if cell not in (NOTHING, "")]
        numeric = bool(numbers) and all(numbers)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        *first, last = (Text(printable(cell)) for cell in row)
        if cut_last:
            last.no_wrap, last.overflow = True, "ellipsis"
        table.add_row(*first, last)
    Console(file=sys.stdout, highlight=False).print(table)


class Rows:
    """Rows on stdout, written as they come: for people, for programs, or as JSON objects.

    A row is an object with a value for each of ``columns``. As JSON it is written whole. Other
    programs get the columns separated by tabs, without a header; a terminal gets them aligned, with
    a header. None is shown as ``-``.
    """

    def __init__(self, columns: Sequence[str], *, json: bool) -> None:
        terminal = is_terminal(sys.stdout)
        self._columns, self._json = columns, json
        self._widths = [max(LEAST_WIDTH, len(name)) if terminal else 0 for name in columns]
        self._widths[-1] = 0
        self._separator = "  " if terminal else "\t"
        if terminal and not json:
            sys.stdout.write(self._joined([name.replace("_", " ") for name in columns]))

    def write(self, rows: Iterable[dict[str, Any]]) -> None:
        """Write some rows, in one call."""
        if self._json:
            lines = [_json_line(row) for row in rows]
        else:
            lines = [self._joined([row[name] for name in self._columns]) for row in rows]
        sys.stdout.write("".join(lines))

    def _joined(self, values: Sequence[str | float | None]) -> str:
        """A line of these values: texts escaped, numbers with at most four decimal places."""
        cells = []
        for value, width in zip(values, self._widths, strict=True):
            if isinstance(value, str):
                cells.append(printable(value).ljust(width))
            else:
                number = f"{value:.4f}" if isinstance(value, float) else value
                cells.append(str(NOTHING if number is None else number).rjust(width))
        return self._separator.join(cells) + "\n"


def abandon_stdout() -> None:
    """Drop what could not be written, so that the interpreter does not try again when it ends."""
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), sys.stdout.fileno())


def _json_line(value: Any) -> str:
    r"""An object as JSON, which is UTF-8: bytes of a file name that are none become ``\udcXX``."""
    text = json.dumps(value, ensure_ascii=False)
    return _line(re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text))


def _line(text: str) -> str:
    return (on_one_line(text) if sys.stdout.isatty() else text) + "\n"


def _is_number(cell: str) -> bool:
    return cell.rstrip("%").replace(".", "", 1).replace(",", "").isdigit()
