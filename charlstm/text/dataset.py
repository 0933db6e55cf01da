"""Encoded texts: ids in a memory map, split without overlap.

A dataset on disk is a directory with ``ids.bin`` (the raw ids, little-endian) and
``dataset.json`` (what they mean). ``charlstm.text.windows`` makes arrays for other tools.
"""

import hashlib
import json
import math
import mmap
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np

from charlstm.errors import CorpusError, OptionError
from charlstm.files import atomic_file, current_umask, regular_size, sync_directory, temporary_space
from charlstm.text.corpus import Corpus, Fingerprint, code_points, open_corpus, survey
from charlstm.text.decoding import TextOptions
from charlstm.text.vocabulary import Ids, Vocabulary
from charlstm.untrusted import MOST_BYTES, check_format, read_description, reading

FORMAT = 1
IDS_FILE = "ids.bin"
DESCRIPTION_FILE = "dataset.json"
BLOCK_BYTES = 8 << 20  # how much of a large array is in memory at a time


@dataclass(frozen=True)
class Dataset:
    """A text as ids, shape (characters,), with all that is needed to read them."""

    ids: Ids
    vocabulary: Vocabulary
    fingerprint: Fingerprint
    text: TextOptions
    notes: tuple[str, ...] = ()

    def split(self, val_fraction: float) -> tuple[Ids, Ids]:
        """The first part, for training, and the last ``val_fraction``, for validation.

        The text is cut once, before any windows are, so that no window is in both parts. The size
        of the training part is rounded down as in nanoGPT, so that losses can be compared.
        """
        # Rounded to six digits first: 0.07 * 100 is a little more than 7 in floating point.
        validation = math.ceil(round(len(self.ids) * val_fraction, 6))
        train = len(self.ids) - validation
        return self.ids[:train], self.ids[train:]


def encode_corpus(corpus: Corpus) -> Dataset:
    """The corpus as a dataset in a temporary file that vanishes with the process."""
    with temporary_space(), tempfile.TemporaryFile() as file:
        return _encode(corpus, file)


def write_dataset(corpus: Corpus, directory: Path) -> Dataset:
    """The corpus as a dataset in a new directory, which appears only when it is complete."""
    if directory.exists():
        raise OptionError(f"{directory}: exists already", code="output exists")
    parent = directory.parent
    parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", suffix=".tmp", dir=parent))
    try:
        with atomic_file(making / IDS_FILE) as file:
            dataset = _encode(corpus, file)
        description = {
            "format": FORMAT,
            "dtype": dataset.vocabulary.dtype.name,
            "characters": len(dataset.ids),
            "ids_sha256": _read_through(making / IDS_FILE, dataset.vocabulary.dtype)[1],
            "vocabulary": dataset.vocabulary.characters,
            "corpus": asdict(dataset.fingerprint),
            "text": asdict(dataset.text),
        }
        with atomic_file(making / DESCRIPTION_FILE) as file:
            file.write(json.dumps(description, sort_keys=True, indent=1).encode() + b"\n")
        making.chmod(0o777 & ~current_umask())
        making.rename(directory)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    sync_directory(parent)
    return dataset


def is_dataset(source: str) -> bool:
    """Whether ``source`` is a directory made by ``write_dataset``."""
    files = [Path(source) / name for name in (DESCRIPTION_FILE, IDS_FILE)]
    with suppress(OSError):  # for example a name that is too long
        return source != "-" and all(file.is_file() for file in files)
    return False


def open_dataset(directory: Path) -> Dataset:
    """Map the dataset in ``directory``; raises CorpusError for one that is damaged."""
    with reading(directory, "dataset", CorpusError, "invalid dataset"):
        for name in (DESCRIPTION_FILE, IDS_FILE):
            _check_file(directory / name)
        description = read_description((directory / DESCRIPTION_FILE).read_bytes())
        check_format(description, FORMAT)
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
    """Raise ValueError if a file of a dataset is not a regular file, or is too large to read."""
    try:
        size = regular_size(path, follow=False)
    except OSError as error:
        raise ValueError(f"{path.name} {error.strerror}") from error
    if path.name == DESCRIPTION_FILE and size > MOST_BYTES:
        raise ValueError(f"{path.name} has {size:,} bytes, more than any description")


def _read_through(path: Path, dtype: np.dtype[np.unsignedinteger]) -> tuple[int, str]:
    """The largest id in a file, and the SHA-256 of all ids.

    The file is read in blocks, because the pages of a memory map would stay in memory.
    """
    largest, digest = 0, hashlib.sha256()
    with path.open("rb") as file:
        while len(block := np.fromfile(file, dtype, BLOCK_BYTES)):
            largest = max(largest, int(block.max()))
            digest.update(block.data)
    return largest, digest.hexdigest()


def release(ids: Ids) -> None:
    """Free the memory that holds the pages of a memory map which were read.

    To read one character may load two megabytes, which adds up in a large text.
    """
    mapped = getattr(ids, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def load_dataset(sources: Sequence[str], options: TextOptions) -> Dataset:
    """The dataset in ``sources``: one made by ``write_dataset``, or a corpus that is encoded now.

    Raises CorpusError, and OptionError for ``options`` other than those of a finished dataset.
    """
    if len(sources) != 1 or not is_dataset(sources[0]):
        return encode_corpus(open_corpus(sources, options))
    dataset = open_dataset(Path(sources[0]))
    if options not in (TextOptions(), dataset.text):
        raise OptionError(f"{sources[0]}: a dataset is read as it was made", code="dataset as made")
    return dataset


def _encode(corpus: Corpus, file: BinaryIO | IO[bytes]) -> Dataset:
    """Survey the corpus, write its ids to ``file`` and map them."""
    found = survey(corpus)
    vocabulary = Vocabulary.from_counts(found.counts, corpus.options.min_count)
    dropped = set(found.counts) - set(vocabulary.characters)
    table = vocabulary.id_of_code_point
    # For ASCII text and ids of one byte, bytes.translate is five times as fast.
    byte_table = table[np.minimum(np.arange(256), len(table) - 1)].astype(np.uint8).tobytes()
    digest = hashlib.sha256()
    for chunk in corpus.chunks():
        data = chunk.encode()
        digest.update(data)
        if vocabulary.dtype.itemsize == 1 and not dropped and chunk.isascii():
            file.write(data.translate(byte_table))
            continue
        ids = table[np.minimum(code_points(chunk), len(table) - 1)]
        if dropped:
            ids = ids[ids >= 0]
        file.write(ids.astype(vocabulary.dtype).tobytes())
    file.flush()
    if digest.hexdigest() != found.fingerprint.sha256:
        raise CorpusError(f"{corpus.name}: the text changed while it was read; try again")
    notes = found.notes
    if dropped:
        lost = sum(found.counts[c] for c in dropped)
        rare = f"{len(dropped)} characters seen fewer than {corpus.options.min_count} times"
        notes += (f"{rare} left out ({lost:,} in all)",)
    mapped: Ids = np.memmap(file, dtype=vocabulary.dtype, mode="r")
    return Dataset(mapped, vocabulary, found.fingerprint, corpus.options, notes)
