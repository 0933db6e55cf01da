"""Which model or run a name means, and the list of models below the working directory."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from charlstm.checks import require_path
from charlstm.errors import CharLSTMError, ModelFileError, OptionError
from charlstm.files import MODEL_FILE, STATE_FILE
from charlstm.model.model_file import Card, load_card

RUNS = Path("runs")
BUNDLED = Path(__file__).parents[1] / "bundled"
BASE_MODEL = "english"  # which a training may begin from
DEFAULT_MODEL = "shakespeare"  # which writes where nothing is trained
METRICS_FILE = "metrics.jsonl"
CONFIG_FILE = "config.toml"


def find_model(name: str | None) -> Path:
    """The model file that ``name`` means: a file, a run directory, or the name of a bundled model.

    A file or a run of that name comes before a bundled model. None means the newest run, or if
    there is none, DEFAULT_MODEL. Raises ModelFileError if there is no such model.
    """
    if name is not None:
        if not name:
            raise OptionError("the model has an empty name; is a variable of the shell unset?")
        path, bundled = Path(name), bundled_models().get(name)
        if bundled is not None and not (path.is_file() or (path / MODEL_FILE).is_file()):
            return bundled
        if not os.path.isdir(name):  # noqa: PTH112 (False for a name that is too long)
            return path
        model = path / MODEL_FILE
        if model.is_symlink():  # a directory of unknown origin may have links to any file
            raise ModelFileError(f"{model}: is a symbolic link; name the file that it leads to")
        if model.is_file():
            return model
        raise ModelFileError(f"{name}: no {MODEL_FILE} in this directory; name a run or a file")
    found = _newest([MODEL_FILE]) or [*filter(None, [bundled_models().get(DEFAULT_MODEL)])]
    if not found:
        raise ModelFileError(f"no model under {RUNS}/", "no model")
    return found[-1]


def bundled_models() -> dict[str, Path]:
    """The files of the models that come with the program, by name."""
    return {path.stem: path for path in sorted(BUNDLED.glob("*.safetensors"))}


def bundled_name(path: Path | None) -> str | None:
    """The name of the bundled model in this file, None if it is no bundled model."""
    return path.stem if path is not None and path.parent == BUNDLED else None


def _newest(names: Sequence[str]) -> list[Path]:
    """The files of these names in all runs below the working directory, the newest last."""
    found = []
    for path in (path for name in names for path in RUNS.glob(f"*/{name}")):
        with suppress(OSError):  # the run may not be readable, or was just removed
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                found.append((status.st_mtime_ns, path))
    return [path for _, path in sorted(found)]


def find_metrics(run: str | os.PathLike[str] | None) -> Path:
    """The metrics of a run, of which ``run`` is the directory or the file itself.

    None means the newest run. A run that has just begun has no such file yet. Raises CharLSTMError
    if there is no such run.
    """
    if run is None:
        found = _newest((METRICS_FILE, STATE_FILE))
        if not found:
            raise CharLSTMError(f"no run under {RUNS}/", "no run")
        return found[-1].parent / METRICS_FILE
    name = require_path("run", run)
    if not name:
        raise OptionError("the run has an empty name; is a variable of the shell unset?")
    path = Path(name)
    if not os.path.lexists(name):
        raise CharLSTMError(f"{name}: no such run", "no run")
    if not os.path.isdir(name):  # noqa: PTH112 (False for a link that cannot be followed)
        return path
    if any(os.path.lexists(path / file) for file in (METRICS_FILE, STATE_FILE)):
        return path / METRICS_FILE
    raise CharLSTMError(f"{name}: no {METRICS_FILE} in this directory; name a run")


@dataclass(frozen=True)
class ListedModel:
    """A model and its card; a damaged model has a ``fault`` instead of a card."""

    name: str  # the run directory or the name of a bundled model, which ``load`` takes
    modified: float  # seconds since 1970
    size: int  # bytes of all files of the run
    card: Card | None
    fault: str | None = None
    bundled: bool = False


def list_models() -> Iterator[ListedModel]:
    """The bundled models, and those of all runs below the working directory, the newest last.

    Weights are not read. A model that is removed in the meantime is left out.
    """
    for name, path in bundled_models().items():
        with suppress(OSError):
            yield _listed(name, path, [path], bundled=True)
    for path in _newest([MODEL_FILE]):
        with suppress(OSError):
            files = [child for child in path.parent.iterdir() if not child.is_dir()]
            yield _listed(str(path.parent), path, files, bundled=False)


def _listed(name: str, path: Path, files: Sequence[Path], *, bundled: bool) -> ListedModel:
    """A model with its card, or with what is wrong with it; OSError where it is gone."""
    card, fault = None, None
    try:
        card = load_card(path)
    except ModelFileError as error:
        fault = str(error)
    size = sum(file.lstat().st_size for file in files)
    return ListedModel(name, path.stat().st_mtime, size, card, fault, bundled)
