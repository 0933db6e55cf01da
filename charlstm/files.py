"""Files read and written safely: which files may be opened, and writing a file atomically.

Another program that reads a file written here finds the old content or the new, never a part.
"""

import errno
import fcntl
import glob
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

MODEL_FILE = "model.safetensors"  # the model of a run
STATE_FILE = "state.safetensors"  # the checkpoint from which a run is resumed
TEMPORARY, HEX_DIGITS = ".tmp", 8  # of a temporary name, .NAME.0123abcd.tmp
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the errors of a disk without room


def regular_size(path: Path, *, follow: bool) -> int:
    """The size of the regular file ``path`` in bytes; OSError if it is anything else.

    A pipe may never have content, and a device may have no end. ``follow`` is for links that the
    user names. Links inside a directory are not followed: the directory may come from another
    person, and its links may lead to any of the user's files.
    """
    found = path.stat() if follow else path.lstat()
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFLNK:
        raise OSError(errno.ELOOP, "is a symbolic link; put the file itself there")
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, "is a directory")
    if kind != stat.S_IFREG:
        raise OSError(errno.EINVAL, "is a pipe or a device, not a file")
    return found.st_size


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path``, which is renamed to ``path`` when the block ends.

    The data is on the disk before the file is renamed, and the new name before this returns (fsync
    of file and directory). After any error the temporary file is removed and ``path`` is unchanged.
    A file that is replaced gives its permissions to the new one.
    """
    mode = _permissions(path)
    with _temporary(path, partial(_new_file, mode=mode)) as (_, descriptor):
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            if mode is not None:
                os.fchmod(descriptor, mode)  # before there is anything to read
            yield file
        os.fsync(descriptor)


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """A new directory with a temporary name, which is renamed to ``path`` when the block ends.

    After any error it is removed, with all that it holds.
    """
    with _temporary(path, _new_directory) as (directory, _):
        yield directory


def write_atomically(path: Path, data: bytes | memoryview) -> None:
    """Write ``data`` to ``path`` by ``atomic_file``."""
    with atomic_file(path) as file:
        file.write(data)


def append_all(path: Path, data: bytes) -> None:
    """Append all of ``data`` or none of it; never through a link, which may lead anywhere."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    size = os.fstat(descriptor).st_size
    try:
        if os.write(descriptor, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        os.ftruncate(descriptor, size)
        error.filename = str(path)
        raise
    finally:
        os.close(descriptor)


@contextmanager
def temporary_space() -> Iterator[None]:
    """Add the directory of temporary files, which have no names, to the error of a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in FULL:
            error.filename = f"{tempfile.gettempdir()} (or what TMPDIR names)"
        raise


def leftovers(path: Path) -> list[Path]:
    """What has a temporary name of ``path``: of a process that was killed, or that is at work."""
    name = f".{glob.escape(path.name)}.{'[0-9a-f]' * HEX_DIGITS}{TEMPORARY}"
    return sorted(path.parent.glob(name))


def sweep(path: Path) -> None:
    """Remove what processes that were killed while they wrote ``path`` have left beside it.

    A living process holds a lock on what it writes, and the system ends the lock with the process.
    Where the file system has no locks, nothing is removed.
    """
    for left in leftovers(path):
        with suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(left)
            finally:
                os.close(descriptor)


@contextmanager
def _temporary(path: Path, make: Callable[[Path], int]) -> Iterator[tuple[Path, int]]:
    """What ``make`` makes under a temporary name, with its descriptor; renamed to ``path``.

    An error that is not about another file names ``path``.
    """
    sweep(path)
    beginning = str(path.with_name(f".{path.name}."))
    try:
        temporary, descriptor = _made_and_locked(beginning, make)
        try:
            yield temporary, descriptor
            temporary.replace(path)
        except BaseException:
            _remove(temporary)
            raise
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.filename is None or str(error.filename).startswith(beginning):
            error.filename = str(path)  # a failed write has no file name
        raise
    sync_directory(path.parent)


def _made_and_locked(beginning: str, make: Callable[[Path], int]) -> tuple[Path, int]:
    """A new file or directory whose name begins like this, and its descriptor with a lock."""
    while True:
        temporary = Path(f"{beginning}{os.urandom(HEX_DIGITS // 2).hex()}{TEMPORARY}")
        descriptor = make(temporary)
        with suppress(OSError):  # of a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if temporary.exists():
            return temporary, descriptor
        os.close(descriptor)  # another process has swept it before it was locked


def _new_file(path: Path, mode: int | None) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode)


def _new_directory(path: Path) -> int:
    path.mkdir()
    return os.open(path, os.O_RDONLY)


def _permissions(path: Path) -> int | None:
    """The permissions of the file ``path``, None where there is no file."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_mode & 0o777 if stat.S_ISREG(status.st_mode) else None


def _remove(path: Path) -> None:
    """Remove a file, or a directory with all that it holds, if that can be done."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def sync_directory(path: Path) -> None:
    """Write a rename in the directory ``path`` to the disk, so that it survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
