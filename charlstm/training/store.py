"""What a run keeps on disk: model, metrics and state, in an order that no crash can spoil."""

import errno
import json
import os
import time
from pathlib import Path
from typing import Any

from charlstm.errors import ModelFileError
from charlstm.files import MODEL_FILE, STATE_FILE
from charlstm.model.locate import METRICS_FILE
from charlstm.model.model_file import ModelFile, load_model, save_model
from charlstm.text.dataset import Dataset
from charlstm.training.checkpoint import save_state
from charlstm.training.config import TrainConfig
from charlstm.training.losses import KeptModel

FIRST_SAVE_SECONDS = 5.0  # to the first state of a process,
SAVE_SECONDS = 60.0  # and from one state to the next, or longer, so that
SAVE_SHARE = 0.02  # of the time, at most, goes into that
LONGEST_LINE = 1 << 16


class Store:
    """The files of one run.

    The model is written first, then the metrics, then the state: a state on disk never speaks of
    a model or of a line that is not there, and what a crash leaves beyond the state is made again
    by the run that goes on from it. What could not be written waits, and is tried again with the
    next.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.saved_step = 0  # of the state on disk
        self.fault: str | None = None  # why the last attempt to write failed
        self._saved_at = time.monotonic()  # the last state, or the last attempt,
        self._seconds = 0.0  # and how long that took
        self._interval = FIRST_SAVE_SECONDS
        self._model: ModelFile | None = None
        self._lines: list[str] = []

    def keep(self, model: ModelFile) -> None:
        """Let this be the run's model, with the next ``write``."""
        self._model = model

    def append(self, line: str) -> None:
        """Let this be the next line of the metrics, with the next ``write``."""
        self._lines.append(line + "\n")

    def write(self, state: dict[str, Any] | None = None) -> None:
        """Put what waits onto the disk, then ``state`` if it is given; raises OSError."""
        if self._model is not None:
            save_model(self._model, self.directory / MODEL_FILE)
            self._model = None
        if self._lines:
            _append(self.directory / METRICS_FILE, "".join(self._lines).encode())
            self._lines = []
        if state is not None:
            started = time.monotonic()
            _sync(self.directory / METRICS_FILE)
            save_state(self.directory / STATE_FILE, state)
            self.saved_step = state["learner"]["steps_done"]
            self._seconds = time.monotonic() - started

    def try_to_write(self, state: dict[str, Any] | None = None) -> str | None:
        """``write``, but where it fails the reason is kept as ``fault``, and returned."""
        try:
            self.write(state)
            self.fault = None
        except OSError as error:
            self.fault = f"{error.filename or self.directory}: {error.strerror or error}"
        if state is not None:
            self._saved_at, self._interval = time.monotonic(), SAVE_SECONDS
        return self.fault

    def due(self, save_every: float | None) -> bool:
        """Whether the last state is ``save_every`` seconds old, or as old as is cheap."""
        if save_every is None:
            save_every = max(self._interval, self._seconds / SAVE_SHARE)
        return time.monotonic() - self._saved_at >= save_every

    def take_back(self, step: int) -> None:
        """Cut the metrics after ``step``, whose lines the run will write again."""
        self.saved_step = step
        path = self.directory / METRICS_FILE
        if not path.exists():
            return
        with path.open("rb+") as file:
            end = last = 0
            while (line := file.readline(LONGEST_LINE)).endswith(b"\n"):  # not cut by a crash
                found = _step_of(line)
                if not last < found <= step:
                    break
                end, last = end + len(line), found
            file.truncate(end)


def kept_model(directory: Path, config: TrainConfig, dataset: Dataset) -> KeptModel | None:
    """The model in a run directory, if it is one of this run: of its text, split and sizes."""
    try:
        model = load_model(directory / MODEL_FILE)
    except ModelFileError:
        return None
    step, val_loss = model.training.get("steps"), model.training.get("val_loss")
    expected = float if config.val_fraction else type(None)
    if (
        model.config != config.model
        or model.vocabulary.characters != dataset.vocabulary.characters
        or model.fingerprint.sha256 != dataset.fingerprint.sha256
        or model.training.get("val_fraction") != config.val_fraction
        or type(step) is not int
        or type(val_loss) is not expected
    ):
        return None
    return KeptModel(step, val_loss)


def _append(path: Path, data: bytes) -> None:
    """Append all of ``data`` or none of it; never through a link, which may lead anywhere."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    size = os.fstat(descriptor).st_size
    try:
        if os.write(descriptor, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        os.ftruncate(descriptor, size)
        error.filename = str(path)
        raise
    finally:
        os.close(descriptor)


def _sync(path: Path) -> None:
    if path.exists():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _step_of(line: bytes) -> int:
    """The step of a line of metrics, or -1 for what is no such line."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return -1
