"""Seed phrases: where one is given, and how files and standard input are read for them."""

import sys
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import typer

from charlstm.cli import console, options
from charlstm.errors import CorpusError, EncodingError, OptionError, UnknownCharacterError, listed

if TYPE_CHECKING:
    from charlstm import LanguageModel
    from charlstm.text.vocabulary import Unknown

TEXTS = {"phrase": "PROMPT", "seed": "--seed"}  # parameters that hold a phrase, and their names
NAMES = {**TEXTS, "seed_file": "--seed-file"}


class Phrase(NamedTuple):
    """What a text continues: ``text``, which ``name`` gives, or else what ``file`` holds.

    Each line of the file is a phrase of its own where ``each_line``.
    """

    text: str = ""
    name: str = ""
    file: str | None = None
    each_line: bool = False


class OnePhrase(options.GroupedCommand):
    """A command that refuses ``--seed`` beside ``--prompt``, two names of one option.

    Of an option that is given twice only the last value would be seen.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The arguments that are left over; raises OptionError for a phrase given twice."""
        options_given = {word.partition("=")[0] for word in takewhile(lambda w: w != "--", args)}
        if {"--seed", "--prompt"} <= options_given and not ctx.resilient_parsing:
            raise OptionError("--seed and --prompt both give the seed phrase; leave one out")
        return super().parse_args(ctx, args)


def phrase_of(ctx: typer.Context) -> Phrase:
    """The seed phrase that a call means; ``-`` in the place of a text is standard input.

    Where the command line, the environment and settings give several, the strongest source
    counts. A phrase for a new text gives way to a stronger source that goes on with a saved text,
    or completes lines. Raises OptionError where one source gives two phrases.
    """
    named = options.strongest(ctx, tuple(NAMES))
    if len(named) > 1:
        twice = " and ".join(NAMES[name] for name in named)
        raise OptionError(f"{twice} both give the seed phrase; leave one out")
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
        if by_line < given:
            each_line = False
        else:
            value = None
    if each_line:
        return Phrase(file="-", each_line=True)
    return Phrase(text=value or "", name=TEXTS[name])


def phrase_in(place: str) -> str:
    """All of a file (``-``: standard input), its line ends made even as a corpus's are."""
    from charlstm.text.corpus import TextOptions, open_corpus

    _check_name(place)
    try:
        return "".join(open_corpus([place], TextOptions()).chunks())
    except EncodingError as error:
        raise CorpusError(error.message, "seed encoding") from error


def lines_in(place: str) -> Iterator[tuple[int, str]]:
    """The lines of a file, numbered from 1, without their ends, each as soon as it is there.

    A line ends with LF, CRLF or CR. Raises CorpusError at once for a file that cannot be opened,
    and in its turn for a line that is not UTF-8.
    """
    _check_name(place)
    if place == "-":
        return _lines(sys.stdin.buffer, "standard input")
    try:
        return _lines(Path(place).open("rb"), place)
    except FileNotFoundError as error:
        raise CorpusError(f"{place}: no such file; check the name") from error
    except OSError as error:
        raise CorpusError(f"{place}: cannot be read: {error.strerror}") from error


def phrases(
    model: "LanguageModel",
    lines: Iterable[tuple[int, str]],
    unknown: "Unknown",
    unread: list[int],
    *,
    quiet: bool,
) -> Iterator[str | None]:
    """Lines as the model reads them; None, and a number in ``unread``, for one that it cannot."""
    for number, line in lines:
        try:
            phrase, left_out = model.known(line, unknown=unknown)
        except UnknownCharacterError as error:
            from charlstm.cli.hints import explained

            console.error(f"line {number}: {explained(error)}")
            unread.append(number)
            yield None
        else:
            if left_out:
                console.say(f"line {number}: {note(left_out)}", quiet=quiet)
            yield phrase


def note(left_out: str) -> str:
    """What is said of characters that have nothing near them among those that the model knows."""
    return f"the model knows nothing near {listed(left_out)}; left out of the seed phrase"


def _lines(file: IO[bytes], label: str) -> Iterator[tuple[int, str]]:
    number = 0
    terminal = file.isatty()
    try:
        for data in file:
            for line in data.removesuffix(b"\n").removesuffix(b"\r").split(b"\r"):
                number += 1
                yield number, line.decode().replace("\ufeff", "")
            if terminal and not data.endswith(b"\n"):
                break  # it met the end of the input; to read again would ask for another
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{label}: line {number}: byte 0x{error.object[error.start]:02x} is not UTF-8; "
            f"convert it, for example with iconv -t UTF-8"
        ) from error
    except OSError as error:
        raise CorpusError(f"{label}: cannot be read: {error.strerror}") from error


def _check_name(place: str) -> None:
    if not place:
        raise OptionError("the seed file has an empty name; is a variable of the shell unset?")
    if place != "-" and Path(place).is_dir():
        raise OptionError(f"{place}: a directory; a seed file is one file, or - for standard input")
