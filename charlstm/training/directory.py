"""The run directory of a training: made, locked, and cleared of what a killed one left there.

Which files a run has is said in ``charlstm.model.locate``; what goes into them is not known here.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from charlstm.errors import CharLSTMError, OptionError, TrainingError
from charlstm.files import MODEL_FILE, STATE_FILE, leftovers, sync_directory
from charlstm.model.locate import CONFIG_FILE, METRICS_FILE, RUNS

LOCK_FILE = ".lock"
LONGEST_NAME = 100
FILES = (MODEL_FILE, STATE_FILE, METRICS_FILE, CONFIG_FILE)


def check_output(output: Path) -> None:
    """Raise OptionError if ``output`` holds anything: nothing that exists is written over.

    What a training leaves that was killed before it had a state is nothing.
    """
    try:
        found = set(output.iterdir()) if output.exists() else set()
        empty = not found - {output / LOCK_FILE, *leftovers_in(output)}
    except OSError as error:
        raise CharLSTMError(
            f"{output}: cannot be a run directory: {error.strerror}; give another -o"
        ) from error
    if not empty:
        there = (output / STATE_FILE).exists()
        resume = f", or go on with it: charlstm train --resume {output}" if there else ""
        raise OptionError(f"{output}: exists and is not empty; give another -o{resume}")


@contextmanager
def new_run(output: Path | None, corpus_name: str) -> Iterator[Path]:
    """A new, empty, locked directory: ``output``, or the first free ``runs/<corpus name>[-N]``.

    If the block fails before there is a state, the directory is left as it was found. Raises
    OptionError for an ``output`` that holds anything, TrainingError where another training is
    faster, and CharLSTMError where no directory can be made.
    """
    made = output is None or not output.exists()
    directory = _next_run(corpus_name) if output is None else _made(output)
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


@contextmanager
def whole_or_nothing(directory: Path | None) -> Iterator[None]:
    """Take back what the block wrote into a new run directory, if it does not come to its end."""
    try:
        yield
    except BaseException:
        if directory is not None:
            for name in FILES:
                with suppress(OSError):
                    (directory / name).unlink(missing_ok=True)
        raise


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep every other training out of ``directory``; the system ends the lock with the process.

    Raises TrainingError where another one has it, and CharLSTMError where none can be had.
    """
    lock = FileLock(directory / LOCK_FILE, blocking=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise TrainingError(
            f"{directory}: another charlstm train is at work here; wait for it to end, or give "
            f"another -o"
        ) from error
    except OSError as error:
        raise CharLSTMError(
            f"{directory}: cannot be locked: {error.strerror}; a run needs a directory that it "
            f"can write to"
        ) from error
    try:
        yield
    finally:
        lock.release()


def clear(directory: Path) -> None:
    """Remove ``leftovers_in`` the directory; the lock must be held."""
    for path in leftovers_in(directory):
        with suppress(OSError):
            path.unlink()


def leftovers_in(directory: Path) -> list[Path]:
    """The unfinished files of a training that was killed."""
    return [path for name in FILES for path in leftovers(directory / name)]


def _made(output: Path) -> Path:
    check_output(output)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CharLSTMError(
            f"{output}: cannot make this directory: {error.strerror}; give another -o"
        ) from error
    return output


def _next_run(corpus_name: str) -> Path:
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
