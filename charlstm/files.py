"""Files read and written safely: which files may be opened, and writing a file atomically.

Another program that reads a file written here finds the old content or the new, never a part.
"""

import errno
import glob
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

MODEL_FILE = "model.safetensors"  # the model of a run
STATE_FILE = "state.safetensors"  # the checkpoint from which a run is resumed
TEMPORARY = ".tmp"
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
    """
    try:
        descriptor, name = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=TEMPORARY, dir=path.parent
        )
    except OSError as error:
        error.filename = str(path)
        raise
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), 0o666 & ~current_umask())
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException as error:
        with suppress(OSError):
            Path(name).unlink()
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a failed write has no file name
        raise
    sync_directory(path.parent)


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
    """The temporary files of processes that were killed while they wrote ``path``."""
    return sorted(path.parent.glob(f".{glob.escape(path.name)}.*{TEMPORARY}"))


def current_umask() -> int:
    """The process's file mode mask; it can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def sync_directory(path: Path) -> None:
    """Write a rename in the directory ``path`` to the disk, so that it survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
