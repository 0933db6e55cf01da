"""From the bytes of a text to its characters, in an encoding that is named or recognised."""

import codecs
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain

from charlstm.errors import EncodingError
from charlstm.text.encodings import (
    SAMPLE_BYTES,
    example,
    is_damaged_utf8,
    likely,
    likely_by_zeros,
    marked,
    recognised,
    wide,
)
from charlstm.text.formats import (
    beginning,
    check_is_no_binary,
    check_is_text,
    files_for_advice,
    unpacked,
)
from charlstm.text.sources import listed

LONGEST_BEFORE = 100  # bytes before a fault that help to recognise an encoding
AROUND = 8  # bytes that a message shows before and after a fault
BEYOND_ASCII = re.compile(rb"[\x80-\xff]")


@dataclass(frozen=True)
class Changes:
    """What was changed in texts as they were read.

    ``encodings`` has for the name of each text whose encoding was recognised that encoding and a
    word as an example, and ``others`` for each other kind of change the names of the texts.
    """

    encodings: dict[str, tuple[str, str]] = field(default_factory=dict)
    others: dict[str, list[str]] = field(default_factory=dict)

    def add(self, change: str, label: str) -> None:
        """Remember a change of one text."""
        self.others.setdefault(change, []).append(label)

    def notes(self) -> list[str]:
        """A line for each kind of change."""
        others = (f"{listed(labels)}: {change}" for change, labels in self.others.items())
        return [*self.read_as(), *others]

    def read_as(self) -> list[str]:
        """A line for each encoding other than UTF-8, with an example from the first text in it."""
        texts: dict[str, list[str]] = {}
        for label, (encoding, _) in self.encodings.items():
            texts.setdefault(encoding, []).append(label)
        return [
            f"{listed(labels)}: read as {encoding}, for example {self.encodings[labels[0]][1]!r}"
            for encoding, labels in texts.items()
        ]


def characters(
    blocks: Iterable[bytes], label: str, encoding: str | None, changes: Changes
) -> Iterator[tuple[str, bool]]:
    """The characters of each block, which may be none, and whether they are the last ones.

    What packs the text is undone. Without ``encoding`` it is recognised. ``label`` is the name
    of the text, and ``changes`` gets how it was read. Raises EncodingError for bytes that do not
    decode and for NUL characters, and CorpusError for a file that is damaged or is no text.
    """
    first, rest = beginning(unpacked(blocks, label))
    check_is_text(first, label)
    if encoding is not None:
        return _decoded(chain([first], rest), label, encoding)
    found = marked(first)
    if found is None and b"\0" in first:
        first, rest = _longer(first, rest)
        found = wide(first)
        if found is None:
            check_is_no_binary(first[:SAMPLE_BYTES], label)
    whole = chain([first], rest)
    if found is None:
        return _recognised(whole, label, changes)
    return _shown(_decoded(whole, label, found), label, found, changes)


def _recognised(
    blocks: Iterator[bytes], label: str, changes: Changes
) -> Iterator[tuple[str, bool]]:
    """A text in UTF-8, or in another encoding in which ASCII is ASCII.

    As long as all is ASCII, the encoding makes no difference. So it is recognised where the first
    bytes are that are not UTF-8, and the text before them need not be read again.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset, ascii_so_far, before = 0, True, b""
    for data in blocks:
        pending = decoder.getstate()[0]
        try:
            text = decoder.decode(data)
        except UnicodeDecodeError:
            break
        if "\0" in text:
            break
        yield text, False
        ascii_so_far = ascii_so_far and text.isascii()
        before = data[-LONGEST_BEFORE:]
        offset += len(data)
    else:
        pending, data = decoder.getstate()[0], b""
        if not pending:
            yield "", True
            return
    offset -= len(pending)
    whole, blocks = _longer(pending + data, blocks)
    encoding = None
    if ascii_so_far and b"\0" not in whole[:SAMPLE_BYTES]:
        sample = _sample(before.removesuffix(pending) + whole)
        check_is_no_binary(sample, label)
        encoding = recognised(sample)
    text_again = _decoded(chain([whole], blocks), label, encoding or "utf-8", offset)
    yield from _shown(text_again, label, encoding, changes) if encoding else text_again


def _longer(first: bytes, blocks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """A block with enough of the next ones to have a sample, and the blocks after it."""
    least = _first_beyond_ascii(first) + SAMPLE_BYTES
    several, size = [first], len(first)
    while size < least and (more := next(blocks, b"")):
        several.append(more)
        size += len(more)
    return b"".join(several), blocks


def _first_beyond_ascii(data: bytes, start: int = 0) -> int:
    """Where the first byte after ``start`` is that is not ASCII; if there is none, ``start``."""
    found = BEYOND_ASCII.search(data, start)
    return found.start() if found else start


def _sample(data: bytes, start: int = 0) -> bytes:
    """A part of a block that begins with the first line after ``start`` that is not ASCII.

    Of a very long line it begins within the line, so that it has what is not ASCII.
    """
    first = _first_beyond_ascii(data, start)
    line = max(data.rfind(end, 0, first) for end in (b"\n", b"\r")) + 1
    begins = max(line, first - SAMPLE_BYTES // 2)
    return data[begins : begins + SAMPLE_BYTES]


def _shown(
    texts: Iterator[tuple[str, bool]], label: str, encoding: str, changes: Changes
) -> Iterator[tuple[str, bool]]:
    """The text, of which it is remembered how it was read, with a word that shows it."""
    word, remembered = "", False
    for text, final in texts:
        if not remembered:
            word = word if text.isascii() and word else example(text)
            remembered = bool(word) and (final or not text.isascii())
            if remembered:
                changes.encodings[label] = encoding, word
        yield text, final


def _decoded(
    blocks: Iterable[bytes], label: str, encoding: str, offset: int = 0
) -> Iterator[tuple[str, bool]]:
    """The text of each block, which may be empty, and whether it is the last one before the end.

    ``offset`` is that of the first byte. Before an error is raised, what comes before the fault is
    given out as the last one.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    for data in chain(blocks, [b""]):
        state = decoder.getstate()
        pending = len(state[0])  # bytes of a character cut by the block
        try:
            text = decoder.decode(data, not data)
            text.encode()  # raises for lone surrogates, which some codecs let through
        except UnicodeDecodeError as error:
            with suppress(UnicodeError):  # some codecs cannot go back
                decoder.setstate(state)
                sound = decoder.decode(data[: max(0, error.start - pending)])
                sound.encode()
                yield sound, True
            raise _undecodable(label, error, data, offset - pending, encoding) from error
        except UnicodeError as error:
            raise _undecodable(label, error, data, offset - pending, encoding) from error
        if "\0" in text:
            yield text.partition("\0")[0], True
            raise _nul(label, data, offset, encoding)
        yield text, not data
        offset += len(data)


def _undecodable(
    label: str, error: UnicodeError, data: bytes, offset: int, encoding: str
) -> EncodingError:
    """The error for bytes that are no text; ``offset`` is that of the first byte decoded."""
    start = 0
    if isinstance(error, UnicodeDecodeError):
        data, start = error.object, error.start
        around = bytes(data[max(0, start - AROUND) : start + AROUND])
        fault = (
            f"byte 0x{data[start]:02x} at offset {offset + start} is not {encoding} ({around!r})"
        )
    elif isinstance(error, UnicodeEncodeError):
        surrogate = error.object[error.start]
        fault = f"lone surrogate {surrogate!r} near byte {offset}, which no text in {encoding} has"
    else:  # UTF-16 without a byte-order mark, for example
        fault = f"cannot be read as {encoding}: {error}"
    names = _suggested(label, data, start, encoding)
    code = "likely encoding" if names else "encoding"
    return EncodingError(label, fault, code, encodings=" or ".join(names))


def _nul(label: str, data: bytes, offset: int, encoding: str) -> EncodingError:
    """The error for a text in which there is a NUL character."""
    inside = max(data.find(b"\0"), 0)
    fault = f"NUL byte at offset {offset + inside}, which plain text never has"
    if names := _suggested(label, data, inside, encoding):
        return EncodingError(label, fault, "likely encoding", encodings=" or ".join(names))
    return EncodingError(label, fault, "nul", **files_for_advice(label))


def _suggested(label: str, data: bytes, start: int, encoding: str) -> list[str]:
    """The encodings that a message offers; ``start`` is where the fault is in the block ``data``.

    Raises CorpusError for a binary file.
    """
    if names := likely_by_zeros(data[:SAMPLE_BYTES], encoding):
        return names
    sample = _sample(data, start)
    check_is_no_binary(sample, label)
    around = data[max(0, start - SAMPLE_BYTES // 2) : start + SAMPLE_BYTES // 2]
    return [] if b"\0" in sample or is_damaged_utf8(around) else likely(sample, encoding)
