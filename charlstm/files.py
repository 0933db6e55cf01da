"""Files read and written with care: what may be opened, and writing all of a file or nothing.

A reader of what is written here sees the old content or the new, never a part of it.
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

MODEL_FILE = "model.safetensors"  # of a run,
STATE_FILE = "state.safetensors"  # and what it can be resumed from
TEMPORARY = ".tmp"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what a disk without room answers


def regular_size(path: Path, *, follow: bool) -> int:
    """The size of the regular file ``path`` in bytes; OSError for whatever else stands there.

    A pipe would keep us waiting and a device may have no end. A link that the user names is for
    ``follow``; inside a directory, which may be a stranger's, it could lead to any file that we
    may read or append to.
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
    """Open a temporary file beside ``path`` that takes its place when the block ends well.

    The data is on the disk before the name changes, and the name before this returns (fsync of
    file and directory). On any failure the temporary file is removed and ``path`` is untouched.
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
            error.filename = str(path)  # a full disk does not say what did not fit
        raise
    sync_directory(path.parent)


def write_atomically(path: Path, data: bytes | memoryview) -> None:
    """Put ``data`` into ``path``, all of it or none (see ``atomic_file``)."""
    with atomic_file(path) as file:
        file.write(data)


@contextmanager
def temporary_space() -> Iterator[None]:
    """Let the error of a full disk name the directory of temporary files, which have no names."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in FULL:
            error.filename = f"{tempfile.gettempdir()} (or what TMPDIR names)"
        raise


def leftovers(path: Path) -> list[Path]:
    """The temporary files that writers of ``path`` left, killed before they could remove them."""
    return sorted(path.parent.glob(f".{glob.escape(path.name)}.*{TEMPORARY}"))


def current_umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def sync_directory(path: Path) -> None:
    """Make a rename in the directory ``path`` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
