"""Texts from files, directories and pipes: normalised, counted, refused with a place."""

import os
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from charlstm.cli.hints import explained
from charlstm.errors import CorpusError, OptionError
from charlstm.text import decoding
from charlstm.text.corpus import Corpus, code_points, open_corpus, survey
from charlstm.text.decoding import Source, TextOptions


def read(*places: Path, **options: object) -> tuple[str, tuple[str, ...]]:
    """The text and the notes of a corpus."""
    notes: list[str] = []
    opened = open_corpus([str(place) for place in places], TextOptions(**options))  # type: ignore[arg-type]
    return "".join(opened.chunks(notes)), tuple(notes)


def written(tmp_path: Path, data: bytes, name: str = "a.txt") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("data", "text", "said"),
    [
        (b"plain\n", "plain\n", ()),
        (b"\xef\xbb\xbfmarked\n", "marked\n", ("byte-order mark",)),
        (b"one\n\xef\xbb\xbftwo\n", "one\ntwo\n", ("byte-order mark",)),
        (b"a\r\nb\r\n", "a\nb\n", ("CRLF",)),
        (b"a\rb\r", "a\nb\n", ("CR line",)),
        (b"\xef\xbb\xbfa\r\nb\rc\n", "a\nb\nc\n", ("byte-order mark", "CRLF and CR")),
        ("h\u00e9 \U0001f600 e\u0301\n".encode(), "h\u00e9 \U0001f600 e\u0301\n", ()),
    ],
)
def test_a_text_is_normalised_and_that_is_said(
    tmp_path: Path, data: bytes, text: str, said: tuple[str, ...]
) -> None:
    """Byte-order mark and line ends are made even; each change is one note."""
    got, notes = read(written(tmp_path, data))
    assert got == text
    assert len(notes) == len(said)
    assert all(word in note for word, note in zip(said, notes, strict=True))


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), st.booleans())
@example("\u039f\u0394\u039f\u03a3", True)
def test_chunks_never_change_the_text(text: str, lowercase: bool) -> None:
    """Wherever a chunk ends, in a character or between CR and LF, the text is the same."""
    data = text.encode()
    source = Source(Path("-"), _Bytes(data))  # type: ignore[arg-type]
    options = TextOptions(lowercase=lowercase)
    expected = text.replace("\ufeff", "").replace("\r\n", "\n").replace("\r", "\n")
    expected = options.cased(expected)
    for size in (1, 2, 3, 7):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(decoding, "CHUNK_BYTES", size)
            assert "".join(Corpus("x", (source,), options).chunks()) == expected


class _Bytes:
    """A rewindable stream."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def seek(self, place: int) -> None:
        self.place = place

    def read(self, size: int) -> bytes:
        part = self.data[self.place : self.place + size]
        self.place += len(part)
        return part


def test_files_are_joined_at_line_ends(tmp_path: Path) -> None:
    """A file without a last line end does not run into the next."""
    a, b = written(tmp_path, b"one", "a.txt"), written(tmp_path, b"two", "b.txt")
    assert read(a, b)[0] == "one\ntwo"


def test_a_directory_is_its_texts_in_order(tmp_path: Path) -> None:
    """Only ``*.txt``, sorted by name."""
    for name in ("b.txt", "a.txt", "c.md"):
        written(tmp_path, name[0].encode() + b"\n", name)
    written(tmp_path, b"\0\5\x16\7", "._a.txt")  # as macOS puts into archives
    assert read(tmp_path)[0] == "a\nb\n"
    assert open_corpus([str(tmp_path)], TextOptions()).name == tmp_path.name


def test_a_pipe_can_be_read_twice(tmp_path: Path) -> None:
    """A named pipe, or what a shell's <(...) gives, is a corpus like any other."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("through a pipe\n",))
    writer.start()
    opened = open_corpus([str(pipe)], TextOptions())
    writer.join()
    assert ["".join(opened.chunks()) for _ in range(2)] == ["through a pipe\n"] * 2


@pytest.mark.parametrize(
    ("data", "encoding", "said"),
    [
        (b"caf\xe9\n", "utf-8", ["0xe9", "offset 3", "--encoding"]),
        (b"x" * 10 + b"\xff", "utf-8", ["0xff", "offset 10"]),
        ("hi\n".encode("utf-16"), "utf-8", ["offset 0", "--encoding utf-16"]),
        (b"ab\0cd", "utf-8", ["NUL", "offset 2"]),
        (b"\xc3", "utf-8", ["0xc3", "offset 0"]),
        (b"", "utf-8", ["empty"]),
        (b"+2AA-", "utf-7", ["lone surrogate"]),
        (b"h\0i\0", "utf-8", ["NUL", "offset 1", "utf-16-le"]),
        (b"\0h\0i", "utf-8", ["NUL", "offset 0", "utf-16-be"]),
        (b"h\0i\0", "utf-16", ["cannot be read as utf-16", "utf-16-le"]),
    ],
)
def test_what_is_no_text_is_refused_with_its_place(
    tmp_path: Path, data: bytes, encoding: str, said: list[str]
) -> None:
    """File, byte and offset stand in the message, and what to do."""
    path = written(tmp_path, data)
    with pytest.raises(CorpusError) as caught:
        survey(open_corpus([str(path)], TextOptions(encoding=encoding)))
    for words in [str(path), *said]:
        assert words in explained(caught.value)


def test_the_offset_counts_from_the_start_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks before, and a character cut by a chunk, are counted in."""
    monkeypatch.setattr(decoding, "CHUNK_BYTES", 4)
    path = written(tmp_path, "aaa\u00e9\u20ac".encode() + b"\xff")
    with pytest.raises(CorpusError, match="0xff at offset 8"):
        survey(open_corpus([str(path)], TextOptions()))


def test_another_encoding_is_read_when_named(tmp_path: Path) -> None:
    """The bytes of latin-1 become the characters they stand for."""
    assert read(written(tmp_path, b"caf\xe9"), encoding="latin-1")[0] == "caf\u00e9"


@pytest.mark.parametrize("name", ["no-such-codec", "hex", "rot13", ""])
def test_an_encoding_that_is_none_is_refused(name: str) -> None:
    """Unknown codecs, and codecs that are not for text."""
    with pytest.raises(OptionError, match="encoding"):
        TextOptions(encoding=name)


def test_a_missing_file_and_a_directory_without_texts_are_refused(tmp_path: Path) -> None:
    """Each is named."""
    with pytest.raises(CorpusError, match=r"absent\.txt: no such file"):
        open_corpus([str(tmp_path / "absent.txt")], TextOptions())
    with pytest.raises(CorpusError, match=r"no \*\.txt"):
        open_corpus([str(tmp_path)], TextOptions())


def test_names_that_only_look_like_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``./-`` is a file; an empty name is a slip in a shell script."""
    monkeypatch.chdir(tmp_path)
    Path("-").write_text("a file\n")
    assert "".join(open_corpus(["./-"], TextOptions()).chunks()) == "a file\n"
    with pytest.raises(OptionError, match="empty name"):
        open_corpus([""], TextOptions())


def test_survey_counts_every_character(tmp_path: Path) -> None:
    """Counts by code point, beyond the BMP too; the fingerprint is of the normalised text."""
    found = survey(
        open_corpus([str(written(tmp_path, "b\u00e9a\U0001f600a".encode()))], TextOptions())
    )
    assert found.counts == {"a": 2, "b": 1, "\u00e9": 1, "\U0001f600": 1}
    assert list(found.counts) == sorted(found.counts)
    assert found.fingerprint.characters == 5
    same = survey(open_corpus([str(written(tmp_path, b"x\r\n", "crlf"))], TextOptions()))
    other = survey(open_corpus([str(written(tmp_path, b"x\n", "lf"))], TextOptions()))
    assert same.fingerprint.sha256 == other.fingerprint.sha256


def test_lowercase_is_applied(tmp_path: Path) -> None:
    """Before anything is counted."""
    assert read(written(tmp_path, "\u00c9TUDE".encode()), lowercase=True)[0] == "\u00e9tude"


def test_code_points_of_any_text() -> None:
    """One number a character, whatever its plane."""
    assert code_points("a\u20ac\U0001f600").tolist() == [0x61, 0x20AC, 0x1F600]


def test_the_folio_is_normalised(shared_corpora: Path) -> None:
    """A real text with a byte-order mark and CRLF line ends."""
    text, notes = read(shared_corpora / "macbeth-folio-bom-crlf.txt")
    assert "\r" not in text
    assert not text.startswith("\ufeff")
    assert len(notes) == 2


@pytest.mark.skipif(sys.platform == "darwin", reason="file names are UTF-8 there")
def test_a_name_that_is_not_utf8_can_be_written_down(tmp_path: Path) -> None:
    """The corpus is called by what of its name is UTF-8."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt"))
    path.write_text("to be")
    assert open_corpus([str(path)], TextOptions()).name == "caf\ufffd"


def test_a_name_too_long_is_refused(tmp_path: Path) -> None:
    """As any file that cannot be opened."""
    with pytest.raises(CorpusError, match="cannot be read: File name too long"):
        open_corpus(["x" * 5000], TextOptions())
