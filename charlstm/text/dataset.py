"""Encoded texts: ids in a memory map, split without overlap.

A dataset on disk is a directory with ``ids.bin`` (the raw ids, little-endian) and
``dataset.json`` (what they mean). Arrays for other tools are made in ``charlstm.text.windows``.
"""

import hashlib
import json
import math
import mmap
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np

from charlstm.errors import CorpusError, OptionError
from charlstm.files import (
    atomic_file,
    current_umask,
    regular_size,
    sync_directory,
    temporary_space,
)
from charlstm.options import shown
from charlstm.text.corpus import (
    Corpus,
    Fingerprint,
    Survey,
    TextOptions,
    code_points,
    open_corpus,
    survey,
)
from charlstm.text.vocabulary import Ids, Vocabulary
from charlstm.untrusted import MOST_BYTES, read_description, reading

FORMAT = 1
IDS_FILE = "ids.bin"
DESCRIPTION_FILE = "dataset.json"
BLOCK_BYTES = 8 << 20  # how much of a large array is in memory at a time


@dataclass(frozen=True)
class Dataset:
    """A text as ids, with all that is needed to read them; ``ids`` has shape (characters,)."""

    ids: Ids
    vocabulary: Vocabulary
    fingerprint: Fingerprint
    text: TextOptions
    notes: tuple[str, ...] = ()

    def split(self, val_fraction: float) -> tuple[Ids, Ids]:
        """The first part to train on and the last ``val_fraction`` to validate on.

        Contiguous, and cut before any windows are: no window sees both sides. The training part is
        rounded down, as in nanoGPT, whose losses can so be compared.
        """
        # To six digits first: 0.07 * 100 is a little more than 7 in floating point.
        validation = math.ceil(round(len(self.ids) * val_fraction, 6))
        train = len(self.ids) - validation
        return self.ids[:train], self.ids[train:]


def encode_corpus(corpus: Corpus) -> Dataset:
    """The corpus as a dataset in a temporary file that vanishes with the process."""
    with temporary_space(), tempfile.TemporaryFile() as file:
        found, vocabulary, characters = _encode(corpus, file)
        ids = np.memmap(file, dtype=vocabulary.dtype, mode="r", shape=(characters,))
    return Dataset(ids, vocabulary, found.fingerprint, corpus.options, found.notes)


def write_dataset(corpus: Corpus, directory: Path) -> Dataset:
    """The corpus as a dataset in a new directory, complete or not there at all."""
    if directory.exists():
        raise OptionError(f"{directory}: exists already", code="output exists")
    parent = directory.parent
    parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", suffix=".tmp", dir=parent))
    try:
        with atomic_file(making / IDS_FILE) as file:
            found, vocabulary, characters = _encode(corpus, file)
        description = {
            "format": FORMAT,
            "dtype": vocabulary.dtype.name,
            "characters": characters,
            "ids_sha256": _read_through(making / IDS_FILE, vocabulary.dtype)[1],
            "vocabulary": vocabulary.characters,
            "corpus": asdict(found.fingerprint),
            "text": asdict(corpus.options),
        }
        with atomic_file(making / DESCRIPTION_FILE) as file:
            file.write(json.dumps(description, sort_keys=True, indent=1).encode() + b"\n")
        making.chmod(0o777 & ~current_umask())
        making.rename(directory)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    sync_directory(parent)
    ids = np.memmap(directory / IDS_FILE, dtype=vocabulary.dtype, mode="r")
    return Dataset(ids, vocabulary, found.fingerprint, corpus.options, found.notes)


def is_dataset(source: str) -> bool:
    """Whether ``source`` is a directory made by ``write_dataset``."""
    files = (DESCRIPTION_FILE, IDS_FILE)
    try:
        return source != "-" and all((Path(source) / name).is_file() for name in files)
    except OSError:  # a name too long, say; whoever opens it says so
        return False


def open_dataset(directory: Path) -> Dataset:
    """Map the dataset in ``directory``; CorpusError if it is damaged or not ours."""
    with reading(directory, "dataset", CorpusError, "unsound dataset"):
        for name in (DESCRIPTION_FILE, IDS_FILE):
            _check_file(directory / name)
        description = read_description((directory / DESCRIPTION_FILE).read_bytes())
        if description["format"] != FORMAT:
            found = shown(description["format"])
            raise ValueError(f"format {found}, but this version of charlstm reads {FORMAT}")
        vocabulary = Vocabulary(description["vocabulary"])
        ids: Ids = np.memmap(directory / IDS_FILE, dtype=vocabulary.dtype, mode="r")
        largest, sha256 = _read_through(directory / IDS_FILE, vocabulary.dtype)
        if (
            description["dtype"] != vocabulary.dtype.name
            or description["characters"] != len(ids)
            or description["ids_sha256"] != sha256
            or largest >= len(vocabulary)
        ):
            raise ValueError("ids and description do not agree")
        fingerprint = Fingerprint(**description["corpus"])
        return Dataset(ids, vocabulary, fingerprint, TextOptions(**description["text"]))


def _check_file(path: Path) -> None:
    """Raise ValueError for a file of a dataset that is none, or that describes too much."""
    try:
        size = regular_size(path, follow=False)
    except OSError as error:
        raise ValueError(f"{path.name} {error.strerror}") from error
    if path.name == DESCRIPTION_FILE and size > MOST_BYTES:
        raise ValueError(f"{path.name} has {size:,} bytes, more than any description")


def _read_through(path: Path, dtype: np.dtype[np.unsignedinteger]) -> tuple[int, str]:
    """The largest id in a file, and the SHA-256 of all.

    Read in blocks, since the pages of a memory map would stay in memory.
    """
    largest, digest = 0, hashlib.sha256()
    with path.open("rb") as file:
        while len(block := np.fromfile(file, dtype, BLOCK_BYTES)):
            largest = max(largest, int(block.max()))
            digest.update(block.data)
    return largest, digest.hexdigest()


def release(ids: Ids) -> None:
    """Give back the pages of a memory map that were read; the system counts them as our memory.

    Reading one character may bring two megabytes into memory, which adds up in a large text.
    """
    mapped = getattr(ids, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def load_dataset(sources: Sequence[str], options: TextOptions) -> Dataset:
    """The dataset that ``sources`` name: one made by ``write_dataset``, or a corpus to encode.

    Raises CorpusError, and OptionError where ``options`` ask for another reading of a dataset
    than it was made with.
    """
    if len(sources) != 1 or not is_dataset(sources[0]):
        return encode_corpus(open_corpus(sources, options))
    dataset = open_dataset(Path(sources[0]))
    if options not in (TextOptions(), dataset.text):
        raise OptionError(f"{sources[0]}: a dataset is read as it was made", code="dataset as made")
    return dataset


def _encode(corpus: Corpus, file: BinaryIO | IO[bytes]) -> tuple[Survey, Vocabulary, int]:
    """Survey the corpus, then write its ids; return what was found and how many ids there are."""
    found = survey(corpus)
    vocabulary = Vocabulary.from_counts(found.counts, corpus.options.min_count)
    dropped = set(found.counts) - set(vocabulary.characters)
    table = vocabulary.id_of_code_point
    # Where ids are bytes and ASCII is all there is, bytes.translate is five times as fast.
    byte_table = table[np.minimum(np.arange(256), len(table) - 1)].astype(np.uint8).tobytes()
    characters = 0
    digest = hashlib.sha256()
    for chunk in corpus.chunks():
        data = chunk.encode()
        digest.update(data)
        if vocabulary.dtype.itemsize == 1 and not dropped and chunk.isascii():
            characters += len(data)
            file.write(data.translate(byte_table))
            continue
        ids = table[np.minimum(code_points(chunk), len(table) - 1)]
        if dropped:
            ids = ids[ids >= 0]
        characters += len(ids)
        file.write(ids.astype(vocabulary.dtype).tobytes())
    file.flush()
    lost = sum(found.counts[c] for c in dropped)
    if digest.hexdigest() != found.fingerprint.sha256:
        raise CorpusError(f"{corpus.name}: the text changed while it was read; try again")
    if dropped:
        note = (
            f"{len(dropped)} characters seen fewer than {corpus.options.min_count} times "
            f"left out ({lost:,} in all)"
        )
        found = Survey(found.counts, found.fingerprint, (*found.notes, note))
    return found, vocabulary, characters
