"""One source of a corpus, from its bytes to normalised text, read in pieces."""

import codecs
import io
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO

from charlstm.checks import shown
from charlstm.errors import CorpusError, EncodingError, OptionError
from charlstm.options import OPTIONS, check_record
from charlstm.text.sources import check_glob

CHUNK_BYTES = 1 << 20
BYTE_ORDER_MARK = "\ufeff"
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, kw_only=True)
class TextOptions:
    """How files become the text that a model learns."""

    encoding: str = OPTIONS["encoding"].default
    lowercase: bool = OPTIONS["lowercase"].default
    # Characters that occur less often are left out of the text.
    min_count: int = OPTIONS["min_count"].default
    glob: str = OPTIONS["glob"].default  # which files of a directory are read

    def __post_init__(self) -> None:
        try:
            codecs.getincrementaldecoder(self.encoding)  # some codecs cannot read in pieces
            b"text".decode(self.encoding, "ignore")  # some codecs are not for text
        except (LookupError, TypeError, ValueError) as error:
            raise OptionError(
                f"is {shown(self.encoding)}, which is unknown; try utf-8, latin-1 or cp1252",
                "encoding",
            ) from error
        check_record(self)
        check_glob(self.glob)

    def cased(self, text: str) -> str:
        """``text`` in lower case if the model learns lower case, else unchanged.

        Each character is changed by itself, so that a text can be read in pieces: a capital sigma
        at the end of a word becomes the same small sigma as elsewhere.
        """
        return text.replace("\u03a3", "\u03c3").lower() if self.lowercase else text


@dataclass(frozen=True)
class Source:
    """A file, or a copy of a stream, which cannot be read twice itself."""

    path: Path
    copy: IO[bytes] | None = None

    @property
    def label(self) -> str:
        """Its name in messages."""
        return str(self.path)

    def opened(self) -> AbstractContextManager[IO[bytes]]:
        """Its bytes, from the first."""
        if self.copy is None:
            return self.path.open("rb")
        self.copy.seek(0)
        return nullcontext(self.copy)


def normalised(
    source: Source, options: TextOptions, changed: dict[str, list[str]]
) -> Iterator[str]:
    """The normalised text of one source, never an empty string; ``changed`` gets what changed.

    Raises EncodingError for bytes that do not decode and for NUL characters, and CorpusError for a
    file that cannot be read.
    """
    yield from normalised_blocks(_blocks(source), source.label, options, changed)


def normalised_blocks(
    blocks: Iterable[bytes], label: str, options: TextOptions, changed: dict[str, list[str]]
) -> Iterator[str]:
    """The normalised text of the bytes in ``blocks``: what is decoded of each, as it comes.

    ``label`` is the name of the source. What comes before bytes that do not decode is given out
    before EncodingError is raised.
    """
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    marked = False
    for text, final in _decoded(blocks, label, options.encoding):
        if BYTE_ORDER_MARK in text:
            text = text.replace(BYTE_ORDER_MARK, "")
            marked = True
        text = options.cased(newlines.decode(text, final))
        if text:
            yield text
    if marked:
        changed.setdefault("byte-order mark left out", []).append(label)
    kinds = newlines.newlines  # None, one line end or a tuple of several
    ends = {kinds} if isinstance(kinds, str) else set(kinds or ())
    if ends - {"\n"}:
        names = " and ".join(n for end, n in (("\r\n", "CRLF"), ("\r", "CR")) if end in ends)
        changed.setdefault(f"{names} line ends read as LF", []).append(label)


def _blocks(source: Source) -> Iterator[bytes]:
    with source.opened() as file:
        while data := file.read(CHUNK_BYTES):
            yield data


def _decoded(blocks: Iterable[bytes], label: str, encoding: str) -> Iterator[tuple[str, bool]]:
    """The text of each block, which may be empty, and whether it is the last one before the end.

    Before an error is raised, what comes before the fault is given out as the last one.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    offset = 0  # of the block's first byte
    try:
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
                raise _undecodable(label, error, offset - pending, encoding) from error
            except UnicodeError as error:
                raise _undecodable(label, error, offset - pending, encoding) from error
            if "\0" in text:
                inside = offset + max(data.find(b"\0"), 0)
                yield text.partition("\0")[0], True
                raise EncodingError(
                    f"{label}: NUL byte at offset {inside}, which plain text never has",
                    "utf-16",
                    encoding="utf-16-le" if inside % 2 else "utf-16-be",
                )
            yield text, not data
            offset += len(data)
    except OSError as error:
        raise CorpusError(f"{label}: cannot be read: {error.strerror}") from error


def _undecodable(label: str, error: UnicodeError, offset: int, encoding: str) -> EncodingError:
    """The error for bytes that are no text; ``offset`` is that of the first byte decoded."""
    if isinstance(error, UnicodeDecodeError):
        utf16 = offset + error.start == 0 and bytes(error.object[:2]) in UTF16_MARKS
        return EncodingError(
            f"{label}: byte 0x{error.object[error.start]:02x} at offset "
            f"{offset + error.start} is not {encoding}",
            "utf-16" if utf16 else "encoding",
            encoding="utf-16",
        )
    if isinstance(error, UnicodeEncodeError):
        return EncodingError(
            f"{label}: lone surrogate {error.object[error.start]!r} near byte {offset}, "
            f"which no text in {encoding} has",
            "encoding",
        )
    # UTF-16 without a byte-order mark, for example.
    return EncodingError(f"{label}: cannot be read as {encoding}: {error}", "byte order")
