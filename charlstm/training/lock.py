"""The lock of a run directory: one training at a time, and whether one is at work."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from charlstm.errors import CharLSTMError, TrainingError

LOCK_FILE = ".lock"
LOCK_SECONDS = 0.1  # that a lock is waited for: ``is_at_work`` holds one for a moment


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep every other training out of ``directory``; the system ends the lock with the process.

    Raises TrainingError where another one has it, and CharLSTMError where none can be had.
    """
    lock = FileLock(directory / LOCK_FILE, timeout=LOCK_SECONDS)
    try:
        lock.acquire(poll_interval=LOCK_SECONDS / 10)
    except Timeout as error:
        raise TrainingError(f"{directory}: another training is at work here", "locked") from error
    except OSError as error:
        raise CharLSTMError(
            f"{directory}: cannot be locked: {error.strerror}; a run needs a directory that it "
            f"can write to"
        ) from error
    try:
        yield
    finally:
        lock.release()


def is_at_work(directory: Path) -> bool:
    """Whether a training holds the lock of ``directory``; nothing is written for this."""
    try:
        lock = os.open(directory / LOCK_FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # closing the file ends it
    except BlockingIOError:
        return True
    except OSError:  # of a file system without locks
        return False
    finally:
        os.close(lock)
    return False
