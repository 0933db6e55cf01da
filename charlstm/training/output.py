"""The directory of a new run: chosen, made and locked, and left as found if nothing comes of it.

Free of torch.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from charlstm.errors import CharLSTMError, OptionError
from charlstm.files import MODEL_FILE, STATE_FILE, leftovers, sweep, sync_directory
from charlstm.model.locate import CONFIG_FILE, METRICS_FILE, RUNS
from charlstm.training.lock import LOCK_FILE, locked

LONGEST_NAME = 100
FILES = (MODEL_FILE, STATE_FILE, METRICS_FILE, CONFIG_FILE)


def check_output(output: Path) -> None:
    """Raise OptionError if ``output`` holds anything: nothing that exists is written over.

    What a killed training left before it had a state does not count.
    """
    try:
        found = set(output.iterdir()) if output.exists() else set()
        empty = not found - {output / LOCK_FILE, *leftovers_in(output)}
    except OSError as error:
        raise _no_directory(output, error) from error
    if not empty:
        code = "run exists" if (output / STATE_FILE).exists() else "output"
        raise OptionError(f"{output}: exists and is not empty", code=code, directory=output)


@contextmanager
def new_run(output: Path | None, corpus_name: str) -> Iterator[Path]:
    """A new, empty, locked directory: ``output``, or the first free ``runs/<corpus name>[-N]``.

    If the block fails before there is a state, the directory is left as it was found. Raises
    OptionError for an ``output`` that holds anything, TrainingError where another training is
    faster, and CharLSTMError where no directory can be made.
    """
    if output is not None:
        check_output(output)
    made = output is None or not output.exists()
    directory = _made(output, corpus_name)
    with locked(directory):
        try:
            check_output(directory)
            clear(directory)
            sync_directory(directory.parent)
            yield directory
        except BaseException:
            if not (directory / STATE_FILE).exists():
                with suppress(OSError):
                    (directory / LOCK_FILE).unlink()
                    if made:
                        directory.rmdir()
            raise


def clear(directory: Path) -> None:
    """Remove ``leftovers_in`` the directory; the lock must be held."""
    for name in FILES:
        sweep(directory / name)


def leftovers_in(directory: Path) -> list[Path]:
    """The unfinished files of a training that was killed."""
    return [path for name in FILES for path in leftovers(directory / name)]


def _made(output: Path | None, corpus_name: str) -> Path:
    """``output``, or the first new directory below RUNS with the name of the corpus."""
    # The name of a corpus may come from a dataset of unknown origin.
    plain = "".join(c if c.isprintable() and c != os.sep else "-" for c in corpus_name)
    name = plain.lstrip(".")[:LONGEST_NAME] or "corpus"
    for number in count(1):
        directory = output or RUNS / (name if number == 1 else f"{name}-{number}")
        try:
            directory.mkdir(parents=True, exist_ok=output is not None)
            break
        except OSError as error:
            if output or not (isinstance(error, FileExistsError) and RUNS.is_dir()):
                raise _no_directory(directory, error) from error
    return directory


def _no_directory(directory: Path, error: OSError) -> CharLSTMError:
    return CharLSTMError(f"{directory}: cannot be a run directory: {error.strerror}", "output")
