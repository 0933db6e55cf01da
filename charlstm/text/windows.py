"""Windows of an encoded text, as arrays in a ``.npz`` for other tools; training cuts its own."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from charlstm.errors import CorpusError, OptionError
from charlstm.files import atomic_file
from charlstm.options import require_integer
from charlstm.text.corpus import Corpus
from charlstm.text.dataset import BLOCK_BYTES, Dataset, encode_corpus
from charlstm.text.vocabulary import Ids


def windows(ids: Ids, window: int, stride: int = 1) -> tuple[Ids, Ids]:
    """Every ``stride``-th stretch of ``window`` ids, and the id that follows each, as views.

    Shapes (samples, window) and (samples,), where samples = (len(ids) - window - 1) // stride + 1.

    >>> X, y = windows(np.arange(6), window=3, stride=2)
    >>> X.tolist(), y.tolist()
    ([[0, 1, 2], [2, 3, 4]], [3, 5])
    """
    require_integer("window", window, least=1)
    require_integer("stride", stride, least=1)
    if len(ids) <= window:
        raise CorpusError(
            f"the text has {len(ids)} characters, too few for windows of {window} and the "
            f"character that follows",
            "window",
        )
    return sliding_window_view(ids, window)[:-1][::stride], ids[window:][::stride]


def write_npz(
    corpus: Corpus,
    path: Path,
    *,
    window: int,
    stride: int = 1,
    one_hot: bool = False,
    normalize: bool = False,
) -> tuple[tuple[int, ...], Dataset]:
    """Write X, y and the characters as a ``.npz``; return X's shape and the dataset behind it.

    X holds ids, shape (samples, window); with ``normalize`` ids divided by the vocabulary's
    size, float32, shape (samples, window, 1); with ``one_hot`` booleans, shape
    (samples, window, vocabulary). y holds the ids that follow, shape (samples,). The arrays
    are written block by block, so that the windows never stand in memory together.
    """
    if one_hot and normalize:
        raise OptionError("one_hot and normalize exclude each other; choose one")
    if path.exists():
        raise OptionError(f"{path}: exists already", code="output exists")
    dataset = encode_corpus(corpus)
    X, y = windows(dataset.ids, window, stride)
    V = len(dataset.vocabulary)
    shape: tuple[int, ...] = X.shape
    dtype: np.dtype[Any] = X.dtype
    if one_hot:
        shape, dtype = (*X.shape, V), np.dtype(bool)
    elif normalize:
        shape, dtype = (*X.shape, 1), np.dtype("<f4")

    def features(block: Ids) -> npt.NDArray[Any]:
        if one_hot:
            return np.equal(block[..., None], np.arange(V, dtype=block.dtype))
        if normalize:
            return (block[..., None] / np.float32(V)).astype("<f4")
        return block

    rows = max(1, BLOCK_BYTES // (dtype.itemsize * int(np.prod(shape[1:]))))
    blocks = (features(X[i : i + rows]) for i in range(0, len(X), rows))
    characters = np.array(list(dataset.vocabulary.characters))
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file, zipfile.ZipFile(file, "w") as archive:
        _write_member(archive, "X", dtype, shape, blocks)
        _write_member(archive, "y", y.dtype, y.shape, iter([y]))
        _write_member(archive, "characters", characters.dtype, (V,), iter([characters]))
    return shape, dataset


def _write_member(
    archive: zipfile.ZipFile,
    name: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    blocks: Iterator[npt.NDArray[Any]],
) -> None:
    """One array of an ``.npz``; a ZipInfo without a date, so that equal input gives equal bytes."""
    header = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
        np.lib.format.write_array_header_1_0(member, header)
        for block in blocks:
            member.write(block.tobytes())
