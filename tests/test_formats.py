"""Files that are no plain text as they are: packed ones are unpacked, others are named."""

import bz2
import gzip
import io
import lzma
import subprocess
import sys
import tarfile
import zipfile
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from charlstm.cli.hints import explained
from charlstm.errors import CorpusError
from charlstm.text import formats
from charlstm.text.characters import Changes, characters
from charlstm.text.corpus import open_corpus, survey
from charlstm.text.dataset import encode_corpus
from charlstm.text.decoding import TextOptions
from charlstm.text.formats import unpacked

from .conftest import VERSE, Run

PACK = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


def read(*sources: Path, **options: str) -> str:
    """The text of files."""
    return "".join(open_corpus([*map(str, sources)], TextOptions(**options)).chunks())


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("name", ["play.txt.{}", "play", "play.txt"])
def test_a_packed_file_is_the_text_within(tmp_path: Path, ending: str, name: str) -> None:
    """By its first bytes, whatever its name; several packed files in a row are one."""
    file = tmp_path / name.format(ending)
    pack = PACK[ending]
    file.write_bytes(pack(VERSE.encode()) + pack(b"") + pack(b"\xc3\xa9\r\n"))
    assert read(file) == VERSE + "\u00e9\n"
    corpus = open_corpus([str(file)], TextOptions())
    assert corpus.name == "play"
    plain = tmp_path / "plain.txt"
    plain.write_bytes(VERSE.encode() + b"\xc3\xa9\n")
    fingerprints = [survey(open_corpus([str(f)], TextOptions())).fingerprint for f in (file, plain)]
    assert fingerprints[0].sha256 == fingerprints[1].sha256


@pytest.mark.parametrize(
    ("glob", "text"), [("*.txt", "abcd"), ("*.py", "ef"), ("*.gz", "bf"), ("*.TXT", "abcd")]
)
def test_a_packed_file_counts_as_what_is_in_it(tmp_path: Path, glob: str, text: str) -> None:
    """In a directory ``*.txt.gz`` is ``*.txt``, and capital letters are small ones."""
    files = {
        "a.txt": b"a",
        "b.txt.gz": gzip.compress(b"b"),
        "c.TXT.BZ2": bz2.compress(b"c"),
        "d.Txt.xz": lzma.compress(b"d"),
        "e.PY": b"e",
        "f.py.gz": gzip.compress(b"f"),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    assert read(tmp_path, glob=glob).replace("\n", "") == text


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("damage", ["cut", "changed", "followed"])
def test_a_damaged_file_is_named(tmp_path: Path, ending: str, damage: str) -> None:
    """One that is cut, has other bytes in it, or is followed by something else."""
    data = bytearray(PACK[ending](VERSE.encode() * 9))
    if damage == "cut":
        data = data[:-9]
    elif damage == "changed":
        data[len(data) // 2] ^= 255
    else:
        data += b"more"
    file = tmp_path / f"play.txt.{ending}"
    file.write_bytes(data)
    with pytest.raises(CorpusError) as caught:
        read(file)
    assert explained(caught.value).startswith(f"{file}: cut or damaged")
    assert "download it again" in explained(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of a process")
@pytest.mark.parametrize("ending", PACK)
def test_memory_does_not_grow_with_what_is_packed(tmp_path: Path, ending: str) -> None:
    """Of a file of some kilobytes come 300 MB; a process with far less memory reads it."""
    line = b"a" * (1 << 20) + b"\n"
    if ending == "gz":
        with gzip.open(tmp_path / "bomb", "wb") as file:
            for _ in range(300):
                file.write(line)
    else:  # packed once, and repeated
        (tmp_path / "bomb").write_bytes(PACK[ending](line * 20) * 15)
    program = f"""
import resource
from charlstm.text.corpus import open_corpus
from charlstm.text.decoding import TextOptions
import bz2, gzip, lzma, zlib
corpus = open_corpus([{str(tmp_path / "bomb")!r}], TextOptions())
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (150 << 20),) * 2)
print(sum(map(len, corpus.chunks())))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=120)
    assert done.stdout.split() == [str(300 * len(line)).encode()], done.stderr


def zipped(*members: str, mimetype: str = "") -> bytes:
    """A zip archive with these members, in this order, and the type of a document first."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        if mimetype:
            archive.writestr("mimetype", mimetype)
        for name in members:
            archive.writestr(name, b"<x/>" * 99, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def tarred(*, mode: str = "w") -> bytes:
    """A tar archive with a text in it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    return file.getvalue()


def arrays() -> bytes:
    """A file of numpy with two arrays."""
    file = io.BytesIO()
    np.savez(file, X=np.zeros(9), y=np.zeros(9))
    return file.getvalue()


ODT = "application/vnd.oasis.opendocument.text"
FORMATS = {
    "pdf, ASCII alone": (b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n", "a PDF", "pdftotext FILE"),
    "docx": (zipped("[Content_Types].xml", "_rels/.rels", "word/document.xml"), "a Word document",
             "pandoc -f docx -t plain FILE -o"),
    "odt": (zipped("content.xml", mimetype=ODT), "an ODT", "pandoc -f odt -t plain FILE -o"),
    "epub": (zipped("a.html", mimetype="application/epub+zip"), "an EPUB", "pandoc -f epub -t"),
    "xlsx": (zipped("[Content_Types].xml", "xl/workbook.xml"), "an Excel", "--convert-to csv "),
    "zip": (zipped("a.txt", "b/words.txt"), "a zip archive", "unzip -p FILE >"),
    "npz": (arrays(), "arrays of numpy", ""),
    "npy": (b"\x93NUMPY\x01\0v\0{'descr': '<f4'", "an array of numpy", ""),
    "tar": (tarred(), "a tar archive", "tar -xOf FILE >"),
    "tar.gz": (tarred(mode="w:gz"), "a tar archive", "tar -xOf FILE >"),
    "gz in gz": (gzip.compress(gzip.compress(b"a text")), "packed by gzip twice", "unpack it"),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\x04" + bytes(40), "a 7z archive", "7z x -so FILE >"),
    "rar": (b"Rar!\x1a\x07\x01\0" + bytes(40), "a RAR archive", "unrar p -inul FILE >"),
    "doc": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(90), "an old Office document",
            "libreoffice --headless --convert-to txt --outdir"),
    "rtf": (b"{\\rtf1\\ansi Hello}\n", "an RTF document", "pandoc -f rtf -t plain FILE -o"),
    "html": (b"\n<!DOCTYPE html>\n<p>Hello</p>\n", "an HTML page", "pandoc -f html -t plain FILE"),
    "html, old": (b"<HTML>\n<p>Hello</p>\n", "an HTML page", "name its encoding"),
    "png": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a picture", "tesseract FILE"),
    "jpeg": (b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(9), "a picture", ""),
    "gif": (b"GIF89a\x01\0\x01\0\x80\0\0", "a picture", ""),
    "webp": (b"RIFF\x1a\0\0\0WEBPVP8L", "a picture", ""),
    "wav": (b"RIFF\x24\0\0\0WAVEfmt ", "sound", ""),
    "mp3": (b"ID3\x04\0\0\0\0\0\x23TSSE", "sound", ""),
    "mp4": (b"\0\0\0\x18ftypmp42" + bytes(9), "a video", ""),
    "elf": (b"\x7fELF\x02\x01\x01" + bytes(9), "a program", ""),
    "exe": (b"MZ\x90\0\x03\0\0\0\x04", "a program", ""),
    "sqlite": (b"SQLite format 3\0\x10\0", "an SQLite database", "sqlite3 FILE .dump"),
    "safetensors": (b"\x40\0\0\0\0\0\0\0{\"__metadata__\":{", "a safetensors file", "-m"),
    "other": (bytes(range(256)) * 9, "a binary file", "name a plain text"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "what", "advice"), FORMATS.values(), ids=FORMATS)
def test_what_is_no_text_is_named_with_what_makes_text_of_it(
    tmp_path: Path, data: bytes, what: str, advice: str
) -> None:
    """Whatever the name of the file; an encoding would be no help."""
    file = tmp_path / "my book.txt"
    file.write_bytes(data)
    with pytest.raises(CorpusError) as caught:
        encode_corpus(open_corpus([str(file)], TextOptions()))
    message = explained(caught.value)
    assert message.startswith(f"{file}: {what}")
    assert "not plain text" in message
    assert advice.replace("FILE", f"'{file}'") in message
    assert "--encoding utf" not in message
    assert f"> '{file}'" not in message  # the file itself is not overwritten


@pytest.mark.parametrize("name", ["pdf, ASCII alone", "docx", "png", "other"])
def test_another_encoding_makes_no_text_of_it(tmp_path: Path, name: str) -> None:
    """Latin-1 decodes every byte, but a document is no text for that."""
    (tmp_path / "t.txt").write_bytes(FORMATS[name][0])
    with pytest.raises(CorpusError, match="not plain text"):
        read(tmp_path / "t.txt", encoding="latin-1")


@pytest.mark.parametrize(
    "text",
    ["PK is a short name\n", "MZ\n", "BM\n", "GIF89a is a format\n", "ID3 tags\n", "<p>\n",
     "%PDF\n", "Rar!\n", "RIFF\n", "II*\n", "BZ is not BZh\n", "BZhang wrote this.\n",
     "BZh9 is a mark\n", "{\"a\": 1}\n",
     "the ftyp of a video\n"],
)  # fmt: skip
def test_a_text_that_begins_like_something_else_is_a_text(tmp_path: Path, text: str) -> None:
    """Only what no text begins with counts."""
    (tmp_path / "t.txt").write_text(text)
    assert read(tmp_path / "t.txt") == text


HTML = "<!doctype html>\n<p>Hello</p>\n"


def test_html_is_learned_if_its_encoding_is_named(tmp_path: Path) -> None:
    """Who names the encoding wants the markup itself."""
    page = tmp_path / "t.html"
    page.write_text(HTML)
    with pytest.raises(CorpusError, match="an HTML page"):
        encode_corpus(open_corpus([str(page)], TextOptions()))
    dataset = encode_corpus(open_corpus([str(page)], TextOptions(encoding="utf-8")))
    assert dataset.vocabulary.decode(dataset.ids) == HTML


def test_a_model_of_html_reads_its_own_text(charlstm: Run, tmp_path: Path) -> None:
    """Only what is learned is asked about: all other commands read the page as it is."""
    (tmp_path / "t.html").write_text(HTML * 40)
    words = ["--encoding", "utf-8", "--steps", 2, "--hidden-size", 8, "-q"]
    assert charlstm("train", "t.html", *words, cwd=tmp_path).returncode == 0
    for call in (
        ["evaluate", "t.html"],
        ["score", "t.html"],
        ["generate", "-n", 9, "--corpus", "t.html", "--novel", 5],
        ["visualize", "--text-file", "t.html"],
        ["report", "runs/t", "-o", "page.html"],
        ["novelty", "t.html", "t.html"],
        ["train", "--resume", "runs/t", "--steps", 4],
    ):
        done = charlstm(*call, cwd=tmp_path)
        assert done.returncode == 0, (call, done.stderr)


@pytest.mark.parametrize("end", ["<html>\n", "text\n"])
def test_many_comments_before_html_are_passed_over_once(tmp_path: Path, end: str) -> None:
    """A pattern that tried every end of every comment would never come to an end."""
    (tmp_path / "t.txt").write_text("<!-- a -->\n" * 10_000 + end)
    corpus = open_corpus([str(tmp_path / "t.txt")], TextOptions())
    with pytest.raises(CorpusError, match="an HTML page") if "<" in end else nullcontext():
        encode_corpus(corpus)


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_packed_text_may_come_in_small_pieces(ending: str, size: int) -> None:
    """The first bytes of a pipe need not be all that say what it is."""
    data = PACK[ending](VERSE.encode())
    pieces = (data[i : i + size] for i in range(0, len(data), size))
    assert b"".join(unpacked(pieces, "-")) == VERSE.encode()


def test_a_document_may_come_in_small_pieces() -> None:
    """Some of its first bytes may look like a text."""
    data = FORMATS["docx"][0]
    with pytest.raises(CorpusError, match="a zip archive"):
        next(characters((bytes([byte]) for byte in data), "-", None, Changes()))


def test_xz_that_needs_much_memory_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tool itself unpacks it."""
    monkeypatch.setattr(formats, "UNPACKING_BYTES", 1 << 20)
    (tmp_path / "t.xz").write_bytes(lzma.compress(VERSE.encode(), preset=6))
    with pytest.raises(CorpusError) as caught:
        read(tmp_path / "t.xz")
    assert explained(caught.value) == (
        f"{tmp_path / 't.xz'}: xz needs more than 1 MiB to unpack it; "
        f"let xz unpack it: xz -dc {tmp_path / 't.xz'} | charlstm ... -"
    )


def test_an_advice_overwrites_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names a file that is not there yet."""
    monkeypatch.chdir(tmp_path)
    Path("book.docx").write_bytes(FORMATS["docx"][0])
    Path("old.doc").write_bytes(FORMATS["doc"][0])
    for name in ("book.txt", "book-2.txt", "old", "page.html"):
        Path(name).touch()
    for source, advice in (
        ("book.docx", "plain book.docx -o book-3.txt"),
        ("old.doc", "--convert-to txt --outdir old-2 old.doc"),
        ("https://example.org/page.html", "curl -L -o page-2.html https://example.org/page.html"),
    ):
        with pytest.raises(CorpusError) as caught:
            read(Path(source)) if ":" not in source else open_corpus([source], TextOptions())
        assert explained(caught.value).endswith(advice)


@pytest.mark.parametrize(
    "words",
    [
        "vocab {}",
        "train {} --steps 1 --hidden-size 8",
        "dataset {} -o out",
        "score {} -m MODEL",
        "score {} --lines -m MODEL",
        "evaluate {} -m MODEL --split all",
        "predict --seed-file {} -m MODEL",
        "generate --seed-file {} -n 9 -m MODEL",
        "generate --each-line --seed-file {} -n 9 -m MODEL",
        "novelty {} t.txt",
        "novelty t.txt {}",
        "visualize --text-file {} -m MODEL",
    ],
)
def test_every_command_reads_and_refuses_alike(
    charlstm: Run, trained: Path, tmp_path: Path, words: str
) -> None:
    """A packed text, a damaged one and a document, from a file and from standard input."""
    packed = gzip.compress((VERSE * 2).encode())
    document = FORMATS["docx"][0]
    (tmp_path / "t.txt").write_text(VERSE)
    for name, data in (("t.txt.gz", packed), ("cut.gz", packed[:-9]), ("book.docx", document)):
        (tmp_path / name).write_bytes(data)
        for file in {"t.txt.gz": (name, "-"), "cut.gz": (name,)}.get(name, ("-",)):
            call = [{"{}": file, "MODEL": str(trained)}.get(word, word) for word in words.split()]
            done = charlstm(*call, cwd=tmp_path, input=data)
            said = done.stderr.decode()
            label = "standard input" if file == "-" else name
            if name == "t.txt.gz":
                assert done.returncode == 0, said
            else:
                fault = "cut or damaged, gzip" if name == "cut.gz" else "a Word document"
                assert done.returncode == 1
                assert f"charlstm: error: {label}: {fault}" in said
                assert "encoding" not in said
            for made in tmp_path.glob("out*/*"):
                made.unlink()
            for made in tmp_path.glob("out*"):
                made.rmdir()
