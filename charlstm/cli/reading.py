"""Seed phrases: which one a call means; and texts and lines from files and standard input."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import chain
from pathlib import Path
from stat import S_ISDIR
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from charlstm.cli import console, options
from charlstm.errors import CorpusError, EncodingError, OptionError, UnknownCharacterError, listed
from charlstm.text.sources import ADDRESS, STDIN, address_error

if TYPE_CHECKING:
    from charlstm import LanguageModel
    from charlstm.text.decoding import TextOptions
    from charlstm.text.vocabulary import Unknown

# The parameters that hold a seed phrase, and their names on the command line.
TEXTS = {"phrase": "PROMPT", "seed": "--seed", "prompt": "--prompt"}
NAMES = {**TEXTS, "seed_file": "--seed-file"}
BLOCK_BYTES = 1 << 17  # read at once; lines of so many characters keep all cores busy


class Phrase(NamedTuple):
    """A seed phrase: the ``text`` that the option ``name`` gives, or else the content of ``file``.

    With ``each_line`` every line of the file is a seed phrase.
    """

    text: str = ""
    name: str = ""
    file: str | None = None
    each_line: bool = False


def phrase_of(ctx: typer.Context, values: dict[str, Any]) -> Phrase:
    """The seed phrase that a call means; the text ``-`` means standard input.

    If the command line, the environment and settings files give several, the strongest source is
    used. ``--load-state`` or ``--each-line``, if ``values`` has them, from a stronger source
    replaces a seed phrase. Raises OptionError if one source gives two seed phrases.
    """
    named = options.strongest(ctx, tuple(NAMES))
    if len(named) > 1:
        both = " and ".join(NAMES[name] for name in named)
        raise OptionError(f"{both} both give the seed phrase; leave one out")
    name = named[0] if named else "seed"
    value, given = ctx.params[name], options.source(ctx, name)
    each_line = bool(values.get("each_line"))
    if values.get("load_state") is not None and options.source(ctx, "load_state") > given:
        value = None
    if name not in TEXTS or value == "-":
        return Phrase(file=value, each_line=each_line)
    if value and each_line:
        by_line = options.source(ctx, "each_line")
        if by_line == given:
            raise OptionError(
                f"{TEXTS[name]} and --each-line do not go together; --each-line reads its phrases "
                f"from --seed-file or standard input"
            )
        each_line = by_line > given
    if each_line:
        return Phrase(file="-", each_line=True)
    return Phrase(text=value or "", name=TEXTS[name])


def typed(text: str, option: str, *, escapes: bool) -> str:
    """A text of the command line, with ``escapes`` without its escape sequences.

    Its bytes are UTF-8 here, whatever the locale made of them. ``option`` is its name in errors.
    """
    text = os.fsencode(text).decode("utf-8", "surrogateescape")
    if not escapes:
        return text
    from charlstm.cli.escapes import unescaped

    return unescaped(text, option)


def title_of(values: dict[str, Any]) -> str | None:
    """The title of a page that was asked for; None if none was."""
    return typed(values["title"], "--title", escapes=False) if values["title"] else None


def phrase_in(file: str, *, quiet: bool) -> str:
    """The whole text of a file, or of standard input for ``-``, read as a corpus is read."""
    from charlstm.text.decoding import TextOptions

    with _seed_errors():
        return "".join(text_in(file, TextOptions(), quiet=quiet))


def phrases_in(file: str, *, quiet: bool) -> Iterator[tuple[int, str]]:
    """The lines of a file, with their numbers; see ``lines_in``."""
    from charlstm.text.decoding import TextOptions

    blocks = lines_in(file, TextOptions(), quiet=quiet)

    def lines() -> Iterator[tuple[int, str]]:
        with _seed_errors():
            yield from chain.from_iterable(blocks)

    return lines()


def check_name(file: str) -> None:
    """Raise CorpusError for a file that does not exist, and OptionError for a directory."""
    if not file:
        raise OptionError("a file has an empty name; is a variable of the shell unset?")
    with _file_errors(file):
        if file != "-" and S_ISDIR(Path(file).stat().st_mode):
            raise OptionError(f"{file}: a directory; name a file, or - for standard input")


def text_in(file: str, options: "TextOptions", *, quiet: bool) -> Iterator[str]:
    """The normalised text of a file, or of standard input for ``-``, in pieces as they come.

    At the end it is said how it was read, if not as UTF-8. Raises CorpusError at once for a file
    that does not exist, and later if it cannot be read, or EncodingError if it does not decode.
    """
    check_name(file)
    return _said(file, options, quiet=quiet)


def label_of(file: str) -> str:
    """The name of a file in messages."""
    return STDIN if file == "-" else file


def _said(file: str, options: "TextOptions", *, quiet: bool) -> Iterator[str]:
    """The text of a file; how it was read is said, and a fault gets the number of its line."""
    from charlstm.text.characters import Changes
    from charlstm.text.decoding import normalised_blocks

    changes, line = Changes(), 1
    try:
        for text in normalised_blocks(_blocks(file), label_of(file), options, changes):
            yield text
            line += text.count("\n")
    except EncodingError as error:
        raise error.on_line(line) from error
    finally:
        console.say(*changes.read_as(), quiet=quiet)


def lines_in(file: str, options: "TextOptions", *, quiet: bool) -> Iterator[list[tuple[int, str]]]:
    """The lines of a file, with numbers from 1 and without line ends, as soon as they are there.

    A list has the lines that a piece of the text completes. A line ends with LF, CRLF or CR. Raises
    the errors of ``text_in``, after the lines before the fault.
    """
    return _numbered(text_in(file, options, quiet=quiet))


def known_lines(
    model: "LanguageModel",
    lines: Iterable[tuple[int, str]],
    unknown: "Unknown",
    unreadable: list[int],
    *,
    label: str = "",
    measured: bool = False,
    quiet: bool,
) -> Iterator[str | None]:
    """The lines as the model reads them.

    For a line that the model cannot read, yields None and adds its number to ``unreadable``.
    Messages begin with ``label`` and the number of the line; their advice is for a text that is
    written on, or ``measured``.
    """
    for number, line in lines:
        try:
            known, left_out = model.known(line, unknown=unknown)
        except UnknownCharacterError as error:
            from charlstm.cli.hints import explained

            fault = UnknownCharacterError(error.characters, measured=measured)
            console.error(f"{label}line {number}: {explained(fault)}")
            unreadable.append(number)
            yield None
        else:
            if left_out:
                console.say(f"{label}line {number}: {note(left_out)}", quiet=quiet)
            yield known


def known_pieces(
    model: "LanguageModel",
    pieces: Iterable[str],
    unknown: "Unknown",
    *,
    label: str = "",
    quiet: bool,
) -> Iterator[str]:
    """The pieces of one text as the model reads them; at the end it is said what was left out.

    ``label`` is the name of the text in messages, if it is not from the command line.
    """
    from charlstm.text.vocabulary import whole_clusters

    left_out: dict[str, None] = {}
    for piece in whole_clusters(pieces) if unknown == "nearest" else pieces:
        try:
            known, unlike = model.known(piece, unknown=unknown)
        except UnknownCharacterError as error:
            raise UnknownCharacterError(error.characters, label) from error
        left_out |= dict.fromkeys(unlike)
        yield known
    if left_out:
        message = note("".join(left_out))
        console.say(f"{label}: {message}" if label else message, quiet=quiet)


def note(left_out: str) -> str:
    """The message for characters that are similar to none that the model knows."""
    return f"the model knows nothing similar to {listed(left_out)}; left out"


def _numbered(pieces: Iterable[str]) -> Iterator[list[tuple[int, str]]]:
    begun: list[str] = []  # the pieces of a line whose end was not read yet
    number = 1
    for piece in pieces:
        complete, end, begins = piece.rpartition("\n")
        if end:
            lines = "".join((*begun, complete)).split("\n")
            yield [*enumerate(lines, number)]
            begun, number = [], number + len(lines)
        begun.append(begins)
    if last := "".join(begun):
        yield [(number, last)]


def _blocks(file: str) -> Iterator[bytes]:
    """The bytes of a file; of a pipe or a terminal what is there, without waiting for more."""
    with (
        _file_errors(file),
        nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as f,
    ):
        while data := os.read(f.fileno(), BLOCK_BYTES):
            yield data


@contextmanager
def _seed_errors() -> Iterator[None]:
    """Say of text that does not decode that a seed phrase must be UTF-8."""
    try:
        yield
    except EncodingError as error:
        if error.code == "nul":
            raise
        code = "likely seed encoding" if error.code == "likely encoding" else "seed encoding"
        raise CorpusError(error.message, code, **error.values) from error


@contextmanager
def _file_errors(file: str) -> Iterator[None]:
    """Turn the errors of the operating system into those of a text."""
    try:
        yield
    except FileNotFoundError as error:
        if ADDRESS.match(file):
            raise address_error(file) from error
        raise CorpusError(f"{file}: no such file; check the name") from error
    except OSError as error:
        raise CorpusError(f"{file}: cannot be read: {error.strerror}") from error
