"""A corpus: files, directories and standard input as one normalised text, read in pieces.

``vocabulary`` and ``dataset`` turn its characters into ids.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from charlstm.checks import require_integer, require_text
from charlstm.errors import CorpusError, OptionError
from charlstm.files import temporary_space
from charlstm.text.decoding import CHUNK_BYTES, Source, TextOptions, normalised
from charlstm.text.sources import (
    ADDRESS,
    STDIN,
    address_error,
    corpus_name,
    files_below,
    is_catalogue_name,
    is_dataset,
    listed,
    located,
)

SPOOL_BYTES = 64 << 20  # a longer stream is copied to a temporary file, a shorter one to memory
CODE_POINTS = 0x110000


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
class Corpus:
    """An ordered list of sources, read as one text.

    Byte-order marks are dropped everywhere, because joined files have them inside the text. CRLF
    and CR line ends become LF, and ``options.lowercase`` is applied. If the last line of a source
    has no line end, it gets one before the next source begins.
    """

    name: str
    sources: tuple[Source, ...]
    options: TextOptions
    notes: tuple[str, ...] = ()  # what was left out of its directories

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
        from charlstm.text.characters import Changes

        before, last = None, "\n"
        changes = Changes()
        for source in self.sources:
            for chunk in normalised(source, self.options, changes):
                if before is not None and before is not source and last != "\n":
                    yield before, "\n"
                yield source, chunk
                before, last = source, chunk[-1]
        if notes is not None:
            notes += [*self.notes, *changes.notes()]

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
    """The corpus made of files, directories, texts of the catalogue and ``-`` (standard input).

    A directory stands for all files below it whose names match ``options.glob``, as
    ``files_below`` finds them. A name in the catalogue stands for its text, as ``located`` finds
    it. Pipes and other streams are copied, because a corpus is read twice. Raises CorpusError for a
    source that does not exist, cannot be read or holds no text.
    """
    found: list[Source] = []
    notes: list[str] = []
    if not all(sources):
        raise OptionError("a corpus has an empty name; is a variable of the shell unset?")
    paths = [located(source) for source in sources]
    for source in paths:
        try:
            found += _opened(source, options.glob, notes)
        except FileNotFoundError as error:
            raise _missing(source) from error
        except OSError as error:
            where = error.filename or source
            raise CorpusError(f"{where}: cannot be read: {error.strerror}") from error
    # Texts of the catalogue have only their cache in common.
    in_files = paths == list(sources) and not any(source.copy for source in found)
    name = corpus_name(sources, in_files=in_files)
    return Corpus(name, tuple(found), options, tuple(notes))


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
        raise CorpusError(f"{corpus.label}: empty; give a text with characters")
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


def _opened(source: str, glob: str, notes: list[str]) -> list[Source]:
    """Regular files as they are; anything that can be read only once as a copy.

    ``notes`` gets the names of the files of a directory that are left out.
    """
    path = Path(source)
    if source == "-":
        return [Source(Path(STDIN), _copy_aside(sys.stdin.buffer))]
    if path.is_dir():
        files, others = files_below(path, glob)
        names = listed([str(file.relative_to(path)) for file in others])
        if not files:
            there = f", only {names}" if others else ""
            fault = f"{source}: no {glob} files in this directory or below it{there}"
            code = "no files in a dataset" if is_dataset(source) else "no files"
            raise CorpusError(fault, code)
        if others:
            count = f"{len(files):,} of {len(files) + len(others):,} files"
            notes.append(f"{source}: {count}: {glob}; left out: {names}")
        return [Source(file) for file in files]
    if path.is_file():
        return [Source(path)]
    with path.open("rb") as stream:
        return [Source(path, _copy_aside(stream))]


def _missing(source: str) -> CorpusError:
    """The error for a source that does not exist; it may be a name that was misspelt."""
    if ADDRESS.match(source):
        return address_error(source)
    from charlstm.text.catalogue import catalogue, similar, unknown_text

    names, fault = [] if "/" in source else list(catalogue()), "no such file"
    if is_catalogue_name(source):
        return unknown_text(source, f"{fault}, and not a text of the catalogue", names)
    if similar(source, names):
        return unknown_text(source, fault, names)
    return CorpusError(f"{source}: {fault}; check the name")


def _copy_aside(stream: IO[bytes]) -> IO[bytes]:
    copy = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 (returned open)
    terminal = stream.isatty()
    with temporary_space():
        while block := stream.read(CHUNK_BYTES):
            copy.write(block)
            if terminal and len(block) < CHUNK_BYTES:
                break  # the user ended the input; another read would wait for more
    return copy
