"""What a text copies: against the definitions taken word for word, and as a command."""

import json
import re
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from charlstm.analysis.novelty import (
    NGRAMS,
    Position,
    SuffixIndex,
    WholeText,
    compare,
    longest_passages,
    matching_statistics,
    maximal_passages,
    ngram_share,
    read_whole,
)
from charlstm.errors import CorpusError, OptionError
from charlstm.text.corpus import open_corpus
from charlstm.text.decoding import TextOptions

from .conftest import Run
from .test_streams import shell, terminal

# Few characters, so that much is shared; of one byte and of four, and the ends of Unicode.
few = st.one_of(
    st.text("ab", max_size=40),
    st.text("ab\n\u2019\U0001f600", max_size=40),
    st.text("a\0\uffff\U0010ffff", max_size=40),
)


def whole(text: str, name: str = "t") -> WholeText:
    return WholeText(name, text, (0,), (f"{name}.txt",))


def naive_lengths(corpus: str, text: str) -> list[int]:
    """The longest prefix of each suffix of the text that the corpus holds."""
    return [
        max(n for n in range(len(text) - i + 1) if text[i : i + n] in corpus)
        for i in range(len(text))
    ]


def naive_maximal(corpus: str, text: str) -> list[tuple[int, int]]:
    """Start and end of what is in the corpus and is not with one character more."""
    return [
        (i, j)
        for i in range(len(text))
        for j in range(i + 1, len(text) + 1)
        if text[i:j] in corpus
        and (i == 0 or text[i - 1 : j] not in corpus)
        and (j == len(text) or text[i : j + 1] not in corpus)
    ]


@given(few, few)
@example("", "")
@example("", "ab")
@example("ab", "")
@example("a" * 9, "a" * 30)
@example("ab", "aab\0ab")
def test_lengths_and_passages_are_as_defined(corpus: str, text: str) -> None:
    """At every place, whatever the characters."""
    lengths = matching_statistics(corpus, text)
    assert lengths.tolist() == naive_lengths(corpus, text)
    starts = maximal_passages(lengths)
    ends = starts + lengths[starts]
    assert list(zip(starts.tolist(), ends.tolist(), strict=True)) == naive_maximal(corpus, text)


@given(few, few, st.integers(1, 6))
def test_ngram_shares_are_as_defined(corpus: str, text: str, n: int) -> None:
    """Windows that the corpus holds among all windows; None where there is no window."""
    windows = [text[i : i + n] for i in range(len(text) - n + 1)]
    share = sum(w in corpus for w in windows) / len(windows) if windows else None
    assert ngram_share(matching_statistics(corpus, text), n) == share


@given(few, few, st.integers(0, 5), st.integers(1, 4))
def test_the_list_is_as_defined(corpus: str, text: str, top: int, least: int) -> None:
    """Longest first, then by place; middles that are shown already and repetitions left out."""
    shown: set[int] = set()
    expected: dict[str, int] = {}
    for i, j in sorted(naive_maximal(corpus, text), key=lambda ends: (ends[0] - ends[1], ends[0])):
        if j - i >= least and (i + j) // 2 not in shown:
            shown |= set(range(i, j))
            expected.setdefault(text[i:j], i)
    lengths = matching_statistics(corpus, text)
    found = longest_passages(text, lengths, top=top, min_length=least)
    assert found == [(i, passage) for passage, i in expected.items()][:top]


@given(few, few)
def test_the_index_knows_what_the_corpus_holds(corpus: str, text: str) -> None:
    """Every passage of the text, and the text itself."""
    index = SuffixIndex(corpus)
    for i, j in combinations(range(len(text) + 1), 2):
        assert (text[i:j] in index) == (text[i:j] in corpus)


@pytest.mark.parametrize("shift", [0x20, 0x4E00, 0x1F300])
@pytest.mark.parametrize("size", [60, 300, 5000])
def test_vocabularies_of_any_size(shift: int, size: int) -> None:
    """Below and above 256 characters, in and beyond the first plane."""
    corpus = "".join(chr(shift + i) for i in range(size))
    text = corpus[10:40] + "\u00e9" + corpus[5:25]
    found = compare(whole(corpus), whole(text))
    assert found.longest == 30
    assert [(p.passage, p.in_corpus.offset) for p in found.passages] == [
        (corpus[10:40], 10),
        (corpus[5:25], 5),
    ]
    index = SuffixIndex(corpus)
    assert corpus[-9:] in index
    assert corpus[10:40] in index
    assert text not in index


CORPUS = "the cat sat\non the mat\n"


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("the cat sat", [(0, "the cat sat")]),
        ("THE CAT", [(3, " ")]),
        ("xyz", []),
        ("a cat on the mat", [(6, "on the mat"), (1, " cat "), (0, "a")]),
        ("at the", [(2, " the"), (0, "at ")]),
        ("mat mat", [(3, " mat"), (0, "mat")]),
        ("the the", [(0, "the "), (3, " the")]),
    ],
)
def test_passages_of_small_texts(text: str, listed: list[tuple[int, str]]) -> None:
    """Cases worked by hand."""
    assert longest_passages(text, matching_statistics(CORPUS, text), top=9) == listed


def test_shares_of_small_texts() -> None:
    """All of a copy, none of what is shorter than the n-gram or new."""
    text = "x" * 56 + "abcdefgh"
    found = compare(whole("abcdefgh"), whole(text))
    assert found.shares == {8: 1 / 57, 16: 0.0, 32: 0.0, 64: 0.0}
    assert compare(whole(text), whole(text)).shares == dict.fromkeys(NGRAMS, 1.0)
    assert compare(whole(text), whole("abc")).shares == dict.fromkeys(NGRAMS)


def test_places_in_several_files(tmp_path: Path) -> None:
    """File, offset, line and column of each, after line ends were made even."""
    (tmp_path / "1.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo")  # its last line is open
    (tmp_path / "2.txt").write_bytes(b"")
    (tmp_path / "3.txt").write_bytes("\u00e9\U0001f600 three\nfour\n".encode())
    notes: list[str] = []
    read = read_whole(open_corpus([str(tmp_path)], TextOptions()), notes)
    one, three = str(tmp_path / "1.txt"), str(tmp_path / "3.txt")
    assert read.text == "one\ntwo\n\u00e9\U0001f600 three\nfour\n"
    assert len(notes) == 2
    for words, place in [
        ("one", Position(one, 0, 1, 1)),
        ("wo", Position(one, 5, 2, 2)),
        ("\n\u00e9", Position(one, 7, 2, 4)),
        ("\u00e9", Position(three, 0, 1, 1)),
        ("three", Position(three, 3, 1, 4)),
        ("four", Position(three, 9, 2, 1)),
    ]:
        assert read.position(read.text.index(words)) == place


def test_the_same_file_twice_has_two_beginnings(tmp_path: Path) -> None:
    """Places are counted from where a file begins, each time that it is read."""
    (tmp_path / "a.txt").write_text("one\ntwo")
    read = read_whole(open_corpus([str(tmp_path / "a.txt")] * 2, TextOptions()))
    assert read.text == "one\ntwo\none\ntwo"
    assert read.starts == (0, 8)


@pytest.mark.parametrize("options", [{"top": -1}, {"min_length": 0}, {"min_length": True}])
def test_options_that_make_no_sense(options: dict[str, int]) -> None:
    """With the value."""
    with pytest.raises(OptionError, match="whole number"):
        compare(whole("a"), whole("b"), **options)


def test_an_empty_text_is_refused(tmp_path: Path) -> None:
    """By name."""
    (tmp_path / "t.txt").touch()
    with pytest.raises(CorpusError, match=r"t\.txt: empty"):
        read_whole(open_corpus([str(tmp_path / "t.txt")], TextOptions()))


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """A directory of two texts."""
    directory = tmp_path / "books"
    directory.mkdir()
    (directory / "a.txt").write_text("The tide came in\nand took the lower stair.\n")
    (directory / "b.txt").write_text("And someone on the quay\nput out a hand.\n")
    return directory


def test_in_a_pipe_two_tables_of_tab_separated_lines(charlstm: Run, books: Path) -> None:
    """Measures, an empty line, passages; escapes for what is not printable; nothing on stderr."""
    text = "I saw someone on the quay\nput out a lamp.\nThe tide came in\tlate.\n"
    done = charlstm("novelty", books, input=text.encode())
    assert (done.returncode, done.stderr) == (0, b"")
    measures, passages = done.stdout.decode().removesuffix("\n").split("\n\n")
    assert [line.split("\t") for line in measures.splitlines()] == [
        ["property", "value"],
        ["text", "standard input"],
        ["characters", str(len(text))],
        ["corpus", "books"],
        ["corpus characters", "83"],
        ["longest passage", "31"],
        ["8-grams in corpus", f"{(24 + 9) / (len(text) - 7):.6f}"],
        ["16-grams in corpus", f"{(16 + 1) / (len(text) - 15):.6f}"],
        ["32-grams in corpus", "0.000000"],
        ["64-grams in corpus", "0.000000"],
    ]
    assert [line.split("\t") for line in passages.splitlines()] == [
        ["length", "text", "corpus", "passage"],
        ["31", "1:6", f"{books}/b.txt:1", " someone on the quay\\nput out a "],
        ["16", "3:1", f"{books}/a.txt:1", "The tide came in"],
    ]


def test_as_json_one_object(charlstm: Run, books: Path, tmp_path: Path) -> None:
    """With the promised keys; null where there is no n-gram."""
    (tmp_path / "t.txt").write_text("\U0001f600\nput out a \u00e9")
    card = json.loads(charlstm("novelty", books, tmp_path / "t.txt", "--json").stdout)
    assert card == {
        "text": str(tmp_path / "t.txt"),
        "characters": 13,
        "corpus": "books",
        "corpus_characters": 83,
        "longest": 11,
        "shares": {"8": 4 / 6, "16": None, "32": None, "64": None},
        "passages": [
            {
                "length": 11,
                "passage": "\nput out a ",
                "in_text": {"file": str(tmp_path / "t.txt"), "offset": 1, "line": 1, "column": 2},
                "in_corpus": {"file": f"{books}/b.txt", "offset": 23, "line": 1, "column": 24},
            }
        ],
    }


def test_options_choose_what_is_compared_and_listed(charlstm: Run, books: Path) -> None:
    """Case, encoding, how many passages, how long at least."""
    shout = "THE TIDE CAME IN; CAF\u00c9".encode("latin-1")
    words = ["novelty", books, "-", "--encoding", "latin-1", "--json"]
    found = json.loads(charlstm(*words, input=shout).stdout)
    assert (found["longest"], found["passages"]) == (1, [])
    found = json.loads(charlstm(*words, "--lowercase", input=shout).stdout)
    assert [p["passage"] for p in found["passages"]] == ["the tide came in"]
    assert json.loads(charlstm(*words, "--lowercase", "--top", 0, input=shout).stdout)["longest"]
    short = json.loads(charlstm(*words, "--min-length", 2, input=b"zq the z").stdout)
    assert [p["passage"] for p in short["passages"]] == [" the "]


def test_what_was_normalised_is_said_on_stderr(charlstm: Run, books: Path, tmp_path: Path) -> None:
    """Of both texts, unless ``-q`` is given; and CRLF does not hide a copy."""
    (tmp_path / "t.txt").write_bytes(b"the quay\r\nput out a hand.\r\n")
    done = charlstm("novelty", books, tmp_path / "t.txt", "--json")
    assert b"CRLF line ends read as LF" in done.stderr
    assert json.loads(done.stdout)["longest"] == 25
    assert charlstm("novelty", books, tmp_path / "t.txt", "-q").stderr == b""


def test_generated_text_by_pipe(
    environment: dict[str, str], trained: Path, play: Path, tmp_path: Path
) -> None:
    """The text of a model against what it has learned."""
    line = (
        f"charlstm generate -m {trained} -n 500 -q --no-echo | charlstm novelty {play} --json; "
        f"echo ${{PIPESTATUS[@]}} >&2"
    )
    done = shell(line, environment, tmp_path)
    assert done.stderr == b"0 0\n"
    assert json.loads(done.stdout)["characters"] == 500


def test_a_closed_pipe_ends_it_silently(
    environment: dict[str, str], tmp_path: Path, play: Path
) -> None:
    """As any filter, by the signal."""
    line = f"(sleep 1; charlstm novelty {play} {play}; echo $? >&2) | true"
    done = shell(line, environment, tmp_path)
    assert done.stderr == b"141\n"


@pytest.mark.parametrize(
    ("begins", "columns"), [("The tide came in and took", 1), ("\u5bb6" * 9, 2)]
)
def test_on_a_terminal_a_passage_has_one_line(
    environment: dict[str, str], tmp_path: Path, begins: str, columns: int
) -> None:
    """Tables within 80 columns, of wide characters too; the file goes by its last name."""
    (tmp_path / "verse.txt").write_text(begins * 20)
    shown = terminal(f"novelty {tmp_path}/verse.txt {tmp_path}/verse.txt", environment).read()
    lines = [line.rstrip() for line in re.sub("\x1b\\[[0-9;]*m", "", shown).splitlines()]
    (row,) = [line for line in lines if "verse.txt:1 " in line]
    assert not any(lines[lines.index(row) + 1 :])  # the passage goes no further
    assert begins in row
    assert row.endswith("\u2026")
    passage = row.split(" verse.txt:1 ")[1].strip()
    assert len(row) + (columns - 1) * (len(passage) - 1) <= 80


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["-"], 2, ["both standard input"]),
        (["-", "-"], 2, ["both standard input"]),
        (["t.txt", "dir"], 2, ["dir: a directory"]),
        (["t.txt", ""], 2, ["empty name"]),
        (["", "t.txt"], 2, ["empty name"]),
        (["t.txt"], 1, ["standard input: empty"]),
        (["empty.txt", "t.txt"], 1, ["empty.txt: empty"]),
        (["dir", "t.txt"], 1, ["dir: no *.txt"]),
        (["absent.txt", "t.txt"], 1, ["absent.txt: no such file"]),
        (["t.txt", "absent.txt"], 1, ["absent.txt: no such file"]),
        (
            ["latin.txt", "t.txt", "--encoding", "utf-8"],
            1,
            ["latin.txt", "0xe9", "offset 3", "--encoding"],
        ),
        (
            ["t.txt", "latin.txt", "--encoding", "utf-8"],
            1,
            ["latin.txt", "0xe9", "offset 3", "--encoding"],
        ),
        (["t.txt", "t.txt", "t.txt"], 2, ["t.txt"]),
        (["t.txt", "t.txt", "--top", "-1"], 2, ["top is -1"]),
        (["t.txt", "t.txt", "--min-length", "0"], 2, ["--min-length is 0"]),
        (["t.txt", "t.txt", "--encoding", "klingon"], 2, ["klingon"]),
    ],
)
def test_bad_input_is_one_line(
    charlstm: Run, tmp_path: Path, words: list[str], status: int, said: list[str]
) -> None:
    """What is wrong, with the value, and the status; nothing on stdout."""
    (tmp_path / "dir").mkdir()
    (tmp_path / "t.txt").write_text("a text\n")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    done = charlstm("novelty", *words, cwd=tmp_path)
    message = done.stderr.decode()
    assert (done.returncode, done.stdout) == (status, b"")
    assert message.startswith("charlstm: error: ")
    assert message.count("\n") == 1
    for word in said:
        assert word in message
