"""The catalogue of texts: which there are, where they are on this machine, and their download.

The table of texts is ``corpora/catalogue.toml``. Nothing here knows the command line, and nothing
is shown: a progress bar comes as a callable.
"""

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from charlstm.checks import shown
from charlstm.errors import CorpusError, OptionError
from charlstm.files import atomic_file, regular_size

TABLE = "catalogue.toml"
CHUNK_BYTES = 1 << 14
TIMEOUT = 20.0  # seconds to wait for a connection, and for the next bytes
SIMILARITY = 0.7  # of names, as difflib measures it; 0.6 finds "coriolanus" for "corpus"
SHORTEST_PART = 4  # letters of a name that are enough to suggest it

Progress = Callable[[int], object]  # is given the number of bytes that have just arrived


@dataclass(frozen=True, kw_only=True)
class CatalogueText:
    """A text of the catalogue.

    ``size`` is in bytes, and ``language`` is a code of ISO 639-1. ``path`` is the place of its
    file, also while it is not yet downloaded. A text without ``url`` comes with the program.
    """

    name: str
    title: str
    author: str
    language: str
    licence: str
    size: int
    sha256: str
    path: Path
    url: str | None = None

    def is_present(self) -> bool:
        """Whether the file of this text is on this machine and has the right content."""
        from hashlib import sha256  # it loads OpenSSL

        try:
            if regular_size(self.path, follow=True) != self.size:
                return False
            return sha256(self.path.read_bytes()).hexdigest() == self.sha256
        except OSError:
            return False


def catalogue() -> dict[str, CatalogueText]:
    """All texts of the catalogue by name, in the order of the table.

        from charlstm.text.catalogue import catalogue, download

        path = download(catalogue()["macbeth"])

    Raises CorpusError if the table is missing from this installation.
    """
    import tomllib

    here, cache = _directory_of_the_table(), cache_directory()
    texts = {}
    for name, entry in tomllib.loads((here / TABLE).read_text(encoding="utf-8")).items():
        file = entry.pop("file", None)
        path = cache / f"{name}.txt" if file is None else here / file
        texts[name] = CatalogueText(name=name, path=path, **entry)
    return texts


def find_text(name: str) -> CatalogueText:
    """The text of this name; raises CorpusError, which suggests a similar name if there is one."""
    texts = catalogue()
    if name in texts:
        return texts[name]
    raise unknown_text(name, "not a text of the catalogue", texts)


def unknown_text(name: str, fault: str, names: Iterable[str]) -> CorpusError:
    """The error for a name that is not among the ``names`` of the catalogue."""
    nearest = similar(name, names)
    code = "similar text" if nearest else "no such text"
    return CorpusError(f"{name}: {fault}", code, nearest=nearest)


def similar(name: str, names: Iterable[str]) -> str:
    """The one of ``names`` that was perhaps meant, or an empty text; a suffix does not count.

    >>> similar("Mcbeth.txt", ["hamlet", "macbeth"]), similar("lear", ["king-lear"])
    ('macbeth', 'king-lear')
    """
    from difflib import get_close_matches

    names = list(names)
    wanted = re.sub(r"[ _]", "-", Path(name).stem.lower())
    if len(wanted) >= SHORTEST_PART:
        for known in names:
            if wanted in known:
                return known
    return "".join(get_close_matches(wanted, names, n=1, cutoff=SIMILARITY))


def cache_directory() -> Path:
    """Where downloaded texts are kept, by the XDG Base Directory Specification."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        # The specification ignores a relative path.
        base = named if named.is_absolute() else Path.home() / ".cache"
    except RuntimeError as error:
        raise CorpusError("there is no home directory for downloaded texts", "cache") from error
    return base / "charlstm" / "corpora"


def download(
    text: CatalogueText, *, url: str | None = None, progress: Progress | None = None
) -> Path:
    """The path of the text's file, which is downloaded first unless it is there.

    A file with other content is replaced. ``url`` is the address of a mirror: a directory with the
    files of the texts, NAME.txt. ``progress`` is called as the bytes arrive. The file appears when
    it is complete and its SHA-256 is right; after an error, or an interruption, nothing is left.
    Raises CorpusError, and OptionError for a ``url`` that is none.
    """
    address = address_of(text, url)
    if text.is_present():
        return text.path
    if address is None:
        fault = f"{text.path}: missing or changed, but it comes with charlstm"
        raise CorpusError(fault, "incomplete installation")
    try:
        text.path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(text.path) as file:
            _transfer(address, _Arrival(file, text, address, progress))
    except OSError as error:
        fault = f"{error.filename or text.path}: cannot be written: {error.strerror}"
        raise CorpusError(fault, "cache") from error
    return text.path


def address_of(text: CatalogueText, url: str | None = None) -> str | None:
    """The address of the text's file: that of the table, or the one below a mirror's ``url``.

    None for a text that comes with the program. Raises OptionError for a ``url`` that is none.
    """
    if url is None:
        return text.url
    if not re.match(r"https?://[^/\s]", url):
        raise OptionError(f"is {shown(url)}; it must begin with https:// or http://", "url")
    return f"{url.rstrip('/')}/{text.name}.txt" if text.url else None


class _Arrival:
    """A file that is being downloaded: its bytes are counted, hashed and written as they come."""

    def __init__(
        self, file: BinaryIO, text: CatalogueText, address: str, progress: Progress | None
    ) -> None:
        from hashlib import sha256

        self.size = 0
        self._file, self._text, self._address = file, text, address
        self._progress, self._digest = progress, sha256()

    def write(self, data: bytes) -> None:
        """Write the next bytes; raises CorpusError once there are more than there should be."""
        self.size += len(data)
        if self.size > self._text.size:
            raise self._wrong(f"more than {self._text.size:,} bytes")
        self._digest.update(data)
        self._file.write(data)
        if self._progress is not None:
            self._progress(len(data))

    def flush(self) -> None:
        """The file is flushed once, when it is complete."""

    def check(self) -> None:
        """Raise CorpusError if this is not the content of the text."""
        if self.size != self._text.size:
            raise self._wrong(f"{self.size:,} bytes, not {self._text.size:,}")
        found, expected = self._digest.hexdigest(), self._text.sha256
        if found != expected:
            raise self._wrong(f"SHA-256 {found[:12]}, not {expected[:12]}")

    def fault(self, error: Exception, response: Any) -> CorpusError:
        """The error for a download that failed with an ``error`` of the library requests."""
        kinds, name = {type(fault).__name__ for fault in (error, *error.args)}, self._text.name
        why = "cannot be reached"
        if response is not None:
            why = f"the server answers {response.status_code} {response.reason or ''}".rstrip()
        elif self.size or "ChunkedEncodingError" in kinds:
            why = f"cut off after {self.size:,} of {self._text.size:,} bytes"
            return CorpusError(f"{self._address}: {why}", "cut off", name=name)
        elif kinds & {"ConnectTimeout", "ReadTimeout", "ReadTimeoutError"}:
            why = f"no answer within {TIMEOUT:g} seconds"
        elif kinds & {"SSLError", "ProxyError"}:
            why = f"cannot be reached ({type(error).__name__})"
        return CorpusError(f"{self._address}: {why}", "no answer", name=name)

    def _wrong(self, found: str) -> CorpusError:
        fault = f"{self._address}: not the text {self._text.name} of the catalogue ({found})"
        return CorpusError(fault, "wrong content", name=self._text.name)


def _transfer(address: str, arrival: _Arrival) -> None:
    """Download the content at ``address``, and check it; raises CorpusError."""
    from pooch import HTTPDownloader
    from requests.exceptions import RequestException

    try:
        HTTPDownloader(chunk_size=CHUNK_BYTES, timeout=TIMEOUT)(address, arrival, None)
    except (RequestException, ValueError) as error:  # the latter for headers that are no numbers
        raise arrival.fault(error, getattr(error, "response", None)) from error
    arrival.check()


def _directory_of_the_table() -> Path:
    """The directory of the table: inside the package, or beside it where it is developed."""
    package = Path(__file__).parents[1]
    for directory in (package / "corpora", package.parent / "corpora"):
        if (directory / TABLE).is_file():
            return directory
    fault = f"{package / 'corpora' / TABLE}: no such file, but it comes with charlstm"
    raise CorpusError(fault, "incomplete installation")
