"""What the first bytes of a file say: packed texts, which are unpacked, and what is no text."""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from charlstm.errors import CorpusError
from charlstm.text.sources import STDIN, unused

PIECE_BYTES = 1 << 20  # unpacked at a time
UNPACKING_BYTES = 256 << 20  # of memory to unpack xz; xz -9 needs a quarter
LONGEST_MARK = 16  # bytes at the beginning of a file that say what it is, of most formats
CONTROLS = bytes({*range(1, 32), 127} - {*b"\b\t\n\v\f\r\x1b"})  # that no text has

PACKED = {
    rb"\x1f\x8b": "gzip",
    rb"BZh[1-9](1AY&SY|\x17rE8P\x90)": "bzip2",
    rb"\xfd7zXZ\0": "xz",
}
# What a file is, and the code of the advice what to do with it. A zip archive is known by the names
# of its members, which stand 26 bytes after each mark.
_MEMBER = rb"PK\x03\x04(?s:.*PK\x03\x04)?.{26}"
FORMATS: tuple[tuple[bytes, str, str], ...] = (
    (rb"%PDF-", "a PDF document", "pdf"),
    (rb"\{\\rtf\d", "an RTF document", "rtf"),
    (rb"%!PS-", "a PostScript document", "postscript"),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document, such as .doc", "office"),
    (rb"AT&TFORM", "a DjVu document", "djvu"),
    (rb".{60}BOOKMOBI", "a Kindle book", "kindle"),
    (_MEMBER + rb"mimetypeapplication/epub", "an EPUB book", "epub"),
    (_MEMBER + rb"mimetypeapplication/vnd\.oasis\.opendocument\.text", "an ODT document", "odt"),
    (_MEMBER + rb"mimetypeapplication/vnd\.oasis", "an OpenDocument file", "office"),
    (_MEMBER + rb"word/", "a Word document", "docx"),
    (_MEMBER + rb"xl/", "an Excel table", "table"),
    (_MEMBER + rb"ppt/", "a PowerPoint presentation", "office"),
    (_MEMBER + rb"[^/\0]{1,200}\.npy", "arrays of numpy", "no text"),
    (rb"PK(\x03\x04|\x05\x06)", "a zip archive", "zip"),
    (rb".{257}ustar(\0|  \0)", "a tar archive", "tar"),
    (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z"),
    (rb"Rar!\x1a\x07", "a RAR archive", "rar"),
    (rb"\x28\xb5\x2f\xfd", "a file packed by zstd", "zstd"),
    (rb"SQLite format 3\0", "an SQLite database", "sqlite"),
    (rb".{5}\0\0\0\{\"", "a safetensors file, such as a model", "model"),
    (rb"\x93NUMPY", "an array of numpy", "no text"),
    (rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a.{,6}\0|RIFF.{4}WEBP", "a picture", "picture"),
    (rb"II\*\0|MM\0\*", "a picture", "picture"),
    (rb"ID3[\2-\4]|OggS\0|fLaC\0|RIFF.{4}WAVE|MThd\0", "sound", "no text"),
    (rb"RIFF.{4}AVI |\0\0\0.ftyp|\x1aE\xdf\xa3", "a video", "no text"),
    (rb"\x7fELF|MZ.{0,60}\0|[\xce\xcf]\xfa\xed\xfe|\xca\xfe\xba\xbe|\0asm", "a program", "no text"),
)  # fmt: skip
# Comments are passed over once: to try other ends of them would take for ever.
_HTML = rb"(\xef\xbb\xbf)?\s*+(<\?xml[^>]*>\s*)?(<!--(?>.*?-->)\s*)*+<(!doctype\s+html|html)[\s>]"


def unpacked(blocks: Iterable[bytes], label: str) -> Iterator[bytes]:
    """The bytes of a file; of one that gzip, bzip2 or xz has packed, those within, as they come.

    What is packed is known by its first bytes, and may be several packed files in a row. Memory
    does not grow with what comes out. ``label`` is the name of the file in the CorpusError that is
    raised for one that is damaged.
    """
    first, blocks = beginning(blocks)
    tool = _packed_by(first)
    whole = chain([first], blocks)
    return whole if tool is None else _unpacked(whole, tool, label)


def beginning(blocks: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first block, long enough to say what the file is, and the blocks after it."""
    blocks = iter(blocks)
    first = next(blocks, b"")
    # Whoever types a line waits for an answer to it, so that nothing is waited for after a line.
    while len(first) < LONGEST_MARK and b"\n" not in first:
        more = next(blocks, b"")
        if not more:
            break
        first += more
    return first, blocks


def check_is_text(first: bytes, label: str) -> None:
    """Raise CorpusError if a file that begins with ``first`` is known not to be plain text."""
    if kind := what_is(first):
        raise _no_text(label, *kind)


def check_is_no_html(blocks: Iterable[bytes], label: str) -> None:
    """Raise CorpusError for an HTML page: it is text, but its markup is hardly meant."""
    first, _ = beginning(unpacked(blocks, label))
    if re.match(_HTML, first, re.DOTALL | re.IGNORECASE):
        raise _no_text(label, "an HTML page", "html")


def what_is(first: bytes) -> tuple[str, str] | None:
    """What a file that begins so is, and the code of its advice; None for what may be text.

    >>> what_is(b"%PDF-1.7")
    ('a PDF document', 'pdf')
    """
    if tool := _packed_by(first):
        return f"packed by {tool} twice", "packed twice"
    for pattern, what, code in FORMATS:
        if re.match(pattern, first, re.DOTALL):
            return what, code
    return None


def check_is_no_binary(sample: bytes, label: str) -> None:
    """Raise CorpusError if bytes that do not decode are those of a binary file."""
    controls = len(sample) - len(sample.translate(None, CONTROLS))
    if controls >= max(4, len(sample) / 100) or sample.count(0) > len(sample) / 4 > 4:
        raise _no_text(label, "a binary file", "no text")


def files_for_advice(label: str) -> dict[str, Path]:
    """A file, and new names for a text or a directory made of it, for the commands of an advice."""
    file = Path("FILE" if label == STDIN else label)
    return {"file": file, "text": unused(f"{file.stem}.txt"), "directory": unused(file.stem)}


def _no_text(label: str, what: str, code: str) -> CorpusError:
    return CorpusError(f"{label}: {what}, not plain text", code, **files_for_advice(label))


def _packed_by(first: bytes) -> str | None:
    return next((tool for mark, tool in PACKED.items() if re.match(mark, first)), None)


def _unpacked(blocks: Iterable[bytes], tool: str, label: str) -> Iterator[bytes]:
    if tool == "gzip":
        import zlib

        new: Callable[[], Any] = _Gzip
        errors: tuple[type[Exception], ...] = (EOFError, zlib.error)
    elif tool == "bzip2":
        import bz2

        new, errors = bz2.BZ2Decompressor, (EOFError, OSError)
    else:
        import lzma

        new = lambda: lzma.LZMADecompressor(memlimit=UNPACKING_BYTES)  # noqa: E731
        errors = EOFError, lzma.LZMAError
    try:
        yield from _pieces(blocks, new)
    except errors as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the file itself cannot be read
        if "Memory usage limit" in str(error):  # lzma has no other sign of it
            fault = f"{label}: {tool} needs more than {UNPACKING_BYTES >> 20} MiB to unpack it"
            raise CorpusError(fault, "large dictionary", **files_for_advice(label)) from error
        fault = f"{label}: cut or damaged, {tool} cannot unpack it ({error})"
        raise CorpusError(fault, "cut or damaged") from error


def _pieces(blocks: Iterable[bytes], new: Callable[[], Any]) -> Iterator[bytes]:
    """What the decompressors made by ``new`` unpack, one after the other, in small pieces."""
    decompressor = new()
    for block in blocks:
        data = block
        while data or not (decompressor.needs_input or decompressor.eof):
            if decompressor.eof:
                data = data.lstrip(b"\0")  # padding
                if not data:
                    break
                decompressor = new()
            piece = decompressor.decompress(data, PIECE_BYTES)
            data = decompressor.unused_data if decompressor.eof else b""
            if piece:
                yield piece
    if not decompressor.eof:
        raise EOFError("it ends too early")


class _Gzip:
    """A decompressor of gzip with the methods of those of bz2 and lzma."""

    def __init__(self) -> None:
        import zlib

        self._inner = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    def decompress(self, data: bytes, most: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, most)

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail and not self.eof

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data
