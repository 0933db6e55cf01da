"""A place in a text as a file: with it the text goes on in another process, however long it is.

One safetensors file, tied to its model by a fingerprint. Its header holds one metadata entry,
``charlstm-state``: sorted JSON with the format version, the fingerprint and the number of
characters read. No file is ever executed; one that is not sound is refused with a StateError.
"""

import errno
import hashlib
import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from charlstm.errors import StateError
from charlstm.files import regular_size, write_atomically
from charlstm.generation.sampling import LONGEST_WINDOW
from charlstm.generation.stream import Reading
from charlstm.generation.text_stream import Place
from charlstm.model.lstm import State
from charlstm.model.model_file import ModelFile
from charlstm.options import require_integer, shown
from charlstm.untrusted import check_header, read_description, reason

FORMAT = 1
METADATA_KEY = "charlstm-state"
VERSION, WORDS = 3, 624  # of the Mersenne Twister, as random.Random.getstate has it


def fingerprint(model: ModelFile) -> str:
    """The SHA-256 of a model's vocabulary, and its weights with their names and shapes."""
    digest = hashlib.sha256(json.dumps(model.vocabulary.characters).encode())
    for name, weight in sorted(model.weights.items()):
        digest.update(f"\n{name} {weight.shape}\n".encode())
        digest.update(np.ascontiguousarray(weight, "<f4").data)
    return digest.hexdigest()


def save_place(place: Place, path: Path, model: ModelFile) -> None:
    """Write the place to ``path`` atomically, or where that leads to; equal places, equal bytes."""
    version, words, gauss = place.numbers
    assert version == VERSION
    assert gauss is None  # only gauss() would have left something
    description = {
        "format": FORMAT,
        "model": fingerprint(model),
        "characters": place.reading.characters,
        "generated": place.reading.generated,
    }
    tensors = {
        "hidden": np.stack(place.reading.state.hidden),
        "cell": np.stack(place.reading.state.cell),
        "features": np.ascontiguousarray(place.reading.features),
        "recent": np.array(place.reading.recent, np.uint32),
        "random": np.array(words, np.uint32),  # (625,): the last is the position
    }
    write_atomically(
        _target(path),
        save(tensors, metadata={METADATA_KEY: json.dumps(description, sort_keys=True)}),
    )


def load_place(path: Path, model: ModelFile) -> Place:
    """Read what ``save_place`` wrote; StateError says what is wrong with a file that is none."""
    try:
        check_header(path, follow=True)
        with safe_open(path, framework="numpy") as file:
            return _checked(path, file, model)
    except FileNotFoundError as error:
        raise StateError(
            f"{path}: no such file; make one with --save-state, or check the name"
        ) from error
    except OSError as error:
        raise StateError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (SafetensorError, ValueError, KeyError, RecursionError) as error:
        raise StateError(
            f"{path}: damaged, or no saved state of a text ({reason(error)}); save it again"
        ) from error


def check_target(path: Path) -> None:
    """Raise StateError, before a text is written, where its place could not be saved.

    What exists there, or where a link leads to, is replaced only if it is a saved place.
    """
    try:
        target = _target(path)
        if not target.parent.is_dir():
            raise StateError(f"{path}: no such directory; make {target.parent} first")
        if not os.access(target.parent, os.W_OK):
            raise PermissionError(errno.EACCES, "permission denied in its directory")
        if regular_size(target, follow=True):
            check_header(target, follow=True)
            with safe_open(target, framework="numpy") as file:
                if METADATA_KEY not in (file.metadata() or {}):
                    raise ValueError("a safetensors file of another kind")
    except FileNotFoundError:
        pass
    except OSError as error:
        raise StateError(f"{path}: cannot be written: {error.strerror or error}") from error
    except (SafetensorError, ValueError) as error:
        raise StateError(
            f"{path}: exists and is no saved state of a text; name another file, or remove it"
        ) from error


def _target(path: Path) -> Path:
    """The file that ``path`` stands for: a link that the user names is followed, and stays."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _checked(path: Path, file: Any, model: ModelFile) -> Place:
    """The place in an open safetensors file, every part checked before it is used."""
    text = (file.metadata() or {}).get(METADATA_KEY)
    if text is None:
        raise ValueError("a safetensors file of another kind")
    description = read_description(text)
    if description["format"] != FORMAT:
        raise StateError(
            f"{path}: state format {shown(description['format'])}, but this charlstm reads "
            f"{FORMAT}; upgrade charlstm, or save it again"
        )
    if description["model"] != fingerprint(model):
        raise StateError(f"{path}: the state of a text of another model; name that with --model")
    characters, generated = description["characters"], description["generated"]
    require_integer("characters", characters, least=0)
    require_integer("generated", generated, least=0, most=characters)
    L, H = model.config.num_layers, model.config.hidden_size
    hidden, cell = (_tensor(file, name, "F32", (L, H)) for name in ("hidden", "cell"))
    features = _tensor(file, "features", "F32", (H,))
    for name, tensor in (("hidden", hidden), ("cell", cell), ("features", features)):
        if not np.isfinite(tensor).all():
            raise ValueError(f"{name} holds values that are not finite")
    recent = _tensor(file, "recent", "U32", None)
    if recent.size and recent.max() >= model.config.vocab_size:
        raise ValueError("recent holds ids beyond the vocabulary")
    words = _tensor(file, "random", "U32", (WORDS + 1,))
    if words[-1] > WORDS or not words[:-1].any():
        raise ValueError("random is no state of the generator")
    numbers = (VERSION, tuple(words.tolist()), None)
    random.Random().setstate(numbers)
    return Place(
        Reading(
            State(tuple(hidden), tuple(cell)),
            features,
            tuple(recent.tolist()),
            characters,
            generated,
        ),
        numbers,
    )


def _tensor(file: Any, name: str, kind: str, shape: tuple[int, ...] | None) -> Any:
    """One tensor, once its type and shape are known to be right; None: a row of any length."""
    found = file.get_slice(name)
    its = tuple(found.get_shape())
    if found.get_dtype() != kind or (its != shape if shape else len(its) != 1):
        raise ValueError(f"{name} is {found.get_dtype()} of shape {its}")
    if shape is None and its[0] > LONGEST_WINDOW:
        raise ValueError(f"{name} is too long")
    return file.get_tensor(name)
