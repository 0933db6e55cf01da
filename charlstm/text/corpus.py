"""A corpus: files, directories and standard input as one normalised text, read in pieces.

``vocabulary`` and ``dataset`` turn its characters into ids.
"""

import codecs
import io
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from charlstm.errors import CorpusError, EncodingError, OptionError
from charlstm.files import temporary_space
from charlstm.options import check_record, require_integer, require_text, shown
from charlstm.text.sources import TEXT_FILES, check_glob, corpus_name, files_below, listed

CHUNK_BYTES = 1 << 20
SPOOL_BYTES = 64 << 20  # a longer stream is copied to a temporary file, a shorter one to memory
CODE_POINTS = 0x110000
BYTE_ORDER_MARK = "\ufeff"
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, kw_only=True)
class TextOptions:
    """How files become the text that a model learns."""

    encoding: str = "utf-8"
    lowercase: bool = False
    min_count: int = 1  # characters that occur less often are left out of the text
    glob: str = TEXT_FILES  # which files of a directory are read

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


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """Which text it was: ``sha256`` is that of the normalised text in UTF-8."""

    name: str
    sha256: str
    characters: int

    def __post_init__(self) -> None:
        require_text("name", self.name)
        require_text("sha256", self.sha256)
        characters = require_integer("characters", self.characters, least=1)
        object.__setattr__(self, "characters", characters)


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


@dataclass(frozen=True)
class Corpus:
    """An ordered list of sources, read as one text.

    Byte-order marks are dropped everywhere, because joined files have them inside the text. CRLF
    and CR line ends become LF, and ``options.lowercase`` is applied. If the last line of a source
    has no line end, it gets one before the next source begins.
    """

    name: str
    sources: tuple[Source, ...]
    options: TextOptions

    def chunks(self, notes: list[str] | None = None) -> Iterator[str]:
        """The normalised text in pieces of about a megabyte, as ``pieces`` reads it."""
        for _, chunk in self.pieces(notes):
            yield chunk

    def pieces(self, notes: list[str] | None = None) -> Iterator[tuple[Source, str]]:
        """The chunks, each with its source; a line for each kind of change goes to ``notes``.

        A line end that is added after a source's last line belongs to that source. Raises
        EncodingError for bytes that do not decode and for NUL characters, CorpusError for files
        that cannot be read.
        """
        before, last = None, "\n"
        changed: dict[str, list[str]] = {}  # what was changed: in which sources
        for source in self.sources:
            for chunk in _normalised(source, self.options, changed):
                if before is not None and before is not source and last != "\n":
                    yield before, "\n"
                yield source, chunk
                before, last = source, chunk[-1]
        if notes is not None:
            notes += [f"{listed(labels)}: {change}" for change, labels in changed.items()]

    @property
    def label(self) -> str:
        """Its name in messages: the names of its sources."""
        return listed([source.label for source in self.sources])


@dataclass(frozen=True)
class Survey:
    """What one pass over a corpus finds.

    ``counts`` says how often each character occurs, in code point order. ``notes`` say in words
    what was normalised.
    """

    counts: dict[str, int]
    fingerprint: Fingerprint
    notes: tuple[str, ...]


def open_corpus(sources: Sequence[str], options: TextOptions) -> Corpus:
    """The corpus made of files, directories and ``-`` (standard input).

    A directory stands for all files below it whose names match ``options.glob``, as
    ``files_below`` finds them. Pipes and other streams are copied, because a corpus is read twice.
    Raises CorpusError for a source that does not exist, cannot be read or holds no text.
    """
    found: list[Source] = []
    for source in sources:
        if not source:
            raise OptionError("a corpus has an empty name; is a variable of the shell unset?")
        try:
            found += _opened(source, options.glob)
        except FileNotFoundError as error:
            raise CorpusError(f"{source}: no such file; check the name") from error
        except OSError as error:
            where = error.filename or source
            raise CorpusError(f"{where}: cannot be read: {error.strerror}") from error
    name = corpus_name(sources, in_files=not any(source.copy for source in found))
    return Corpus(name, tuple(found), options)


def survey(corpus: Corpus) -> Survey:
    """Read the corpus once, count its characters and take its fingerprint.

    Raises CorpusError if the corpus cannot be read or is empty.
    """
    from hashlib import sha256  # it loads OpenSSL, which generation does not need

    counts = np.zeros(CODE_POINTS, dtype=np.int64)
    digest = sha256()
    notes: list[str] = []
    for chunk in corpus.chunks(notes):
        data = chunk.encode()
        digest.update(data)
        # The bytes of ASCII text are its code points; to make four bytes of each takes longer.
        points = np.frombuffer(data, np.uint8) if chunk.isascii() else code_points(chunk)
        seen = np.bincount(points)
        counts[: seen.size] += seen
    characters = int(counts.sum())
    if not characters:
        raise CorpusError(f"{corpus.label}: empty; give a text to learn from")
    return Survey(
        {chr(point): int(counts[point]) for point in np.flatnonzero(counts)},
        Fingerprint(name=corpus.name, sha256=digest.hexdigest(), characters=characters),
        tuple(notes),
    )


def code_points(text: str) -> np.ndarray:
    """The Unicode code points of ``text``, shape (len(text),), uint32.

    >>> code_points("aé😀").tolist()
    [97, 233, 128512]
    """
    return np.frombuffer(text.encode("utf-32-le"), dtype="<u4")


def _opened(source: str, glob: str) -> list[Source]:
    """Regular files as they are; anything that can be read only once as a copy."""
    path = Path(source)
    if source == "-":
        return [Source(Path("standard input"), _copy_aside(sys.stdin.buffer))]
    if path.is_dir():
        files = files_below(path, glob)
        if not files:
            raise CorpusError(
                f"{source}: no {glob} files in this directory or below it", "no files"
            )
        return [Source(file) for file in files]
    if path.is_file():
        return [Source(path)]
    with path.open("rb") as stream:
        return [Source(path, _copy_aside(stream))]


def _copy_aside(stream: IO[bytes]) -> IO[bytes]:
    copy = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 (returned open)
    terminal = stream.isatty()
    with temporary_space():
        while block := stream.read(CHUNK_BYTES):
            copy.write(block)
            if terminal and len(block) < CHUNK_BYTES:
                break  # the user ended the input; another read would wait for more
    return copy


def _normalised(
    source: Source, options: TextOptions, changed: dict[str, list[str]]
) -> Iterator[str]:
    """The normalised text of one source, never an empty string; ``changed`` gets what changed."""
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    marked = False
    for text, final in _decoded(source, options.encoding):
        if BYTE_ORDER_MARK in text:
            text = text.replace(BYTE_ORDER_MARK, "")
            marked = True
        text = options.cased(newlines.decode(text, final))
        if text:
            yield text
    if marked:
        changed.setdefault("byte-order mark left out", []).append(source.label)
    kinds = newlines.newlines  # None, one line end or a tuple of several
    ends = {kinds} if isinstance(kinds, str) else set(kinds or ())
    if ends - {"\n"}:
        names = " and ".join(n for end, n in (("\r\n", "CRLF"), ("\r", "CR")) if end in ends)
        changed.setdefault(f"{names} line ends read as LF", []).append(source.label)


def _decoded(source: Source, encoding: str) -> Iterator[tuple[str, bool]]:
    """The text of a source chunk by chunk, and whether a chunk is the last; it may be empty."""
    decoder = codecs.getincrementaldecoder(encoding)()
    offset = 0  # of the chunk's first byte
    final = False
    try:
        with source.opened() as file:
            while not final:
                data = file.read(CHUNK_BYTES)
                final = not data
                pending = len(decoder.getstate()[0])  # bytes of a character cut by the chunk
                try:
                    text = decoder.decode(data, final)
                    text.encode()  # raises for lone surrogates, which some codecs let through
                except UnicodeError as error:
                    raise _undecodable(source, error, offset - pending, encoding) from error
                if "\0" in text:
                    inside = offset + max(data.find(b"\0"), 0)
                    raise EncodingError(
                        f"{source.label}: NUL byte at offset {inside}, which plain text never has",
                        "utf-16",
                        encoding="utf-16-le" if inside % 2 else "utf-16-be",
                    )
                yield text, final
                offset += len(data)
    except OSError as error:
        raise CorpusError(f"{source.label}: cannot be read: {error.strerror}") from error


def _undecodable(source: Source, error: UnicodeError, offset: int, encoding: str) -> EncodingError:
    """The error for bytes that are no text; ``offset`` is that of the first byte decoded."""
    if isinstance(error, UnicodeDecodeError):
        utf16 = offset + error.start == 0 and bytes(error.object[:2]) in UTF16_MARKS
        return EncodingError(
            f"{source.label}: byte 0x{error.object[error.start]:02x} at offset "
            f"{offset + error.start} is not {encoding}",
            "utf-16" if utf16 else "encoding",
            encoding="utf-16",
        )
    if isinstance(error, UnicodeEncodeError):
        return EncodingError(
            f"{source.label}: lone surrogate {error.object[error.start]!r} near byte {offset}, "
            f"which no text in {encoding} has",
            "encoding",
        )
    # UTF-16 without a byte-order mark, for example.
    return EncodingError(f"{source.label}: cannot be read as {encoding}: {error}", "byte order")
