"""Encoded texts: ids in a memory map, split without overlap.

A dataset on disk is a directory with ``ids.bin`` (the raw ids, little-endian) and
``dataset.json`` (what they mean). ``charlstm.text.windows`` makes arrays for other tools.
"""

import hashlib
import json
import math
import mmap
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np

from charlstm.errors import CorpusError, OptionError, UnknownCharacterError, unknown_note
from charlstm.files import atomic_directory, atomic_file, regular_size, temporary_space
from charlstm.text.corpus import (
    SPOOL_BYTES,
    Corpus,
    Fingerprint,
    code_points,
    open_corpus,
    survey,
)
from charlstm.text.decoding import AUTO, Source, TextOptions
from charlstm.text.formats import check_is_no_html
from charlstm.text.sources import DESCRIPTION_FILE, IDS_FILE, is_dataset
from charlstm.text.vocabulary import Ids, Unknown, Vocabulary, whole_clusters
from charlstm.untrusted import MOST_BYTES, check_format, read_description, reading

FORMAT = 1
BLOCK_BYTES = 8 << 20  # how much of a large array is in memory at a time
BLOCK_IDS = 1 << 20


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
    directory.parent.mkdir(parents=True, exist_ok=True)
    with atomic_directory(directory) as making:
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
    return dataset


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


def in_blocks(ids: Ids) -> Iterator[Ids]:
    """The ids in blocks, each a copy, so that no page of a memory map stays in memory."""
    for start in range(0, len(ids), BLOCK_IDS):
        block = np.array(ids[start : start + BLOCK_IDS])
        release(ids)
        yield block


def load_dataset(sources: Sequence[str], options: TextOptions) -> Dataset:
    """The dataset in ``sources``: one made by ``write_dataset``, or a corpus that is encoded now.

    Raises CorpusError, and OptionError for ``options`` other than those of a finished dataset.
    """
    if not _are_dataset(sources):
        return encode_corpus(open_corpus(sources, options))
    dataset = open_dataset(Path(sources[0]))
    if options not in (TextOptions(), dataset.text):
        raise OptionError(f"{sources[0]}: a dataset is read as it was made", code="dataset as made")
    return dataset


def _are_dataset(sources: Sequence[str]) -> bool:
    return len(sources) == 1 and is_dataset(sources[0])


def encode_for_model(
    sources: Sequence[str],
    options: TextOptions,
    vocabulary: Vocabulary,
    learned: Fingerprint,
    unknown: Unknown = "error",
) -> Dataset:
    """A text in the ids of a model's vocabulary, in a temporary file, as ``encode_corpus`` makes.

    ``sources`` are those of ``load_dataset``; the ids of a finished dataset are translated.
    ``learned`` is the text that the model learned from: if it is this one, characters without an id
    are left out, as they were then. Of any other text they are marked with the vocabulary's
    ``unknown_id``, or with "nearest" replaced, where there is a similar character. Raises
    CorpusError and, unless ``unknown`` is another one than "error", UnknownCharacterError.
    """
    made = open_dataset(Path(sources[0])) if _are_dataset(sources) else None
    corpus = open_corpus(sources, options) if made is None else _decoded(made, sources[0], options)
    found = survey(corpus)
    fingerprint = found.fingerprint
    # A dataset without its rare characters is the text itself to a model that has none of them.
    if (
        made
        and made.fingerprint.sha256 == learned.sha256
        and not made.vocabulary.unknown(vocabulary.characters)
    ):
        fingerprint = made.fingerprint
    notes = list(found.notes)
    chunks = _read_again(corpus, found.fingerprint)
    own = fingerprint.sha256 == learned.sha256
    missing = vocabulary.unknown("".join(found.counts))
    if missing and own:
        notes += _rare(found.counts, vocabulary, options.min_count)
    elif missing and unknown == "error":
        raise UnknownCharacterError(missing, corpus.label)
    counts = Counter(found.counts)
    if missing and not own and unknown == "nearest":
        counts = Counter()
        chunks = _nearest(chunks, vocabulary, counts)
    with temporary_space(), tempfile.TemporaryFile() as file:
        ids = _map_ids(chunks, vocabulary, file, mark=not own)
    marked = {} if own else {c: n for c, n in counts.items() if c not in vocabulary}
    if marked:
        share = sum(marked.values()) / len(ids)
        notes.append(f"{corpus.label}: {unknown_note(share, ''.join(marked))}")
    return Dataset(ids, vocabulary, fingerprint, options, tuple(notes))


def _decoded(dataset: Dataset, name: str, options: TextOptions) -> Corpus:
    """The text of a dataset as a corpus, which can be read with other options."""
    points = code_points(dataset.vocabulary.characters)
    copy = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 (returned open)
    with temporary_space():
        for ids in in_blocks(dataset.ids):
            copy.write(points[ids].tobytes().decode("utf-32-le").encode())
    source = Source(Path(name), copy)
    return Corpus(dataset.fingerprint.name, (source,), replace(options, encoding="utf-8"))


def _nearest(chunks: Iterable[str], vocabulary: Vocabulary, counts: Counter[str]) -> Iterator[str]:
    """A text with its unknown characters replaced where they can be; ``counts`` gets all of it."""
    for text in whole_clusters(chunks):
        adapted = vocabulary.adapted(text, "nearest")
        counts.update(adapted)
        yield adapted


def _encode(corpus: Corpus, file: BinaryIO | IO[bytes]) -> Dataset:
    """Survey the corpus, write its ids to ``file`` and map them.

    HTML is learned only by those who name its encoding.
    """
    if corpus.options.encoding == AUTO:
        for source in corpus.sources:
            with suppress(OSError):  # a file that cannot be read is named when it is read
                check_is_no_html(source.blocks(), source.label)
    found = survey(corpus)
    vocabulary = Vocabulary.from_counts(found.counts, corpus.options.min_count)
    ids = _map_ids(_read_again(corpus, found.fingerprint), vocabulary, file)
    notes = found.notes + _rare(found.counts, vocabulary, corpus.options.min_count)
    return Dataset(ids, vocabulary, found.fingerprint, corpus.options, notes)


def _rare(counts: dict[str, int], vocabulary: Vocabulary, min_count: int) -> tuple[str, ...]:
    """The message for characters that are left out because they are rare."""
    dropped = set(counts) - set(vocabulary.characters)
    if not dropped:
        return ()
    lost = sum(counts[c] for c in dropped)
    rare = f"{len(dropped)} characters seen fewer than {min_count} times"
    return (f"{rare} left out ({lost:,} in all)",)


def _read_again(corpus: Corpus, before: Fingerprint) -> Iterator[str]:
    """The chunks of a corpus; CorpusError at their end if they are not the text of ``before``."""
    digest = hashlib.sha256()
    for chunk in corpus.chunks():
        digest.update(chunk.encode())
        yield chunk
    if digest.hexdigest() != before.sha256:
        raise CorpusError(f"{corpus.name}: the text changed while it was read; try again")


def _map_ids(
    chunks: Iterable[str],
    vocabulary: Vocabulary,
    file: BinaryIO | IO[bytes],
    *,
    mark: bool = False,
) -> Ids:
    """Write the ids of a text to ``file`` and map them.

    Unknown characters are left out, or marked with ``unknown_id``.
    """
    dtype = vocabulary.marked_dtype if mark else vocabulary.dtype
    table = vocabulary.id_of_code_point
    # For ASCII text and ids of one byte, bytes.translate is five times as fast.
    of_byte = table[np.minimum(np.arange(256), len(table) - 1)]
    left_out = b"" if mark else bytes(i for i in range(128) if of_byte[i] < 0)
    if mark:
        table = np.where(table < 0, vocabulary.unknown_id, table)
        of_byte = np.where(of_byte < 0, vocabulary.unknown_id, of_byte)
    byte_table = of_byte.astype(np.uint8).tobytes()
    count = 0
    for chunk in chunks:
        if dtype.itemsize == 1 and chunk.isascii():
            data = chunk.encode().translate(byte_table, left_out)
        else:
            ids = table[np.minimum(code_points(chunk), len(table) - 1)]
            data = ids[ids >= 0].astype(dtype).tobytes()
        file.write(data)
        count += len(data)
    file.flush()
    if not count:  # an empty file cannot be mapped
        return np.empty(0, dtype)
    mapped: Ids = np.memmap(file, dtype=dtype, mode="r")
    return mapped
