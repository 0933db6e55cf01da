"""Seed phrases from files and standard input: a whole file, or line by line as they come."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from charlstm.config import TextOptions
from charlstm.errors import CorpusError, OptionError


def phrase_in(place: str) -> str:
    """All of a file (``-``: standard input), its line ends made even as a corpus's are."""
    from charlstm.corpus import open_corpus

    _check_name(place)
    return "".join(open_corpus([place], TextOptions()).chunks())


def lines_in(place: str) -> Iterator[str]:
    """The lines of a file without their ends, each as soon as it is there.

    Raises CorpusError for a file that cannot be read, and for bytes that are not UTF-8.
    """
    _check_name(place)
    label = "standard input" if place == "-" else place
    try:
        with ExitStack() as stack:
            stdin = sys.stdin.buffer if place == "-" else None
            file = stdin or stack.enter_context(Path(place).open("rb"))
            for number, data in enumerate(file, 1):
                try:
                    text = data.decode().replace("\ufeff", "")
                except UnicodeDecodeError as error:
                    raise CorpusError(
                        f"{label}: line {number}: byte 0x{data[error.start]:02x} is not UTF-8; "
                        f"convert it, with iconv -t UTF-8 for one"
                    ) from error
                yield from text.removesuffix("\n").removesuffix("\r").split("\r")
    except FileNotFoundError as error:
        raise CorpusError(f"{place}: no such file; check the name") from error
    except OSError as error:
        raise CorpusError(f"{label}: cannot be read: {error.strerror}") from error


def _check_name(place: str) -> None:
    if not place:
        raise OptionError("the seed file has an empty name; is a variable of the shell unset?")
    if place != "-" and Path(place).is_dir():
        raise OptionError(f"{place}: a directory; a seed file is one file, or - for standard input")
