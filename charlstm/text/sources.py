"""Which files a corpus is made of, and what the corpus is called. No file is opened here."""

import os
import re
import shlex
from collections.abc import Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from itertools import chain, count
from pathlib import Path

from charlstm.checks import shown
from charlstm.errors import CorpusError, OptionError
from charlstm.files import MODEL_FILE, STATE_FILE

STDIN = "standard input"  # its name in messages
PACKED = (".gz", ".bz2", ".xz")  # what the names of packed files end with
ADDRESS = re.compile("[a-z][a-z0-9+.-]*://.+", re.IGNORECASE)

Sources = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

LONGEST_GLOB = 1000  # characters
LISTED = 2  # how many of many files a message names
IDS_FILE, DESCRIPTION_FILE = "ids.bin", "dataset.json"  # of a dataset
CATALOGUE_NAME = re.compile("[a-z][a-z0-9-]*")


def source_names(sources: Sources) -> list[str]:
    """The names of one or several sources as texts; OptionError for anything that is no name."""
    several = [sources] if isinstance(sources, str | os.PathLike) else sources
    try:
        return [os.fsdecode(source) for source in several]
    except TypeError as error:
        fault = f"is {shown(sources)}; it must be a text, a path or a list of them"
        raise OptionError(fault, "sources") from error


def is_dataset(source: str) -> bool:
    """Whether ``source`` is a directory that has the files of a dataset."""
    files = [Path(source) / name for name in (DESCRIPTION_FILE, IDS_FILE)]
    with suppress(OSError):  # for example a name that is too long
        return source != "-" and all(file.is_file() for file in files)
    return False


def is_catalogue_name(source: str) -> bool:
    """Whether a source can only be the name of a text in the catalogue.

    Anything that exists under this name is meant first, and ``./macbeth`` is always a path.
    """
    return bool(CATALOGUE_NAME.fullmatch(source)) and not os.path.lexists(source)


def located(source: str) -> str:
    """The path of a source: of a text in the catalogue that of its file, else the source itself.

    Nothing is downloaded: raises CorpusError for a text that is not on this machine.
    """
    if not is_catalogue_name(source):
        return source
    from charlstm.text.catalogue import catalogue

    text = catalogue().get(source)
    if text is not None and not text.is_present():
        raise not_cached(source)
    return source if text is None else str(text.path)


def not_cached(name: str) -> CorpusError:
    """The error for a text of the catalogue that is not on this machine."""
    return CorpusError(f"{name}: not on this machine", "not cached", name=name)


def check_glob(glob: str) -> None:
    """Raise OptionError for a pattern that no file name can match."""
    if not 0 < len(glob) <= LONGEST_GLOB or not glob.isprintable() or "/" in glob:
        raise OptionError(
            f"is {shown(glob)}; give a pattern of file names, such as *.txt, without /", "glob"
        )


def files_below(directory: Path, glob: str) -> tuple[list[Path], list[Path]]:
    """All files below ``directory`` whose names match ``glob``, and the other ones.

    They are sorted by name on every level. Capital letters match small ones, and the ending of a
    packed file does not count: ``A.TXT`` and ``a.txt.gz`` match ``*.txt``. Hidden files and
    directories are in neither list. Nor are those of run directories, because a training may be
    writing to them. Links are followed, and each directory is read once, even if several links
    lead to it. Raises OSError if a directory cannot be read.
    """
    found: list[Path] = []
    left_out: list[Path] = []
    read: set[tuple[int, int]] = set()
    waiting = [directory]  # a stack, last path first: directories may be nested very deeply
    while waiting:
        path = waiting.pop()
        if not path.is_dir():
            if path.is_file():
                (found if _matches(path.name, glob) else left_out).append(path)
            continue
        status = path.stat()
        if (status.st_dev, status.st_ino) in read:
            continue
        read.add((status.st_dev, status.st_ino))
        inside = {child.name: child for child in path.iterdir()}
        if path == directory or not {MODEL_FILE, STATE_FILE} & inside.keys():
            waiting += [inside[name] for name in sorted(inside, reverse=True) if name[0] != "."]
    return found, left_out


def _matches(name: str, glob: str) -> bool:
    """Whether a file with this name, or what is packed in it, matches a pattern."""
    name, glob = name.lower(), glob.lower()
    return fnmatchcase(name, glob) or fnmatchcase(_unpacked(name), glob)


def _unpacked(name: str) -> str:
    """The name of a file without the ending that says how it is packed."""
    return next((name[: -len(end)] for end in PACKED if name.lower().endswith(end)), name)


def address_error(source: str) -> CorpusError:
    """The error for an address on the network, from which nothing is downloaded."""
    path = re.split("[?#]", source)[0].split("/", 3)[3:]
    file = unused(Path(*path).name or "text.txt")
    fault = f"{source}: an address, not a file"
    return CorpusError(fault, "address", address=shlex.quote(source), file=file)


def unused(name: str) -> Path:
    """A path in the working directory where nothing is yet, for a command of an advice.

    It is ``name``, or the first of ``book-2.txt``, ``book-3.txt``, ... for ``book.txt``.
    """
    path = Path(name)
    others = (path.with_name(f"{path.stem}-{n}{path.suffix}") for n in count(2))
    return next(p for p in chain([path], others) if not os.path.lexists(p))


def corpus_name(sources: Sequence[str], *, in_files: bool) -> str:
    """A short name of a corpus for runs and model cards: the name of its file or directory.

    Several sources are named after the directory that they have in common. If there is none,
    the name is that of the first source and ``+N`` for N more. ``in_files`` says that no source
    is a stream.
    """
    common = _common_directory(sources) if in_files and len(sources) > 1 else None
    first = Path(sources[0])
    if common is not None:
        name = common.name
    elif sources[0] == "-":
        name = "stdin"
    else:
        name = first.resolve().name if first.is_dir() else Path(_unpacked(first.name)).stem
    if common is None and len(sources) > 1:
        name += f"+{len(sources) - 1}"
    return os.fsencode(name).decode("utf-8", "replace")  # the name is written to files in UTF-8


def _common_directory(sources: Sequence[str]) -> Path | None:
    """The directory that holds all ``sources``, unless it holds them only by chance.

    Sources in different directories always have some directory above them in common. If that is
    the working directory or one above it, it says nothing about the corpus.
    """
    paths = [Path(source) for source in sources]
    directories = {(path if path.is_dir() else path.parent).resolve() for path in paths}
    common = Path(os.path.commonpath(directories))
    by_chance = len(directories) > 1 and Path.cwd().is_relative_to(common)
    return common if common.name and not by_chance else None


def listed(names: Sequence[str]) -> str:
    """The names for a message: all of them, or the first ones and how many more there are.

    >>> listed(["a.txt", "b.txt"]), listed(["a.txt", "b.txt", "c.txt", "d.txt"])
    ('a.txt, b.txt', 'a.txt, b.txt and 2 other files')
    """
    if len(names) <= LISTED + 1:
        return ", ".join(names)
    return f"{', '.join(names[:LISTED])} and {len(names) - LISTED} other files"
