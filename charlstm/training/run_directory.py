"""The files of a run, written so that no crash can spoil them.

Free of torch. How their directory is made is in ``output``, how a state is read in ``checkpoint``.
"""

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from charlstm.analysis.curves import History
from charlstm.errors import CharLSTMError, ModelFileError, OptionError
from charlstm.files import MODEL_FILE, STATE_FILE, append_all, regular_size, write_atomically
from charlstm.model.locate import CONFIG_FILE, METRICS_FILE
from charlstm.model.lstm import Array
from charlstm.model.model_file import ModelFile, load_model, save_model
from charlstm.text.dataset import Dataset
from charlstm.text.passages import NO_PASSAGES, Hashes
from charlstm.text.sources import located
from charlstm.training.checkpoint import Checkpoint, save_checkpoint
from charlstm.training.config import TrainConfig, at_pace, config_toml, repeating_command
from charlstm.training.losses import KeptModel
from charlstm.training.output import FILES
from charlstm.training.pace import Pace
from charlstm.training.tensorboard_file import TensorBoardFile

FIRST_SAVE_SECONDS = 5.0  # to the first state of a process
SAVE_SECONDS = 60.0  # from one state to the next, at least
SAVE_SHARE = 0.02  # of the time, at most, goes into writing states, so that some come later


class RunDirectory:
    """The files of one run.

    The model is written first, then the metrics, then the state. So a state on disk never speaks
    of a model or of a line that does not exist, and what a crash leaves beyond the state is made
    again by the run that goes on from it. The event file of TensorBoard is written last, for the
    run can do without it. What could not be written waits, and is tried again with the next write.
    """

    def __init__(
        self, path: Path, dataset: Dataset, sources: list[str], sources_given: list[str]
    ) -> None:
        """``sources`` are the absolute paths of what the dataset was made from."""
        self.path, self.dataset = path, dataset
        self.sources, self.sources_given = sources, sources_given
        self.saved_step = 0  # of the state on disk
        self.fault: str | None = None  # why the last attempt to write failed
        self._saved_at = time.monotonic()  # the last state, or the last attempt
        self.save_seconds = 0.0  # how long the last state, or the last attempt, took
        self._interval = FIRST_SAVE_SECONDS
        self._model: ModelFile | None = None
        self.passages: Hashes = NO_PASSAGES  # hashes of what the model has read
        self._config_toml: str | None = None
        self._lines: list[str] = []
        self.tensorboard: TensorBoardFile | None = None

    @property
    def model(self) -> Path:
        """The model file."""
        return self.path / MODEL_FILE

    def write_with_config(self, checkpoint: Checkpoint, *, new: bool) -> None:
        """Write the checkpoint and ``config.toml``; of a new run both or neither."""
        try:
            self.write(checkpoint)
            text = config_toml(checkpoint.config, checkpoint.text, checkpoint.sources)
            write_atomically(self.path / CONFIG_FILE, text.encode())
        except BaseException:
            for name in FILES if new else ():
                with suppress(OSError):
                    (self.path / name).unlink(missing_ok=True)
            raise

    def keep(
        self,
        config: TrainConfig,
        weights: dict[str, Array],
        training: dict[str, Any],
        pace: Pace,
    ) -> None:
        """Let this be the model of the run, with the next ``write``."""
        self._model = ModelFile(
            config=config.network,
            weights=weights,
            passages=self.passages,
            vocabulary=self.dataset.vocabulary,
            fingerprint=self.dataset.fingerprint,
            text=self.dataset.text,
            training={**training, **_of_pace(pace)},
            command=self._command(config, pace),
        )

    def complete(self, config: TrainConfig, pace: Pace) -> None:
        """Let card and ``config.toml`` tell the pace of the whole run, with the next ``write``.

        A model that was kept before the end knows the pace only until then. One that was made at
        another pace, before a crash, is left alone.
        """
        if len(pace.changes) == 1:
            return  # all is known already
        repeated = at_pace(config, pace)
        self._config_toml = config_toml(repeated, self.dataset.text, self.sources)
        try:
            model = self._model or load_model(self.model)
            known = Pace.parse(str(model.training.get("pace")))
        except (ModelFileError, OptionError):
            return
        if known != pace and pace.begins_like(known):
            training = {**model.training, **_of_pace(pace)}
            self._model = replace(model, training=training, command=self._command(config, pace))

    def _command(self, config: TrainConfig, pace: Pace) -> str:
        return repeating_command(at_pace(config, pace), self.dataset.text, self.sources_given)

    def append(self, line: Mapping[str, Any]) -> None:
        """Let this be the next line of the metrics, with the next ``write``."""
        self._lines.append(json.dumps(line) + "\n")
        if self.tensorboard is not None:
            self.tensorboard.add(line)

    def write(self, checkpoint: Checkpoint | None = None) -> None:
        """Write what waits, then the checkpoint if there is one; raises OSError."""
        if self._model is not None:
            save_model(self._model, self.model)
            self._model = None
        if self._config_toml is not None:
            write_atomically(self.path / CONFIG_FILE, self._config_toml.encode())
            self._config_toml = None
        if self._lines:
            append_all(self.path / METRICS_FILE, "".join(self._lines).encode())
            self._lines = []
        if checkpoint is not None:
            started = time.monotonic()
            size = _synced(self.path / METRICS_FILE)
            save_checkpoint(replace(checkpoint, metrics_size=size), self.path / STATE_FILE)
            self.saved_step = checkpoint.steps_done
            self.save_seconds = time.monotonic() - started
        if self.tensorboard is not None:
            self.tensorboard.write()

    def try_to_write(self, checkpoint: Checkpoint | None = None) -> str | None:
        """``write``, but where it fails the reason is kept as ``fault``, and returned."""
        try:
            self.write(checkpoint)
            self.fault = None
        except OSError as error:
            self.fault = f"{error.filename or self.path}: {error.strerror or error}"
        if checkpoint is not None:
            self._saved_at, self._interval = time.monotonic(), SAVE_SECONDS
        return self.fault

    def due(self, save_every: float | None) -> bool:
        """Whether the last state is ``save_every`` seconds old; None: as old as is cheap."""
        if save_every is None:
            save_every = max(self._interval, self.save_seconds / SAVE_SHARE)
        return time.monotonic() - self._saved_at >= save_every

    def cut_metrics(self, checkpoint: Checkpoint) -> None:
        """Remove what was written to the metrics after a state; the run will write it again."""
        self.saved_step = checkpoint.steps_done
        path = self.path / METRICS_FILE
        if path.exists() and path.stat().st_size > checkpoint.metrics_size:
            os.truncate(path, checkpoint.metrics_size)
        if self.tensorboard is not None:
            for point in History(path).update():
                self.tensorboard.add(asdict(point))

    def kept_model(self, config: TrainConfig) -> KeptModel | None:
        """The model in the directory, if it is one of this run: of its text, split and sizes."""
        try:
            model = load_model(self.model)
        except ModelFileError:
            return None
        step, val_loss = model.training.get("steps"), model.training.get("val_loss")
        if (
            model.config != config.network
            or model.vocabulary.characters != self.dataset.vocabulary.characters
            or model.fingerprint.sha256 != self.dataset.fingerprint.sha256
            or model.training.get("val_fraction") != config.val_fraction
            or type(step) is not int
            or type(val_loss) is not (float if config.val_fraction else type(None))
        ):
            return None
        return KeptModel(step, val_loss)


def _of_pace(pace: Pace) -> dict[str, Any]:
    """What a model's card says of the pace of its run."""
    return {"planned_steps": pace.last, "pace": str(pace)}


def check_files(paths: Iterable[Path], error: type[CharLSTMError], *, follow: bool) -> None:
    """Raise ``error`` where one of these exists and is not a file, or a directory to ``follow``.

    A run directory may be of unknown origin. Lines are appended to its metrics, through a link to
    any file of the user, and its state may name a pipe or a device as its text, which has no end.
    """
    harmless = (FileNotFoundError, IsADirectoryError if follow else NotADirectoryError)
    for path in paths:
        try:
            regular_size(path, follow=follow)
        except harmless:
            pass  # reported where it is needed
        except OSError as fault:
            raise error(f"{path}: cannot be used: {fault.strerror}") from fault


def absolute(sources: Sequence[str]) -> list[str]:
    """The sources by their absolute paths; ``-`` stays standard input."""
    return [s if s == "-" else str(Path(located(s)).absolute()) for s in sources]


def _synced(path: Path) -> int:
    """The size of a file, once all of it is on the disk; 0 where there is none."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size
