"""The files that a corpus is made of, and its name. No file is opened here."""

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from charlstm.errors import OptionError
from charlstm.files import MODEL_FILE, STATE_FILE
from charlstm.options import shown

TEXT_FILES = "*.txt"
LONGEST_GLOB = 1000  # characters
LISTED = 2  # files that a message names, of many


def check_glob(glob: object) -> None:
    """Raise OptionError for a pattern that no file's name can match, or that is no text."""
    if not isinstance(glob, str) or not 0 < len(glob) <= LONGEST_GLOB or "\0" in glob:
        raise OptionError(
            f"is {shown(glob)}; it must be a pattern of file names, like *.txt", "glob"
        )
    if not glob.isprintable():
        raise OptionError(f"is {shown(glob)}; give a pattern of printable characters", "glob")
    if "/" in glob:
        raise OptionError(
            f"is {shown(glob)}; it is compared with the names of files, which have no /; name the "
            f"directory, and give a pattern like *.py",
            "glob",
        )


def files_below(directory: Path, glob: str = TEXT_FILES) -> list[Path]:
    """All files below ``directory`` whose names match ``glob``, sorted by name on every level.

    Hidden files and directories are left out, and so are run directories, since a training may
    be writing to them. Links are followed, and each directory is read once, even where several
    links lead to it. Raises OSError where a directory cannot be read.
    """
    found: list[Path] = []
    read: set[tuple[int, int]] = set()
    waiting = [directory]  # in reverse order; a stack, for directories may lie very deep
    while waiting:
        path = waiting.pop()
        if not path.is_dir():
            if fnmatchcase(path.name, glob) and path.is_file():
                found.append(path)
            continue
        status = path.stat()
        if (status.st_dev, status.st_ino) in read:
            continue
        read.add((status.st_dev, status.st_ino))
        inside = {child.name: child for child in path.iterdir()}
        if path == directory or not {MODEL_FILE, STATE_FILE} & inside.keys():
            waiting += [inside[name] for name in sorted(inside, reverse=True) if name[0] != "."]
    return found


def corpus_name(sources: Sequence[str], first: Path, *, in_files: bool) -> str:
    """A short name for runs and cards: the name of the file or directory.

    Several sources are named after the directory that they have in common. Where there is none,
    the name is that of the first source with ``+N`` for N more. ``first`` is the first file that
    is read; ``in_files`` says that no source is a stream.
    """
    common = _common_directory(sources) if in_files and len(sources) > 1 else None
    if common is not None:
        name = common.name
    elif sources[0] == "-":
        name = "stdin"
    elif Path(sources[0]).is_dir():
        name = Path(sources[0]).resolve().name
    else:
        name = first.stem
    if common is None and len(sources) > 1:
        name += f"+{len(sources) - 1}"
    return os.fsencode(name).decode("utf-8", "replace")  # it is written to files in UTF-8


def _common_directory(sources: Sequence[str]) -> Path | None:
    """The directory that holds all ``sources``, if the user meant it.

    Files in scattered directories have the working directory, or one above it, in common, and
    nobody meant that.
    """
    paths = [Path(source) for source in sources]
    directories = {(path if path.is_dir() else path.parent).resolve() for path in paths}
    common = Path(os.path.commonpath(directories))
    scattered = len(directories) > 1 and Path.cwd().is_relative_to(common)
    return common if common.name and not scattered else None


def listed(names: Sequence[str]) -> str:
    """The names for a message: all, or the first and how many more.

    >>> listed(["a.txt", "b.txt"]), listed(["a.txt", "b.txt", "c.txt", "d.txt"])
    ('a.txt, b.txt', 'a.txt, b.txt and 2 other files')
    """
    if len(names) <= LISTED + 1:
        return ", ".join(names)
    return f"{', '.join(names[:LISTED])} and {len(names) - LISTED} other files"
