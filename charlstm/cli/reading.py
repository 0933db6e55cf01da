"""Seed phrases: which one a call means, and how files and standard input are read for them."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import typer

from charlstm.cli import console, options
from charlstm.errors import CorpusError, EncodingError, OptionError, UnknownCharacterError, listed

if TYPE_CHECKING:
    from charlstm import LanguageModel
    from charlstm.text.vocabulary import Unknown

# The parameters that hold a seed phrase, and their names on the command line.
TEXTS = {"phrase": "PROMPT", "seed": "--seed", "prompt": "--prompt"}
NAMES = {**TEXTS, "seed_file": "--seed-file"}


class Phrase(NamedTuple):
    """A seed phrase: the ``text`` that the option ``name`` gives, or else the content of ``file``.

    With ``each_line`` every line of the file is a seed phrase.
    """

    text: str = ""
    name: str = ""
    file: str | None = None
    each_line: bool = False


def phrase_of(ctx: typer.Context) -> Phrase:
    """The seed phrase that a call means; the text ``-`` means standard input.

    If the command line, the environment and settings files give several, the strongest source is
    used. ``--load-state`` or ``--each-line`` from a stronger source replaces a seed phrase. Raises
    OptionError if one source gives two seed phrases.
    """
    named = options.strongest(ctx, tuple(NAMES))
    if len(named) > 1:
        both = " and ".join(NAMES[name] for name in named)
        raise OptionError(f"{both} both give the seed phrase; leave one out")
    name = named[0] if named else "seed"
    value, given = ctx.params[name], options.source(ctx, name)
    each_line = bool(ctx.params["each_line"])
    if options.source(ctx, "load_state") > given:
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


def phrase_in(file: str) -> str:
    """The whole text of a file, or of standard input for ``-``, read as a corpus is read."""
    from charlstm.text.corpus import open_corpus
    from charlstm.text.decoding import TextOptions

    _check_name(file)
    try:
        return "".join(open_corpus([file], TextOptions()).chunks())
    except EncodingError as error:
        raise CorpusError(error.message, "seed encoding") from error


def lines_in(file: str) -> Iterator[tuple[int, str]]:
    """The lines of a file, with numbers from 1 and without line ends, each as soon as it is there.

    A line ends with LF, CRLF or CR. Raises CorpusError: at once for a file that cannot be opened,
    later for a line that is not UTF-8.
    """
    _check_name(file)
    if file == "-":
        return _lines(sys.stdin.buffer, "standard input")
    try:
        return _lines(Path(file).open("rb"), file)
    except FileNotFoundError as error:
        raise CorpusError(f"{file}: no such file; check the name") from error
    except OSError as error:
        raise CorpusError(f"{file}: cannot be read: {error.strerror}") from error


def phrases(
    model: "LanguageModel",
    lines: Iterable[tuple[int, str]],
    unknown: "Unknown",
    unreadable: list[int],
    *,
    quiet: bool,
) -> Iterator[str | None]:
    """The lines as the model reads them.

    For a line that the model cannot read, yields None and adds its number to ``unreadable``.
    """
    for number, line in lines:
        try:
            phrase, left_out = model.known(line, unknown=unknown)
        except UnknownCharacterError as error:
            from charlstm.cli.hints import explained

            console.error(f"line {number}: {explained(error)}")
            unreadable.append(number)
            yield None
        else:
            if left_out:
                console.say(f"line {number}: {note(left_out)}", quiet=quiet)
            yield phrase


def note(left_out: str) -> str:
    """The message for characters that are similar to none that the model knows."""
    return f"the model knows nothing similar to {listed(left_out)}; left out of the seed phrase"


def _lines(file: IO[bytes], label: str) -> Iterator[tuple[int, str]]:
    number = 0
    terminal = file.isatty()
    try:
        for data in file:
            for line in data.removesuffix(b"\n").removesuffix(b"\r").split(b"\r"):
                number += 1
                yield number, line.decode().replace("\ufeff", "")
            if terminal and not data.endswith(b"\n"):
                break  # Ctrl-D ended the input; to read again would ask for a second Ctrl-D
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{label}: line {number}: byte 0x{error.object[error.start]:02x} is not UTF-8; "
            f"convert it, for example with iconv -t UTF-8"
        ) from error
    except OSError as error:
        raise CorpusError(f"{label}: cannot be read: {error.strerror}") from error


def _check_name(file: str) -> None:
    if not file:
        raise OptionError("the seed file has an empty name; is a variable of the shell unset?")
    if file != "-" and Path(file).is_dir():
        raise OptionError(f"{file}: a directory; a seed file is one file, or - for standard input")
