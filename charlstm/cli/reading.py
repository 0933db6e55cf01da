"""Seed phrases from files and standard input: a whole file, or line by line as they come."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from charlstm.config import TextOptions
from charlstm.errors import CorpusError, OptionError


def phrase_in(place: str) -> str:
    """All of a file (``-``: standard input), its line ends made even as a corpus's are."""
    from charlstm.corpus import open_corpus

    _check_name(place)
    return "".join(open_corpus([place], TextOptions()).chunks())


def lines_in(place: str) -> Iterator[str]:
    """The lines of a file without their ends, each as soon as it is there.

    Raises CorpusError at once for a file that cannot be opened, and in its turn for a line that
    is not UTF-8.
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


def _lines(file: IO[bytes], label: str) -> Iterator[str]:
    number = 0
    try:
        for data in file:
            number += 1
            text = data.decode().replace("\ufeff", "")
            yield from text.removesuffix("\n").removesuffix("\r").split("\r")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{label}: line {number}: byte 0x{data[error.start]:02x} is not UTF-8; convert it, "
            f"with iconv -t UTF-8 for one"
        ) from error
    except OSError as error:
        raise CorpusError(f"{label}: cannot be read: {error.strerror}") from error


def _check_name(place: str) -> None:
    if not place:
        raise OptionError("the seed file has an empty name; is a variable of the shell unset?")
    if place != "-" and Path(place).is_dir():
        raise OptionError(f"{place}: a directory; a seed file is one file, or - for standard input")
