"""One source of a corpus, from its bytes to normalised text, read in pieces."""

import codecs
import io
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

from charlstm.checks import shown
from charlstm.errors import CorpusError, EncodingError, OptionError
from charlstm.options import OPTIONS, check_record
from charlstm.text.sources import check_glob

if TYPE_CHECKING:
    from charlstm.text.characters import Changes

AUTO = "auto"  # the encoding of a text that is to be recognised
CHUNK_BYTES = 1 << 20
BYTE_ORDER_MARK = "\ufeff"


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
            if self.encoding != AUTO:
                codecs.getincrementaldecoder(self.encoding)  # some codecs cannot read in pieces
                b"text".decode(self.encoding, "ignore")  # some codecs are not for text
        except (LookupError, TypeError, ValueError) as error:
            raise OptionError(
                f"is {shown(self.encoding)}, which is unknown; try auto, utf-8 or cp1252",
                "encoding",
            ) from error
        check_record(self)
        check_glob(self.glob)

    def for_text(self, *, encoding: str | None = None, glob: str | None = None) -> "TextOptions":
        """How a model with these options reads a text, if ``encoding`` and ``glob`` are given.

        A model of a text in UTF-8 reads texts in other encodings, too.
        """
        own = self.encoding
        if own != AUTO and codecs.lookup(own).name == "utf-8":
            own = AUTO
        return replace(
            self,
            encoding=own if encoding is None else encoding,
            glob=self.glob if glob is None else glob,
        )

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

    def blocks(self) -> Iterator[bytes]:
        """Its bytes in blocks."""
        with self.opened() as file:
            while data := file.read(CHUNK_BYTES):
                yield data


def normalised(source: Source, options: TextOptions, changes: "Changes") -> Iterator[str]:
    """The normalised text of one source, never an empty string.

    Raises EncodingError for bytes that do not decode and for NUL characters, and CorpusError for a
    file that cannot be read or is no text.
    """
    try:
        yield from normalised_blocks(source.blocks(), source.label, options, changes)
    except EncodingError as error:
        # To count the lines of every text would take long, so that those before a fault are read
        # again.
        raise error.on_line(_line_of_fault(source, options)) from error


def normalised_blocks(
    blocks: Iterable[bytes], label: str, options: TextOptions, changes: "Changes"
) -> Iterator[str]:
    """The normalised text of the bytes in ``blocks``: what is decoded of each, as it comes.

    ``label`` is the name of the source. What comes before bytes that do not decode is given out
    before EncodingError is raised.
    """
    # Generation reads no text, and does without this module.
    from charlstm.text.characters import characters

    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    has_mark = False
    try:
        encoding = None if options.encoding == AUTO else options.encoding
        for text, final in characters(blocks, label, encoding, changes):
            if BYTE_ORDER_MARK in text:
                text = text.replace(BYTE_ORDER_MARK, "")
                has_mark = True
            text = options.cased(newlines.decode(text, final))
            if text:
                yield text
    except OSError as error:
        raise CorpusError(f"{label}: cannot be read: {error.strerror}") from error
    if has_mark:
        changes.add("byte-order mark left out", label)
    kinds = newlines.newlines  # None, one line end or a tuple of several
    ends = {kinds} if isinstance(kinds, str) else set(kinds or ())
    if ends - {"\n"}:
        names = " and ".join(n for end, n in (("\r\n", "CRLF"), ("\r", "CR")) if end in ends)
        changes.add(f"{names} line ends read as LF", label)


def _line_of_fault(source: Source, options: TextOptions) -> int:
    """The number of the line in which a source cannot be decoded."""
    from charlstm.text.characters import Changes

    line = 1
    with suppress(EncodingError):
        for text in normalised_blocks(source.blocks(), source.label, options, Changes()):
            line += text.count("\n")
    return line
