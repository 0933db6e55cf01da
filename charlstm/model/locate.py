"""Which model or run a name means. No numpy is imported, since completion in a shell asks here."""

import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from charlstm.checks import require_path
from charlstm.errors import CharLSTMError, ModelFileError, OptionError
from charlstm.files import MODEL_FILE, STATE_FILE

RUNS = Path("runs")
BUNDLED = Path(__file__).parents[1] / "bundled"
BASE_MODEL = "english"  # which a training may begin from
DEFAULT_MODEL = "shakespeare"  # which writes where nothing is trained
METRICS_FILE = "metrics.jsonl"
CONFIG_FILE = "config.toml"
RUN_FILES = (MODEL_FILE, STATE_FILE, METRICS_FILE)  # a run has one of them at least
MOST_LISTED = 8  # names of models in a message


def find_model(name: str | None) -> Path:
    """The model file that ``name`` means.

    That is a file or a run directory, or else a bundled model of this name, or else the run of this
    name under RUNS. None means the newest run, or if there is none, DEFAULT_MODEL. Raises
    ModelFileError if there is no such model.
    """
    bundled = bundled_models()
    if name is None:
        found = newest_files([MODEL_FILE]) or [*filter(None, [bundled.get(DEFAULT_MODEL)])]
        if not found:
            raise ModelFileError(f"no model under {RUNS}/", "no model")
        return found[-1]
    if not name:
        raise OptionError("the model has an empty name; is a variable of the shell unset?")
    path = _path_of(name, [MODEL_FILE])
    if path is None:
        if name in bundled:
            return bundled[name]
        path = run_directories().get(name, Path(name))
    if not os.path.lexists(path):
        known = {**bundled, **run_directories()}
        raise ModelFileError(f"{name}: no such model; {_meant(name, known)}")
    if not os.path.isdir(path):  # noqa: PTH112 (False for a link that cannot be followed)
        return path
    model = path / MODEL_FILE
    if model.is_symlink():  # a directory of unknown origin may have links to any file
        raise ModelFileError(f"{model}: is a symbolic link; name the file that it leads to")
    if model.is_file():
        return model
    raise ModelFileError(f"{path}: no {MODEL_FILE} in this directory; name a run or a file")


def find_run(name: str | os.PathLike[str]) -> Path:
    """The path that ``name`` means: a run directory or a file, or else the run under RUNS.

    Raises CharLSTMError if there is nothing of this name.
    """
    name = require_path("run", name)
    if not name:
        raise OptionError("the run has an empty name; is a variable of the shell unset?")
    runs = run_directories()
    path = _path_of(name, RUN_FILES) or runs.get(name, Path(name))
    if os.path.lexists(path):
        return path
    if not runs:
        raise CharLSTMError(f"{name}: no such run", "no run")
    raise CharLSTMError(f"{name}: no such run; {_meant(name, runs)}")


def _path_of(name: str, files: Sequence[str]) -> Path | None:
    """``name`` as a path, if that is a file, or a directory with one of these files."""
    path = Path(name)
    if os.path.isdir(name) or not os.path.lexists(name):  # noqa: PTH112 (False for a long name)
        return path if any(os.path.lexists(path / file) for file in files) else None
    return path


def _meant(name: str, known: Mapping[str, Path]) -> str:
    """Which of the ``known`` models or runs is perhaps meant by ``name``, or which there are."""
    from difflib import get_close_matches

    names = {key: bundled_name(path) or str(path) for key, path in known.items()}
    wanted = Path(name).stem  # play.txt is a text, and play the run on it
    if close := get_close_matches(wanted, names, n=1) or get_close_matches(name, names, n=1):
        return f"did you mean {names[close[0]]}?"
    shown = ", ".join([*names.values()][:MOST_LISTED])
    more = len(names) - MOST_LISTED
    return f"there are {shown} and {more} more" if more > 0 else f"there are {shown}"


def bundled_models() -> dict[str, Path]:
    """The files of the models that come with the program, by name."""
    return {path.stem: path for path in sorted(BUNDLED.glob("*.safetensors"))}


def bundled_name(path: Path | None) -> str | None:
    """The name of the bundled model in this file, None if it is no bundled model."""
    return path.stem if path is not None and path.parent == BUNDLED else None


def newest_files(names: Sequence[str]) -> list[Path]:
    """The files of these names in all runs below the working directory, the newest last."""
    found = []
    for path in (path for name in names for path in RUNS.glob(f"*/{name}")):
        with suppress(OSError):  # the run may not be readable, or was just removed
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                found.append((status.st_mtime_ns, path))
    return [path for _, path in sorted(found)]


def run_directories(files: Sequence[str] = RUN_FILES) -> dict[str, Path]:
    """The runs below the working directory that have one of these files, by name."""
    return {
        path.name: path
        for path in sorted(RUNS.glob("*/"))
        if any(os.path.lexists(path / file) for file in files)
    }


def model_names() -> list[str]:
    """The names that ``load`` takes: those of bundled models, and of the runs that have a model."""
    return [*bundled_models(), *_names_of(MODEL_FILE)]


def run_names() -> list[str]:
    """The names of the runs that have losses, or a state to go on from."""
    return _names_of(METRICS_FILE, STATE_FILE)


def _names_of(*files: str) -> list[str]:
    """The runs with one of these files: by their names, unless these mean something else."""
    bundled = bundled_models()
    return [
        str(path) if name in bundled or os.path.lexists(name) else name
        for name, path in run_directories(files).items()
    ]


def find_metrics(run: str | os.PathLike[str] | None) -> Path:
    """The metrics of a run, which ``run`` means as ``find_run`` says, or a file of metrics itself.

    None means the newest run. A run that has just begun has no such file yet. Raises CharLSTMError
    if there is no such run.
    """
    if run is None:
        found = newest_files((METRICS_FILE, STATE_FILE))
        if not found:
            raise CharLSTMError(f"no run under {RUNS}/", "no run")
        return found[-1].parent / METRICS_FILE
    path = find_run(run)
    if not os.path.isdir(path):  # noqa: PTH112 (False for a link that cannot be followed)
        return path
    if any(os.path.lexists(path / file) for file in (METRICS_FILE, STATE_FILE)):
        return path / METRICS_FILE
    raise CharLSTMError(f"{path}: no {METRICS_FILE} in this directory; name a run")
