"""``charlstm score``: a filter that shows how surprising texts, lines and characters are."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pexpect
import pytest

import charlstm as package
from charlstm.cli.reading import BLOCK_BYTES
from charlstm.model.model_file import save_model

from .conftest import VERSE, Run
from .examples import ROOT, blocks_of, readme_lines, run
from .test_streams import shell, terminal
from .writing import make_model

Score = Callable[..., list[list[str]]]


@pytest.fixture(scope="module")
def score(charlstm: Run, trained: Path) -> Score:
    """Run the command without a complaint, and split its rows."""

    def rows(*words: object, **options: Any) -> list[list[str]]:
        done = charlstm("score", "-m", trained, *words, **options)
        assert (done.returncode, done.stderr) == (0, b"")
        return [line.split("\t") for line in done.stdout.decode().split("\n")[:-1]]

    return rows


@pytest.fixture(scope="module")
def model(trained: Path) -> package.LanguageModel:
    """The small trained model."""
    return package.load(trained)


def bits(score: package.Score) -> str:
    """Bits per character as a row shows them."""
    return "-" if score.bits_per_char is None else f"{score.bits_per_char:.4f}"


def test_each_file_has_a_row(score: Score, model: package.LanguageModel, tmp_path: Path) -> None:
    """In the order of the arguments, line ends are counted, an empty file has no number."""
    for name, text in (("a.txt", VERSE), ("b.txt", "The tide"), ("empty", "")):
        (tmp_path / name).write_text(text)
    rows = score("b.txt", "a.txt", "-", "empty", cwd=tmp_path, input=b"And\n")
    expected = [("b.txt", "The tide"), ("a.txt", VERSE), ("-", "And\n"), ("empty", "")]
    assert rows == [[bits(model.score(t)), str(len(t)), "0.0000", name] for name, t in expected]


def test_each_line_has_a_row(score: Score, model: package.LanguageModel) -> None:
    """Without its end, as if it stood alone; the last line needs no end."""
    rows = score("--lines", input=b"The tide\r\nAnd\rnobody\n\nAnd")
    lines = ["The tide", "And", "nobody", "", "And"]
    assert rows == [[bits(model.score(line)), str(len(line)), "0.0000", line] for line in lines]
    assert rows[3][0] == "-"


def test_each_character_has_a_row(score: Score, model: package.LanguageModel) -> None:
    """Line ends too, escaped."""
    rows = score("--chars", input=b"The\nAnd")
    expected = model.score("The\nAnd").bits
    assert rows == [[f"{b:.4f}", c] for b, c in zip(expected, [*"The", "\\n", *"And"], strict=True)]


@pytest.mark.parametrize("words", [["--lines"], ["--chars"]])
def test_rows_of_several_files_name_theirs(score: Score, tmp_path: Path, words: list[str]) -> None:
    """In a last column, which one file alone does not need."""
    (tmp_path / "a.txt").write_text("The")
    (tmp_path / "b.txt").write_text("And")
    both = score(*words, "a.txt", "b.txt", cwd=tmp_path)
    one = score(*words, "a.txt", cwd=tmp_path)
    assert [row[-1] for row in both] == ["a.txt"] * (len(both) // 2) + ["b.txt"] * (len(both) // 2)
    assert [row[:-1] for row in both[: len(both) // 2]] == one


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ([], {"bits_per_char", "characters", "unknown", "file"}),
        (["--lines"], {"bits_per_char", "characters", "unknown", "line", "number", "file"}),
        (["--chars"], {"bits", "character", "unknown", "position", "file"}),
    ],
)
def test_json_has_an_object_a_row(
    charlstm: Run, trained: Path, words: list[str], keys: set[str]
) -> None:
    """With the numbers unrounded, and what belongs to them."""
    done = charlstm("score", "-m", trained, "--json", *words, input=b"The\n\nAnd")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(row.keys() == keys and row["file"] == "-" for row in rows)
    if "number" in keys:
        assert [(row["number"], row["line"]) for row in rows] == [(1, "The"), (2, ""), (3, "And")]
        assert rows[1]["bits_per_char"] is None
    elif "position" in keys:
        assert "".join(row["character"] for row in rows) == "The\n\nAnd"
        assert [row["position"] for row in rows] == list(range(1, 9))
    else:
        assert rows[0]["characters"] == 8


def test_a_line_is_answered_before_the_input_ends(
    environment: dict[str, str], trained: Path
) -> None:
    """So that it works behind ``tail -f``: no buffer holds a row back."""
    with subprocess.Popen(
        [sys.executable, "-m", "charlstm", "score", "-m", str(trained), "--lines"],
        env={k: v for k, v in environment.items() if k != "PYTHONUNBUFFERED"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        for word in (b"The", b"And", b"I"):
            process.stdin.write(word + b"\n" + b"begun ")
            process.stdin.flush()
            assert process.stdout.readline().endswith(word + b"\n")
        process.stdin.close()
        assert process.stdout.read().endswith(b"\tbegun \n")
        assert process.wait(60) == 0


def test_many_lines_come_in_their_order(score: Score) -> None:
    """More than are read at once; the same line has the same number wherever it stands."""
    lines = [f"{line} {'and ' * (i % 9)}" for i, line in enumerate(VERSE.split("\n")[:4] * 900)]
    rows = score("--lines", input="\n".join(lines).encode())
    assert [row[-1] for row in rows] == lines
    numbers: dict[str, set[float]] = {}
    for row in rows:
        numbers.setdefault(row[-1], set()).add(float(row[0]))
    assert all(max(found) - min(found) < 2e-4 for found in numbers.values())


def test_a_huge_line_is_a_line(score: Score) -> None:
    """Longer than what is read at once, and than what is scored side by side."""
    (row,) = score("--lines", input=b"The tide came in " * 12_000)
    assert row[1:] == [str(17 * 12_000), "0.0000", "The tide came in " * 12_000]


def test_a_reader_that_has_enough_ends_the_command(
    environment: dict[str, str], trained: Path, tmp_path: Path
) -> None:
    """Silently, by the signal."""
    (tmp_path / "t.txt").write_text(VERSE * 400)
    line = f"charlstm score -m {trained} --lines t.txt | head -n 1; echo ${{PIPESTATUS[0]}} >&2"
    done = shell(line, environment, tmp_path)
    assert done.stdout.endswith(b"\tThe tide came in and took the lower stair,\n")
    assert done.stderr == b"141\n"


def test_a_row_is_one_line_of_its_columns(charlstm: Run, tmp_path: Path) -> None:
    """Tabs and control characters in a line, or in the name of a file, are escaped."""
    save_model(make_model("ab\t\x1b\u2028\n"), tmp_path / "model")
    (tmp_path / "a\tb").write_text("a\tb\x1b\u2028\n")
    done = charlstm("score", "-m", "model", "--lines", "a\tb", "-", cwd=tmp_path, input=b"")
    assert done.stdout.decode().split("\t")[1:] == ["5", "0.0000", "a\\tb\\x1b\\u2028", "a\\tb\n"]


def test_a_line_with_unknown_characters_keeps_its_row(charlstm: Run, trained: Path) -> None:
    """It is reported with its number, the others are scored, and the status is 1 at the end."""
    words = ["score", "-m", trained, "--lines"]
    done = charlstm(*words, input="The\n\u20ac\nAnd\n".encode())
    assert done.returncode == 1
    assert done.stderr.decode().startswith("charlstm: error: line 2: the model never saw '\u20ac'")
    assert done.stderr.count(b"\n") == 1
    rows = [line.split("\t") for line in done.stdout.decode().splitlines()]
    assert rows[1] == ["-", "-", "-", "\u20ac"]
    assert [row[-1] for row in rows] == ["The", "\u20ac", "And"]
    (unread,) = charlstm(*words, "--json", input="\u20ac".encode()).stdout.splitlines()
    expected = {"bits_per_char": None, "characters": None, "unknown": None}
    assert json.loads(unread) == {**expected, "line": "\u20ac", "number": 1, "file": "-"}


def test_unknown_characters_as_one_asks(
    charlstm: Run, trained: Path, model: package.LanguageModel
) -> None:
    """They cost as much as the least probable one, or are replaced; their share is shown."""
    text = "Th\u00e9 \u4e2dtide"
    for unknown, share in (("skip", 2 / 9), ("nearest", 1 / 9)):
        for words in ([], ["--lines"]):
            words = ["score", "-m", trained, *words, "--unknown", unknown]
            done = charlstm(*words, input=text.encode())
            expected = bits(model.score(text, unknown=unknown))  # type: ignore[arg-type]
            row = done.stdout.decode().rstrip("\n").split("\t")
            assert row[:3] == [expected, "9", f"{share:.4f}"]
            said = (
                f"standard input: {100 * share:.3g} % of the characters are unknown to the model ("
            )
            assert done.stderr.decode().startswith(said)
            assert "(U+4E2D)); each counts as the least probable one" in done.stderr.decode()


def test_a_few_unknown_characters_are_no_reason_for_a_message(score: Score) -> None:
    """Up to one in a hundred; the column has them."""
    (row,) = score("--unknown", "skip", input=(VERSE + "\u4e2d").encode())
    assert 0 < float(row[2]) < 0.01


def test_a_text_of_unknown_characters_is_not_like_the_corpus(
    score: Score, charlstm: Run, trained: Path, tmp_path: Path
) -> None:
    """It stands behind one in known letters, though little of it can be read."""
    (tmp_path / "known.txt").write_text("xylophones quiz the jovial wombat\n" * 20)
    (tmp_path / "foreign.txt").write_text(
        "\u0431\u0443\u0440\u044f the \u043c\u0433\u043b\u0430\n" * 20
    )
    words = ("score", "-m", trained, "--unknown", "skip", "foreign.txt", "known.txt")
    rows = charlstm(*words, cwd=tmp_path).stdout.decode().splitlines()
    assert [
        row.split("\t")[-1] for row in sorted(rows, key=lambda row: float(row.split("\t")[0]))
    ] == [
        "known.txt",
        "foreign.txt",
    ]


def test_a_file_that_cannot_be_read_does_not_keep_the_others(
    charlstm: Run, trained: Path, tmp_path: Path
) -> None:
    """Each is reported, the others have their rows, and the status is 1 at the end."""
    (tmp_path / "good.txt").write_text("The")
    (tmp_path / "bad.txt").write_bytes(b"The\xff")
    (tmp_path / "euro.txt").write_text("\u20ac")
    bad = ["absent", ".", "", "bad.txt", "euro.txt"]
    for words in ([], ["--lines"], ["--chars"]):
        files = ["good.txt", *bad, "good.txt"]
        done = charlstm("score", "-m", trained, *words, *files, cwd=tmp_path)
        assert done.returncode == 1
        rows = done.stdout.decode().splitlines()
        good = [row for row in rows if row.endswith("good.txt")]
        assert good[: len(good) // 2] == good[len(good) // 2 :] != []
        assert done.stderr.decode().count("charlstm: error: ") == len(bad)


def test_a_model_of_small_letters_reads_small_letters(charlstm: Run, tmp_path: Path) -> None:
    """The row shows the line as it was given."""
    save_model(make_model("ab\n", lowercase=True), tmp_path / "model")
    done = charlstm("score", "-m", "model", "--lines", cwd=tmp_path, input=b"AB\nab\n")
    upper, lower = (line.split("\t") for line in done.stdout.decode().splitlines())
    assert (upper[0], upper[-1], lower[-1]) == (lower[0], "AB", "ab")


@pytest.mark.parametrize("words", [["--lines"], ["--chars"]])
@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("\ufeffThe tide\r\nAnd\r\n".encode(), "utf-8"),
        ("The tide\nAnd\n".encode("utf-16"), "utf-16"),
        ("The tide\rAnd\n".encode("utf-16-be"), "utf-16-be"),
    ],
)
def test_every_encoding_is_the_same_text(
    score: Score, words: list[str], data: bytes, encoding: str
) -> None:
    """And every kind of line end."""
    assert score(*words, "--encoding", encoding, input=data) == score(
        *words, input=b"The tide\nAnd\n"
    )


@pytest.mark.parametrize(
    ("words", "data", "status", "said"),
    [
        (["absent"], b"", 1, "absent: no such file; check the name"),
        (["."], b"", 1, ".: a directory"),
        ([""], b"", 1, "empty name"),
        (["x" * 5000], b"", 1, "File name too long"),
        ([], b"\xff\xfe\x00", 1, "standard input: line 1: byte 0x00 at offset 2 is not utf-16"),
        (["--chars"], b"The\0", 1, "standard input: line 1: NUL byte at offset 3"),
        (["--lines"], b"The\0", 1, "standard input: line 1: NUL byte at offset 3"),
        (["--encoding", "guess"], b"", 2, "--encoding is 'guess'"),
    ],
)
def test_what_cannot_be_scored(
    charlstm: Run,
    trained: Path,
    tmp_path: Path,
    words: list[str],
    data: bytes,
    status: int,
    said: str,
) -> None:
    """One line, before anything is written."""
    done = charlstm("score", "-m", trained, *words, input=data, cwd=tmp_path)
    message = done.stderr.decode()
    assert (done.returncode, done.stdout) == (status, b"")
    assert message.startswith("charlstm: error: ")
    assert message.count("\n") == 1
    assert said in message


def test_a_model_that_is_not_there(charlstm: Run) -> None:
    """It is an error before any text is read."""
    done = charlstm("score", "-m", "absent", input=b"abc")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"absent: no such model" in done.stderr


def test_an_accent_after_the_end_of_a_block(charlstm: Run, tmp_path: Path) -> None:
    """A file is read in blocks, and an accent is composed with the letter in the block before."""
    save_model(make_model("e\u00e9\n"), tmp_path / "model")
    (tmp_path / "text").write_text("e" * BLOCK_BYTES + "\u0301")
    words = ("-m", tmp_path / "model", "--unknown", "nearest", "--chars", tmp_path / "text")
    done = charlstm("score", *words)
    assert (done.returncode, done.stderr) == (0, b"")
    rows = done.stdout.decode().splitlines()
    assert len(rows) == BLOCK_BYTES
    assert rows[-1].endswith("\t\u00e9")


def test_a_whole_text_with_unknown_characters_is_an_error(charlstm: Run, trained: Path) -> None:
    """With the name of the text, and what to do."""
    for words in ([], ["--chars"]):
        done = charlstm("score", "-m", trained, *words, input="The\n\u20ac".encode())
        assert (done.returncode, done.stdout) == (1, b"")
        message = "charlstm: error: standard input: the model never saw '\u20ac' (U+20AC); count"
        assert done.stderr.decode().startswith(message)


def test_lines_before_a_fault_are_scored(charlstm: Run, trained: Path) -> None:
    """A byte that is no text is reported with its line."""
    done = charlstm("score", "-m", trained, "--lines", input=b"The\nAnd\nI\xff\nnobody\n")
    assert done.returncode == 1
    assert done.stderr.startswith(b"charlstm: error: standard input: line 3: byte 0xff at offset 9")
    assert [row.split(b"\t")[-1] for row in done.stdout.splitlines()] == [b"The", b"And"]


def test_lines_and_chars_exclude_each_other(score: Score, charlstm: Run, trained: Path) -> None:
    """In one place; the command line outranks the environment, which outranks a file."""
    done = charlstm("score", "-m", trained, "--lines", "--chars", input=b"The")
    assert done.returncode == 2
    assert b"--lines and --chars do not go together" in done.stderr
    as_lines = score("--lines", input=b"The")
    assert score("--lines", input=b"The", env={"CHARLSTM_SCORE_CHARS": "1"}) == as_lines
    assert score(input=b"The", env={"CHARLSTM_SCORE_LINES": "1"}) == as_lines


def test_settings_files_know_what_lines_means_here(
    score: Score, charlstm: Run, trained: Path, tmp_path: Path
) -> None:
    """A flag, although it is a number for generate."""
    (tmp_path / "good.toml").write_text("[score]\nlines = true\n[generate]\nlines = 3\n")
    (tmp_path / "bad.toml").write_text("[score]\nlines = 3\n")
    (tmp_path / "files.toml").write_text("[score]\nfiles = ['a']\n")
    rows = score("--config", "good.toml", cwd=tmp_path, input=b"The\nAnd")
    assert [row[-1] for row in rows] == ["The", "And"]
    for file, said in (("bad", "lines is 3; it must be true or false"), ("files", "not a setting")):
        done = charlstm("score", "-m", trained, "--config", f"{file}.toml", cwd=tmp_path)
        assert done.returncode == 2
        assert said in done.stderr.decode()


def test_a_terminal_gets_a_header_and_columns(environment: dict[str, str], trained: Path) -> None:
    """The rows come after each line that is typed, and one Ctrl-D is enough."""
    child = terminal(f"score -m {trained} --lines", environment)
    child.expect_exact("reading from the keyboard; end with Ctrl-D at the beginning of a line")
    child.expect_exact("bits per char  characters  unknown   line")
    child.sendline("The tide")
    child.expect(r"\n +\d\.\d{4} +8    0\.0000  The tide\r\n")
    child.sendline("And")
    child.expect(r"\n +\d\.\d{4} +3    0\.0000  And\r\n")
    child.sendeof()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_a_named_pipe_is_read_once(
    environment: dict[str, str], trained: Path, tmp_path: Path
) -> None:
    """As every text, so it need not be a file."""
    os.mkfifo(tmp_path / "pipe")
    line = f"echo The > pipe & charlstm score -m {trained} pipe <(echo And)"
    rows = shell(line, environment, tmp_path).stdout.decode().splitlines()
    assert [row.split("\t")[1] for row in rows] == ["4", "4"]


@pytest.mark.parametrize("words", [[], ["--lines"]])
def test_real_names(charlstm: Run, trained: Path, shared_corpora: Path, words: list[str]) -> None:
    """A list of thirty thousand names has as many rows, and a number for each."""
    names = shared_corpora / "other" / "names.txt"
    done = charlstm("score", "-m", trained, "--unknown", "nearest", "-q", *words, names)
    rows = [row.split("\t") for row in done.stdout.decode().splitlines()]
    assert len(rows) == (names.read_text().count("\n") if words else 1)
    numbers = [float(row[0]) for row in rows if row[0] != "-"]  # a verse has not all the letters
    assert len(numbers) > 0.9 * len(rows)
    assert min(numbers) > 0


EXAMPLES = [*blocks_of(ROOT / "man" / "charlstm-score.1"), *readme_lines("score")]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split("\n")[0][:40])
def test_an_example_of_the_documents_runs(
    environment: dict[str, str], desk: Path, example: str
) -> None:
    """It writes rows, or lines of the play."""
    lines = run(example, environment, desk).splitlines()
    assert lines
    if "// empty" in example:
        assert all(float(line) > 0 for line in lines)
    elif "jq" in example:
        assert set(lines) <= {*(desk / "play.txt").read_text().splitlines()}
    else:
        assert all("\t" in line for line in lines)
