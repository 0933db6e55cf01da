"""Where runs are kept: the names in a run directory, making a new one, finding a model."""

import os
from collections.abc import Sequence
from pathlib import Path

from charlstm.errors import (
    CharLSTMError,
    CorpusError,
    ModelFileError,
    OptionError,
    TrainingError,
)
from charlstm.files import regular_size

RUNS = Path("runs")
LONGEST_NAME = 100
MODEL_FILE = "model.safetensors"
STATE_FILE = "state.pt"
METRICS_FILE = "metrics.jsonl"
CONFIG_FILE = "config.toml"
MOST_METRICS = 64 << 20  # bytes; half a million lines
LEAST_LINE = 50  # bytes of a line of metrics, which has more than a hundred
# All that lines of metrics are made of, and the zeros that a power cut may leave at their end.
METRICS_BYTES = bytes(range(0x20, 0x7F)) + b"\n\0"


def check_output(output: Path) -> None:
    """Raise OptionError if ``output`` holds anything: nothing that exists is written over."""
    try:
        empty = not output.exists() or not any(output.iterdir())
    except OSError as error:
        raise CharLSTMError(
            f"{output}: cannot be a run directory: {error.strerror}; give another -o"
        ) from error
    if not empty:
        there = (output / STATE_FILE).exists()
        resume = f", or go on with it: charlstm train --resume {output}" if there else ""
        raise OptionError(f"{output}: exists and is not empty; give another -o{resume}")


def make_run_directory(output: Path | None, corpus_name: str) -> Path:
    """A new, empty run directory: ``output``, or the first free ``runs/<corpus name>[-N]``.

    Raises OptionError for an ``output`` that holds anything, and CharLSTMError where no
    directory can be made.
    """
    if output is not None:
        check_output(output)
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CharLSTMError(
                f"{output}: cannot make this directory: {error.strerror}; give another -o"
            ) from error
        return output
    # A corpus's name may come from a stranger's dataset.
    plain = "".join(c if c.isprintable() and c != os.sep else "-" for c in corpus_name)
    name = plain.lstrip(".")[:LONGEST_NAME] or "corpus"
    number = 1
    while True:
        directory = RUNS / (name if number == 1 else f"{name}-{number}")
        try:
            directory.mkdir(parents=True)
            return directory
        except FileExistsError:
            number += 1
            if not RUNS.is_dir():
                raise CharLSTMError(
                    f"{RUNS}: not a directory; move it away or give -o RUN"
                ) from None
        except OSError as error:
            raise CharLSTMError(
                f"{directory}: cannot make this directory: {error.strerror}; give -o RUN"
            ) from error


def check_run(directory: Path) -> None:
    """Raise TrainingError where a file that a resumed run reads or writes is not a file.

    The directory may have come from a stranger, and lines are appended to the metrics: through
    a link they would go to any file of ours.
    """
    for name in (STATE_FILE, METRICS_FILE, MODEL_FILE):
        try:
            size = regular_size(directory / name, follow=False)
            if name == METRICS_FILE:
                _check_metrics(directory / name, size)
        except (FileNotFoundError, NotADirectoryError):
            pass  # said where it is needed
        except OSError as error:
            raise TrainingError(f"{directory / name}: cannot be used: {error.strerror}") from error


def _check_metrics(path: Path, size: int) -> None:
    """Raise TrainingError for metrics that no run wrote, and that it would take long to read."""
    data = b"" if size > MOST_METRICS else path.read_bytes()
    strange = data.translate(None, METRICS_BYTES)
    if size > MOST_METRICS or strange or data.count(b"\n") * LEAST_LINE > size:
        raise TrainingError(f"{path}: not the metrics of a run; move it away")


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
    found = [
        (path.stat().st_mtime_ns, path)
        for path in RUNS.glob(f"*/{MODEL_FILE}")
        if path.is_file() and not path.is_symlink()
    ]
    if not found:
        raise ModelFileError(
            f"no model under {RUNS}/; make one with charlstm train CORPUS, or name one with -m"
        )
    return max(found)[1]
