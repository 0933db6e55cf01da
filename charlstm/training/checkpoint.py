"""``state.safetensors``: all that a stopped run needs to go on exactly where it was; no torch.

Tensors by name, and one metadata entry, ``charlstm-training``, of sorted JSON for the rest. No file
is ever executed. The plain values are checked here, the tensors by ``trainer.check_state``.
"""

import hashlib
import json
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from charlstm.checks import require_integer, require_text
from charlstm.errors import TrainingError
from charlstm.files import write_atomically
from charlstm.model.config import ModelConfig
from charlstm.model.lstm import Array
from charlstm.options import fields_of
from charlstm.text.corpus import Fingerprint
from charlstm.text.decoding import TextOptions
from charlstm.training.config import TrainConfig
from charlstm.training.losses import RunHistory
from charlstm.training.pace import Pace
from charlstm.untrusted import described_tensors, reading

FORMAT = 1
METADATA_KEY = "charlstm-training"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Everything that a run needs to go on."""

    config: TrainConfig
    progress: dict[str, Any]  # plain values of the optimizer, with ``steps_done``
    history: RunHistory
    pace: Pace
    fingerprint: Fingerprint
    text: TextOptions
    sources: list[str]  # of the text, as absolute paths
    sources_given: list[str]  # of the text, as they were given
    environment: dict[str, str]
    metrics_size: int = 0  # bytes of metrics.jsonl when the state was saved
    tensors: dict[str, Array] = field(repr=False)

    @property
    def steps_done(self) -> int:
        """How many steps the run has done."""
        done: int = self.progress["steps_done"]
        return done

    @property
    def finished(self) -> bool:
        """Whether the run has done its last step, or has ended early."""
        impatient = self.history.out_of_patience(self.config.patience)
        return impatient or self.steps_done >= self.pace.last


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint to ``path``, all of it or nothing."""
    plain = asdict(replace(checkpoint, tensors={}))
    del plain["tensors"]
    description = {
        **plain,
        "format": FORMAT,
        "history": checkpoint.history.to_json(),
        "pace": str(checkpoint.pace),
        "tensors_sha256": digest(checkpoint.tensors),
    }
    metadata = {METADATA_KEY: json.dumps(description, sort_keys=True)}
    write_atomically(path, save(checkpoint.tensors, metadata=metadata))


def digest(tensors: dict[str, Array]) -> str:
    """The SHA-256 of all values, by name. A damaged state would go on to another model."""
    found = hashlib.sha256()
    for _, tensor in sorted(tensors.items()):
        found.update(tensor.reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def load_checkpoint(path: Path, *, tensors: bool = True) -> Checkpoint:
    """Read what ``save_checkpoint`` wrote, or all but its tensors; else TrainingError."""
    with (
        reading_state(path),
        described_tensors(path, METADATA_KEY, FORMAT, follow=False) as (file, description),
    ):
        names = file.keys() if tensors else ()
        found = {name: np.array(file.get_tensor(name)) for name in names}
        if tensors and description["tensors_sha256"] != digest(found):
            raise ValueError("its values are not those that were saved")
        return _checkpoint(description, found)


def reading_state(path: Path) -> AbstractContextManager[None]:
    """Turn whatever is found wrong with a state in the block into a TrainingError."""
    return reading(path, "training state", TrainingError, "invalid training state")


def _checkpoint(values: dict[str, Any], tensors: dict[str, Array]) -> Checkpoint:
    """The checkpoint with these values; ValueError, LookupError or TypeError where one is wrong."""
    network = ModelConfig(**values["config"]["network"])
    config = TrainConfig(**{**values["config"], "network": network})
    if "auto" in (config.device, config.precision):
        raise ValueError("a device or precision that is still to be chosen")
    pace = Pace.parse(require_text("pace", values["pace"]))
    require_integer("steps_done", values["progress"]["steps_done"], most=pace.last)
    require_integer("metrics_size", values["metrics_size"])
    for value in values["environment"].values():
        require_text("environment", value)
    for sources in (values["sources"], values["sources_given"]):
        if not (isinstance(sources, list) and sources and all(map(_is_name, sources))):
            raise ValueError("sources that are no file names")
    records = {
        "config": config,
        "history": RunHistory.from_json(values["history"]),
        "pace": pace,
        "fingerprint": Fingerprint(**values["fingerprint"]),
        "text": TextOptions(**values["text"]),
        "tensors": tensors,
    }
    return Checkpoint(**{**fields_of(Checkpoint, values), **records})


def _is_name(source: object) -> bool:
    """Whether ``source`` can be the name of a file."""
    return isinstance(source, str) and bool(source) and "\0" not in source
