"""Windows of an encoded text as arrays in a ``.npz`` for other tools; training cuts its own."""

import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from charlstm.checks import require_integer
from charlstm.errors import CorpusError, OptionError
from charlstm.files import atomic_file
from charlstm.text.corpus import Corpus
from charlstm.text.dataset import BLOCK_BYTES, Dataset, encode_corpus
from charlstm.text.vocabulary import Ids


def windows(ids: Ids, window: int, stride: int = 1) -> tuple[Ids, Ids]:
    """Every ``stride``-th window of ``window`` ids, and the id that follows each, as views.

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
    """Write X, y and the characters as a ``.npz``; return X's shape and the encoded corpus.

    X holds ids, shape (samples, window); with ``normalize`` ids divided by the vocabulary's
    size, float32, shape (samples, window, 1); with ``one_hot`` booleans, shape
    (samples, window, vocabulary). y holds the ids that follow, shape (samples,). X is made and
    written block by block, because all of it may be larger than the memory. Equal input gives
    equal bytes.
    """
    if one_hot and normalize:
        raise OptionError("one_hot and normalize cannot be used together; choose one")
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
    rows = max(1, BLOCK_BYTES // (dtype.itemsize * math.prod(shape[1:])))
    header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    characters = np.array(list(dataset.vocabulary.characters))
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file, zipfile.ZipFile(file, "w") as archive:
        with archive.open("X.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(member, header)
            for start in range(0, len(X), rows):
                block = X[start : start + rows]
                if one_hot:
                    block = block[..., None] == np.arange(V, dtype=X.dtype)
                elif normalize:
                    block = (block / np.float32(V)).astype("<f4")
                member.write(block.tobytes())
        for name, array in (("y", y), ("characters", characters)):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array)
    return shape, dataset
