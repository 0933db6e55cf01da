"""Where runs are kept: the names in a run directory, and which model is meant."""

import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from charlstm.errors import CorpusError, ModelFileError, OptionError, TrainingError
from charlstm.files import MODEL_FILE, STATE_FILE, regular_size
from charlstm.model.model_file import Card, load_card

RUNS = Path("runs")
METRICS_FILE = "metrics.jsonl"
CONFIG_FILE = "config.toml"


def check_run(directory: Path) -> None:
    """Raise TrainingError where a file that a resumed run reads or writes is not a file.

    The directory may have come from a stranger, and lines are appended to the metrics: through
    a link they would go to any file of ours.
    """
    for name in (STATE_FILE, METRICS_FILE, MODEL_FILE):
        try:
            regular_size(directory / name, follow=False)
        except (FileNotFoundError, NotADirectoryError):
            pass  # said where it is needed
        except OSError as error:
            raise TrainingError(f"{directory / name}: cannot be used: {error.strerror}") from error


def check_recorded(places: Sequence[str]) -> None:
    """Raise CorpusError where a state names a pipe or a device as its text.

    They may have no end, or nobody who writes, and the state may be a stranger's.
    """
    for place in places:
        try:
            if place != "-":
                regular_size(Path(place), follow=True)
        except (FileNotFoundError, IsADirectoryError):
            pass
        except OSError as error:
            raise CorpusError(f"{place}: {error.strerror}") from error


def find_model(place: str | None) -> Path:
    """The model file that is meant by a file, a run directory, or nothing: the newest run's.

    Raises ModelFileError where there is none.
    """
    if place is not None:
        if not place:
            raise OptionError("the model has an empty name; is a variable of the shell unset?")
        path = Path(place)
        if not path.is_dir():
            return path
        model = path / MODEL_FILE
        if model.is_symlink():  # the directory may be a stranger's, and the link lead anywhere
            raise ModelFileError(f"{model}: is a symbolic link; name the file that it leads to")
        if model.is_file():
            return model
        raise ModelFileError(f"{place}: no {MODEL_FILE} in this directory; name a run or a file")
    found = model_files()
    if not found:
        raise ModelFileError(
            f"no model under {RUNS}/; make one with charlstm train CORPUS, or name one with -m"
        )
    return found[-1]


def model_files() -> list[Path]:
    """The model files of all runs, the newest last."""
    found = []
    for path in RUNS.glob(f"*/{MODEL_FILE}"):
        with suppress(OSError):  # of a run that is closed to us, or was just removed
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                found.append((status.st_mtime_ns, path))
    return [path for _, path in sorted(found)]


@dataclass(frozen=True)
class ListedModel:
    """A model and what is known of it; one that is damaged has a ``fault`` in place of a card."""

    name: str  # what -m takes
    path: Path
    modified: float  # when it was written, in seconds since 1970
    size: int  # bytes of all files of its run
    card: Card | None
    fault: str | None = None


def list_models() -> Iterator[ListedModel]:
    """The models of all runs below the working directory, the newest last.

    One that is removed meanwhile is left out.
    """
    for path in model_files():
        with suppress(OSError):
            card, fault = None, None
            try:
                card = load_card(path)
            except ModelFileError as error:
                fault = str(error)
            modified = path.stat().st_mtime
            yield ListedModel(str(path.parent), path, modified, _size(path.parent), card, fault)


def _size(directory: Path) -> int:
    """The bytes of the files in a run directory, links not followed."""
    return sum(path.lstat().st_size for path in directory.iterdir() if not path.is_dir())
