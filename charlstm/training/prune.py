"""What runs under ``runs/`` no longer need: the state of one that is finished; no torch.

Whether it is finished is read from its own records: ``config.toml`` says how far it was to go,
``metrics.jsonl`` how far it came.
"""

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

from charlstm.errors import CharLSTMError, ModelFileError, OptionError, TrainingError
from charlstm.files import MODEL_FILE, STATE_FILE, regular_size, sync_directory
from charlstm.model.locate import CONFIG_FILE, METRICS_FILE, RUNS
from charlstm.model.model_file import load_model
from charlstm.options import require_integer, require_number
from charlstm.training.directory import LOCK_FILE, leftovers_in, locked
from charlstm.training.losses import Books
from charlstm.training.record import read_config
from charlstm.untrusted import reason

LONGEST_LINE = 1 << 16  # of metrics
UNSOUND = (ValueError, LookupError, TypeError, OverflowError, RecursionError, OptionError)
LINK = "it is a symbolic link, which may lead anywhere; go to where it leads, and prune there"


@dataclass(frozen=True)
class Candidate:
    """A run with files that it does not need once it is finished, and how many bytes each has.

    ``needed`` says why they must stay; where it is None they may be removed.
    """

    directory: Path
    files: Mapping[Path, int] = field(default_factory=dict)
    needed: str | None = None


def candidates() -> Iterator[Candidate]:
    """The runs that have such files, by name."""
    if RUNS.is_symlink():
        yield Candidate(RUNS, needed=LINK)
        return
    for directory in sorted(RUNS.glob("*/")):
        if _files(directory):
            yield _examined(directory)


def remove(candidate: Candidate) -> None:
    """Remove the files of a candidate, once they are again found not to be needed.

    Raises CharLSTMError where they are, or cannot be removed.
    """
    directory = candidate.directory
    with locked(directory):
        needed = _needed(directory)
        if needed is not None:
            raise CharLSTMError(f"{directory}: {needed}")
        try:
            for path in candidate.files:
                with suppress(FileNotFoundError):
                    path.unlink()
            sync_directory(directory)
        except OSError as error:
            raise CharLSTMError(f"{error.filename or directory}: {error.strerror}") from error


def _examined(directory: Path) -> Candidate:
    """The candidate that a run is; a lock that is not there is not made for that."""
    if directory.is_symlink():
        return Candidate(directory, needed=LINK)
    try:
        with locked(directory) if (directory / LOCK_FILE).exists() else nullcontext():
            files = {path: path.lstat().st_size for path in _files(directory)}
            return Candidate(directory, files, _needed(directory))
    except TrainingError:
        return Candidate(directory, needed="a training is at work in it")
    except (CharLSTMError, OSError) as error:
        return Candidate(directory, needed=str(error))


def _files(directory: Path) -> list[Path]:
    """The state of a run, and what trainings that were killed left unfinished."""
    state = directory / STATE_FILE
    return [state] * os.path.lexists(state) + leftovers_in(directory)


def _needed(directory: Path) -> str | None:
    """Why a run may need its state; None if it is finished and its model is sound."""
    for path in (*_files(directory), directory / MODEL_FILE):
        try:
            regular_size(path, follow=False)
        except OSError as error:
            return f"{path.name}: {error.strerror}"
    name = CONFIG_FILE
    try:
        config = read_config(directory / name)
        for key in ("steps", "patience"):
            require_integer(key, config[key], least=int(key == "steps"))
        name = METRICS_FILE
        done, books = _progress(directory / name)
    except OSError as error:
        return f"{name}: {error.strerror}"
    except UNSOUND as error:
        return f"{name} is not as a run writes it ({reason(error)})"
    if done < config["steps"] and not books.out_of_patience(config["patience"]):
        return f"step {done:,} of {config['steps']:,} in {METRICS_FILE}; it can still go on"
    try:
        load_model(directory / MODEL_FILE)
    except ModelFileError as error:
        return str(error)
    return None


def _progress(path: Path) -> tuple[int, Books]:
    """The last step in the metrics, and the books as the run kept them of its validations."""
    regular_size(path, follow=False)
    done, books = 0, Books()
    with path.open("rb") as file:
        while (line := file.readline(LONGEST_LINE)).endswith(b"\n"):  # not cut by a crash
            row = json.loads(line)
            require_integer("step", row["step"], least=done + 1)
            done = row["step"]
            if "val_loss" in row:
                loss = math.nan if row["val_loss"] is None else row["val_loss"]
                if loss is not math.nan:
                    require_number("val_loss", loss, least=0)
                books.evaluated(done, loss)
    return done, books
