"""The JSON in which our files describe themselves, read as a stranger's.

What it means is checked by whoever reads it; here it is made sure that reading it takes little
time and memory, and that whatever was read can be shown and written again.
"""

import json
from pathlib import Path
from typing import Any

from charlstm.files import regular_size

MOST_BYTES = 16 << 20  # all of Unicode as a vocabulary takes 15 MB, escaped in JSON in JSON
MOST_PARTS = 1 << 18  # lists, objects and their items; a thousand layers have 30,000
LONGEST_REASON = 200


def read_description(text: str | bytes) -> dict[str, Any]:
    """The object that ``text`` holds.

    Raises ValueError or RecursionError for text that is no JSON object, for more parts than any
    description has, for numbers that are not finite and for lone surrogates.
    """
    check_parts(text if isinstance(text, bytes) else text.encode())
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    return value


def check_parts(data: bytes) -> None:
    """Raise ValueError for JSON of so many parts that it would fill the memory.

    An empty list is two characters, and 64 bytes in memory.
    """
    if len(data) > MOST_BYTES:
        raise ValueError(f"longer than {MOST_BYTES:,} bytes")
    if sum(data.count(mark) for mark in (b"[", b"{", b",")) > MOST_PARTS:
        raise ValueError(f"more than {MOST_PARTS:,} lists, objects and items")


def check_header(path: Path, *, follow: bool) -> None:
    """Look at the length and the header of a safetensors file before its reader believes them.

    ``follow`` as ``charlstm.files.regular_size`` has it. Raises OSError for what is no file, and
    ValueError for what is no safetensors file, or an empty one.
    """
    size = regular_size(path, follow=follow)
    if not size:
        raise ValueError("an empty file")
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(size - 8, MOST_BYTES):
            raise ValueError(f"a header of {length:,} bytes in {size:,}")
        check_parts(file.read(length))


def reason(error: Exception) -> str:
    """A failed check in one short line; a bare KeyError shows only the key."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    words = f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
    return words if len(words) <= LONGEST_REASON else words[:LONGEST_REASON] + "..."
