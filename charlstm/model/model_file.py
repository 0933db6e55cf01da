"""The model file: one safetensors file with the weights and all that is needed to use them.

It is read and written without torch. The header has one metadata entry, ``charlstm``: sorted JSON
with the format version, the model's sizes, the vocabulary, the corpus and the training. Nothing in
a file is ever executed, and a file that is damaged raises ModelFileError.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from charlstm.checks import require_text
from charlstm.errors import ModelFileError
from charlstm.files import write_atomically
from charlstm.model.config import ModelConfig
from charlstm.model.lstm import LSTM, Array
from charlstm.text.corpus import Fingerprint
from charlstm.text.decoding import TextOptions
from charlstm.text.passages import MOST, NO_PASSAGES, Hashes
from charlstm.text.vocabulary import Vocabulary
from charlstm.untrusted import described_tensors, reading

FORMAT = 1
METADATA_KEY = "charlstm"
FLOAT_TYPES = ("F32", "F16")
PASSAGES = "passages"  # the name of a tensor that is no weight
MOST_NOTES = 1000  # entries of a training summary; about thirty are usual


@dataclass(frozen=True, kw_only=True)
class Card:
    """All that is in a model file except the weights.

    ``training`` describes the run: val_loss and train_loss (nats per character), steps, seconds,
    characters_per_second and more. ``command`` is the command line that makes the model again.
    """

    config: ModelConfig
    vocabulary: Vocabulary
    fingerprint: Fingerprint
    text: TextOptions
    training: dict[str, Any]
    command: str

    def describe(self) -> dict[str, Any]:
        """The card as plain values."""
        return {
            "model": asdict(self.config),
            "vocabulary": self.vocabulary.characters,
            "corpus": asdict(self.fingerprint),
            "text": asdict(self.text),
            "training": self.training,
            "command": self.command,
        }


@dataclass(frozen=True, kw_only=True)
class ModelFile(Card):
    """All that is in a model file: the card, float32 weights under torch's names, and passages.

    ``passages`` are hashes of what the model has read (``charlstm.text.passages``).
    """

    weights: dict[str, Array] = field(repr=False)
    passages: Hashes = field(default_factory=lambda: NO_PASSAGES, repr=False)

    @cached_property
    def lstm(self) -> LSTM:
        """The network; weights that are too large become an error when it is used."""
        with np.errstate(all="ignore"):
            return LSTM(self.weights, self.config)


def save_model(model: ModelFile, path: Path) -> None:
    """Write the model to ``path`` atomically; equal models give equal bytes."""
    metadata = json.dumps({"format": FORMAT, **model.describe()}, sort_keys=True)
    tensors: dict[str, Any] = {**model.weights}
    if len(model.passages):
        tensors[PASSAGES] = model.passages
    write_atomically(path, save(tensors, metadata={METADATA_KEY: metadata}))


def load_model(path: Path) -> ModelFile:
    """Read a model file; raises ModelFileError for one that cannot be used."""
    with _opened(path) as (file, card):
        return ModelFile(
            **vars(card), weights=_weights(file, card.config), passages=_passages(file)
        )


def load_card(path: Path) -> Card:
    """Read a model file without its weights, in a time that does not depend on their size.

    Raises ModelFileError as ``load_model`` does, but not for damaged weights or passages.
    """
    with _opened(path) as (_, card):
        return card


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Card]]:
    """The open file and its card; errors in the ``with`` block become ModelFileError."""
    with (
        reading(path, "model file", ModelFileError, "invalid model"),
        described_tensors(path, METADATA_KEY, FORMAT) as (file, header),
    ):
        yield file, _card(file, header)


def _card(file: Any, header: dict[str, Any]) -> Card:
    """The card in an open safetensors file, every part checked, and the tensors checked with it."""
    config = ModelConfig(**header["model"])
    vocabulary = Vocabulary(header["vocabulary"])
    if len(vocabulary) != config.vocab_size:
        raise ValueError(f"{len(vocabulary)} characters for a vocabulary of {config.vocab_size}")
    training = header["training"]
    if not isinstance(training, dict) or len(training) > MOST_NOTES:
        raise ValueError(f"training is no object of at most {MOST_NOTES} values")
    if any(isinstance(value, list | dict) for value in training.values()):
        raise ValueError("training has values that are lists or objects")
    _check_tensors(file, config)
    return Card(
        config=config,
        vocabulary=vocabulary,
        fingerprint=Fingerprint(**header["corpus"]),
        text=TextOptions(**header["text"]),
        training=training,
        command=require_text("command", header["command"]),
    )


def _check_tensors(file: Any, config: ModelConfig) -> None:
    """Raise ValueError unless the tensors have the names, shapes and types of ``config``."""
    names = [name for name in file.keys() if name != PASSAGES]  # noqa: SIM118 (no mapping)
    # No tensor may be missing, and none may be one too many.
    if len(names) != 4 * config.num_layers + 3:
        raise ValueError(f"{len(names)} tensors for {config.num_layers} layers")
    for name, shape in config.parameter_shapes().items():
        if name not in names:
            raise ValueError(f"no tensor {name}")
        tensor = file.get_slice(name)
        if tuple(tensor.get_shape()) != shape:
            raise ValueError(f"{name} has shape {tuple(tensor.get_shape())}, not {shape}")
        if tensor.get_dtype() not in FLOAT_TYPES:
            raise ValueError(f"{name} has type {tensor.get_dtype()}, not float32 or float16")


def _weights(file: Any, config: ModelConfig) -> dict[str, Array]:
    """The weights, all of them finite."""
    weights = {}
    for name in config.parameter_shapes():
        weights[name] = file.get_tensor(name).astype(np.float32, copy=False)
        if not np.isfinite(weights[name]).all():
            raise ValueError(f"{name} holds values that are not finite")
    return weights


def _passages(file: Any) -> Hashes:
    """The hashes of what the model has read, in rising order; none in a file that has none."""
    if PASSAGES not in file.keys():  # noqa: SIM118 (no mapping)
        return NO_PASSAGES
    tensor = file.get_slice(PASSAGES)
    shape = tuple(tensor.get_shape())
    if tensor.get_dtype() != "U64" or len(shape) != 1 or shape[0] > MOST:
        raise ValueError(f"{PASSAGES} is {tensor.get_dtype()} of shape {shape}")
    passages: Hashes = file.get_tensor(PASSAGES)
    if (passages[1:] <= passages[:-1]).any():
        raise ValueError(f"{PASSAGES} do not rise")
    return passages
