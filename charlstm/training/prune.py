"""What the runs under ``runs/`` no longer need: the state of each that is finished; no torch.

Whether a run is finished is read from its state. Where that cannot be read, the run is kept.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

from charlstm.errors import CharLSTMError, TrainingError
from charlstm.files import MODEL_FILE, STATE_FILE, regular_size, sync_directory
from charlstm.model.locate import RUNS
from charlstm.model.model_file import load_model
from charlstm.training.checkpoint import load_checkpoint
from charlstm.training.lock import LOCK_FILE, locked
from charlstm.training.output import leftovers_in

LINK = "it is a symbolic link, which may lead anywhere; go to where it leads, and prune there"


@dataclass(frozen=True)
class PrunableRun:
    """A run with files that it does not need once it is finished, and the bytes of each.

    ``needed`` says why they must stay; if it is None they may be removed.
    """

    directory: Path
    files: Mapping[Path, int] = field(default_factory=dict)
    needed: str | None = None


def prunable_runs() -> Iterator[PrunableRun]:
    """The runs that have such files, sorted by name."""
    if RUNS.is_symlink():
        yield PrunableRun(RUNS, needed=LINK)
        return
    for directory in sorted(RUNS.glob("*/")):
        if _files(directory):
            yield _examined(directory)


def remove_files(run: PrunableRun) -> None:
    """Remove the files of a run, after it is checked again that they are not needed.

    Raises CharLSTMError where they are needed or cannot be removed.
    """
    directory = run.directory
    with locked(directory):
        needed = _needed(directory)
        if needed is not None:
            raise CharLSTMError(f"{directory}: {needed}")
        try:
            for path in run.files:
                with suppress(FileNotFoundError):
                    path.unlink()
            sync_directory(directory)
        except OSError as error:
            raise CharLSTMError(f"{error.filename or directory}: {error.strerror}") from error


def _examined(directory: Path) -> PrunableRun:
    """What can be removed of a run; where there is no lock, none is made for this."""
    if directory.is_symlink():
        return PrunableRun(directory, needed=LINK)
    try:
        with locked(directory) if (directory / LOCK_FILE).exists() else nullcontext():
            files = {path: path.lstat().st_size for path in _files(directory)}
            return PrunableRun(directory, files, _needed(directory))
    except TrainingError:
        return PrunableRun(directory, needed="a training is at work in it")
    except (CharLSTMError, OSError) as error:
        return PrunableRun(directory, needed=str(error))


def _files(directory: Path) -> list[Path]:
    """The state of a run, and the unfinished files of trainings that were killed."""
    state = directory / STATE_FILE
    return [state] * os.path.lexists(state) + leftovers_in(directory)


def _needed(directory: Path) -> str | None:
    """Why a run may need its state; None if it is finished and its model is sound."""
    for path in (*_files(directory), directory / MODEL_FILE):
        try:
            regular_size(path, follow=False)
        except OSError as error:
            return f"{path.name}: {error.strerror}"
    try:
        load_model(directory / MODEL_FILE)
        if (directory / STATE_FILE).exists():
            state = load_checkpoint(directory / STATE_FILE, tensors=False)
            if not state.finished:
                return f"step {state.steps_done:,} of {state.pace.last:,}; it can still go on"
    except CharLSTMError as error:
        return str(error)
    return None
