"""Files of unknown origin: their headers, and the JSON descriptions inside them.

The functions here make sure that a description is read in little time and memory, and that its
values can be shown and written again. The caller checks what the values mean.
"""

import codecs
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from charlstm.checks import shown
from charlstm.errors import CharLSTMError
from charlstm.files import regular_size

MOST_BYTES = 16 << 20  # a vocabulary of all of Unicode takes 15 MB, as escaped JSON inside JSON
MOST_PARTS = 1 << 18  # lists, objects and their items; a model of 1000 layers has 30,000
LONGEST_REASON = 200
BEGINNING = 512  # bytes from which the kind of a file is guessed

# The first bytes of kinds of files that people name by mistake.
KINDS = {
    b"\x1f\x8b": "gzip data", b"BZh": "bzip2 data", b"\xfd7zXZ": "xz data",
    b"\x28\xb5\x2f\xfd": "zstd data", b"PK": "a zip archive, such as torch saves",
    b"\x89HDF": "an HDF5 file, such as Keras saves", b"GGUF": "a GGUF model",
    b"\x93NUMPY": "a NumPy array", b"SQLite format 3": "an SQLite database",
    b"%PDF": "a PDF document", b"\x89PNG": "a PNG picture", b"\xff\xd8\xff": "a JPEG picture",
    b"\x7fELF": "a program",
    **{bytes([0x80, version]): "a Python pickle" for version in range(2, 6)},
}  # fmt: skip

# The errors that Python and torch raise for values of wrong types, names or contents.
INVALID = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RuntimeError)


@contextmanager
def reading(path: Path, noun: str, error: type[CharLSTMError], code: str = "") -> Iterator[None]:
    """Raise ``error`` for anything that is wrong with a file, with a message that says it.

    ``noun`` is what the file should be. If there is no file, the error's code is "no <noun>".
    """
    from safetensors import SafetensorError

    try:
        yield
    except FileNotFoundError as found:
        raise error(f"{path}: no such {noun}; check the name", f"no {noun}") from found
    except OSError as found:
        raise error(f"{path}: cannot be read: {found.strerror or found}") from found
    except (SafetensorError, *INVALID) as found:
        damaged = "damaged, perhaps cut short: " if isinstance(found, SafetensorError) else ""
        raise error(f"{path}: not a valid {noun}: {damaged}{reason(found)}", code) from found


@contextmanager
def described_tensors(
    path: Path, key: str, version: int, *, follow: bool = True
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """An open safetensors file, and the JSON object in its metadata entry ``key``.

    ``follow`` is that of ``charlstm.files.regular_size``. Raises OSError, ValueError, KeyError,
    RecursionError or SafetensorError for a file that has no such entry in format ``version``.
    """
    from safetensors import safe_open

    check_header(path, follow=follow)
    with safe_open(path, framework="numpy") as file:
        text = (file.metadata() or {}).get(key)
        if text is None:
            raise ValueError("a safetensors file of another program")
        description = read_description(text)
        check_format(description, version)
        yield file, description


def read_description(text: str | bytes) -> dict[str, Any]:
    """The JSON object in ``text``.

    Raises ValueError or RecursionError for text that is no JSON object, for one of too many parts,
    for numbers that are not finite and for lone surrogates.
    """
    check_parts(text if isinstance(text, bytes) else text.encode())
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    return value


def check_format(description: dict[str, Any], version: int) -> None:
    """Raise KeyError or ValueError unless a description is in format ``version``."""
    if description["format"] != version:
        found = shown(description["format"])
        raise ValueError(f"format {found}, but this version of charlstm reads {version}")


def check_parts(data: bytes) -> None:
    """Raise ValueError for JSON of so many parts that it would fill the memory.

    An empty list takes 2 bytes in the file and 64 bytes in memory.
    """
    if len(data) > MOST_BYTES:
        raise ValueError(f"longer than {MOST_BYTES:,} bytes")
    if sum(data.count(mark) for mark in (b"[", b"{", b",")) > MOST_PARTS:
        raise ValueError(f"more than {MOST_PARTS:,} lists, objects and items")


def check_header(path: Path, *, follow: bool) -> None:
    """Check the length and the header of a safetensors file before its reader trusts them.

    ``follow`` is that of ``charlstm.files.regular_size``. Raises OSError for a path that is no
    file, and ValueError for a file that is empty or is no safetensors file.
    """
    size = regular_size(path, follow=follow)
    if not size:
        raise ValueError("it is empty")
    with path.open("rb") as file:
        beginning = file.read(BEGINNING)
        length = int.from_bytes(beginning[:8], "little")
        plausible = beginning[8:9] == b"{" and length <= MOST_BYTES
        if not plausible and (kind := kind_of(beginning)):
            raise ValueError(f"it seems to be {kind}")
        if length > size - 8:
            raise ValueError("it is cut short" if plausible else "it is no safetensors file")
        if length > MOST_BYTES:
            raise ValueError(f"it has a header of {length:,} bytes")
        file.seek(8)
        check_parts(file.read(length))


def kind_of(beginning: bytes) -> str | None:
    r"""What kind of file has this beginning; None if that is not known.

    >>> kind_of(b"\x1f\x8b\x08"), kind_of("Thane of Cawdor \u2014".encode())
    ('gzip data', 'plain text')
    """
    for first, kind in KINDS.items():
        if beginning.startswith(first):
            return kind
    decoder = codecs.getincrementaldecoder("utf-8")()  # the last character may be incomplete
    try:
        text = decoder.decode(beginning)
    except UnicodeDecodeError:
        return None
    return "plain text" if text and all(c.isprintable() or c.isspace() for c in text) else None


def reason(error: Exception) -> str:
    """The message of an error in one short line."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    words = f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
    return words if len(words) <= LONGEST_REASON else words[:LONGEST_REASON] + "..."
