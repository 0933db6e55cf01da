"""The state of a text in a file, from which another process can continue the text.

It is one safetensors file, whose size does not grow with the text. Its header has one metadata
entry, ``charlstm-state``: sorted JSON with the format version, the fingerprint of the model and the
number of characters read. Nothing in the file is ever executed, and a file that is damaged raises
StateError.
"""

import errno
import json
import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save

from charlstm.checks import require_integer
from charlstm.errors import StateError
from charlstm.files import regular_size, write_atomically
from charlstm.model.lstm import LSTMState
from charlstm.model.model_file import ModelFile
from charlstm.options import OPTIONS
from charlstm.untrusted import INVALID, described_tensors, reading

FORMAT = 1
METADATA_KEY = "charlstm-state"
NOUN = "saved state of a text"
VERSION, WORDS = 3, 624  # of the Mersenne Twister in random.Random.getstate


@dataclass(frozen=True)
class SavedState:
    """All that is needed to continue a text; its arrays must not be changed.

    ``random_state`` is that of the text's random number generator, from ``Random.getstate``.
    ``recent`` has the last ids read, as many as a repetition penalty, a stop text or a line filter
    needs. ``characters`` counts all characters read, and the last ``generated`` of them were drawn
    and belong to no stop text.
    """

    lstm: LSTMState
    random_state: tuple[Any, ...]
    recent: tuple[int, ...] = ()
    characters: int = 0
    generated: int = 0


def fingerprint(model: ModelFile) -> str:
    """The SHA-256 of a model's vocabulary, and of its weights with their names and shapes."""
    from hashlib import sha256

    digest = sha256(json.dumps(model.vocabulary.characters).encode())
    for name, weight in sorted(model.weights.items()):
        digest.update(f"\n{name} {weight.shape}\n".encode())
        digest.update(np.ascontiguousarray(weight, "<f4").data)
    return digest.hexdigest()


def save_state(state: SavedState, path: Path, model: ModelFile) -> None:
    """Write the state to ``path`` atomically; equal states give equal bytes.

    If ``path`` is a symbolic link, the file that it leads to is written.
    """
    version, words, gauss = state.random_state
    assert version == VERSION
    assert gauss is None  # gauss() is never called
    description = {
        "format": FORMAT,
        "model": fingerprint(model),
        "characters": state.characters,
        "generated": state.generated,
    }
    tensors = {
        "hidden": np.stack(state.lstm.hidden),
        "cell": np.stack(state.lstm.cell),
        "features": np.ascontiguousarray(state.lstm.features),
        "recent": np.array(state.recent, np.uint32),
        "random": np.array(words, np.uint32),  # (625,): the last is the position in the others
    }
    metadata = {METADATA_KEY: json.dumps(description, sort_keys=True)}
    write_atomically(_target(path), save(tensors, metadata=metadata))


def load_state(path: Path, model: ModelFile) -> SavedState:
    """Read what ``save_state`` wrote; raises StateError for any other file."""
    with (
        reading(path, NOUN, StateError, "invalid state"),
        described_tensors(path, METADATA_KEY, FORMAT) as (file, description),
    ):
        if description["model"] != fingerprint(model):
            raise StateError(
                f"{path}: the state of a text of another model", "state of another model"
            )
        return _checked(file, description, model)


def check_target(path: Path) -> None:
    """Raise StateError if ``save_state`` could not write to ``path``.

    A file that is already there is replaced only if it is empty or a saved state.
    """
    try:
        target = _target(path)
        if not target.parent.is_dir():
            raise StateError(f"{path}: no such directory; make {target.parent} first")
        if not os.access(target.parent, os.W_OK):
            raise PermissionError(errno.EACCES, "permission denied in its directory")
        if regular_size(target, follow=True):
            with described_tensors(target, METADATA_KEY, FORMAT):
                pass
    except FileNotFoundError:
        pass
    except OSError as error:
        raise StateError(f"{path}: cannot be written: {error.strerror or error}") from error
    except (SafetensorError, *INVALID) as error:
        raise StateError(
            f"{path}: exists and is no saved state of a text; name another file, or remove it"
        ) from error


def _target(path: Path) -> Path:
    """The file to write: a symbolic link that the user names is followed."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _checked(file: Any, description: dict[str, Any], model: ModelFile) -> SavedState:
    """The state in an open safetensors file, every part checked."""
    characters = require_integer("characters", description["characters"])
    generated = require_integer("generated", description["generated"], most=characters)
    L, H = model.config.num_layers, model.config.hidden_size
    values = [
        _tensor(file, name, "F32", shape)
        for name, shape in (("hidden", (L, H)), ("cell", (L, H)), ("features", (H,)))
    ]
    if not all(np.isfinite(value).all() for value in values):
        raise ValueError("it holds values that are not finite")
    recent = _tensor(file, "recent", "U32", None)
    if recent.size and recent.max() >= model.config.vocab_size:
        raise ValueError("recent holds ids beyond the vocabulary")
    words = _tensor(file, "random", "U32", (WORDS + 1,))
    if words[-1] > WORDS or not words[:-1].any():
        raise ValueError("random is no state of the generator")
    random_state = (VERSION, tuple(words.tolist()), None)
    random.Random().setstate(random_state)
    lstm = LSTMState(model.lstm).load(*values)
    return SavedState(lstm, random_state, tuple(recent.tolist()), characters, generated)


def _tensor(file: Any, name: str, kind: str, shape: tuple[int, ...] | None) -> Any:
    """A tensor of this type and shape; without a shape it has one dimension of any length."""
    tensor = file.get_slice(name)
    found = tuple(tensor.get_shape())
    if tensor.get_dtype() != kind or (found != shape if shape else len(found) != 1):
        raise ValueError(f"{name} is {tensor.get_dtype()} of shape {found}")
    if shape is None and found[0] > OPTIONS["repetition_window"].most:
        raise ValueError(f"{name} is too long")
    return file.get_tensor(name)
