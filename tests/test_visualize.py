"""``charlstm visualize``: the numbers in a pipe, the picture on a terminal, and wrong options."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pexpect
import pytest

import charlstm as package
from charlstm.cli.heatmap import CELL, SURPRISAL, Character, columns, folded, shown
from charlstm.model.model_file import save_model

from .conftest import VERSE, Run
from .examples import ROOT, blocks_of, run
from .test_streams import terminal
from .writing import make_model

LINE = "The tide came in and took"
CONTROL = re.compile(r"\x1b\[[\d;]*m")


def rows(out: bytes) -> list[list[str]]:
    """The cells of tab-separated lines."""
    return [line.split("\t") for line in out.decode().splitlines()]


def test_a_line_for_each_character(charlstm: Run, trained: Path) -> None:
    """Its position, itself and its bits, which are those of the score."""
    done = charlstm("visualize", LINE, "-m", trained)
    assert (done.returncode, done.stderr) == (0, b"")
    header, *lines = rows(done.stdout)
    assert header == ["position", "character", "bits"]
    assert [line[0] for line in lines] == [str(n) for n in range(1, len(LINE) + 1)]
    assert "".join(line[1] for line in lines) == LINE
    bits = package.load(trained).score(LINE).bits
    assert [float(line[2]) for line in lines] == pytest.approx(bits, abs=1e-3)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["--cell", "1:7"], "cell 1:7"),
        (["--gate", "forget"], "forget gate"),
        (["--gate", "input", "--cell", "1:7"], "input gate 1:7"),
        (["--gate", "output", "--cell", "1:24"], "output gate 1:24"),
    ],
)
def test_the_value_of_a_cell_or_gate(
    charlstm: Run, trained: Path, words: list[str], name: str
) -> None:
    """In a column that says which it is; the mean of all cells where none is named."""
    header, *lines = rows(charlstm("visualize", LINE, "-m", trained, *words).stdout)
    assert header[3] == name
    trace = package.load(trained).trace(LINE)
    expected = {
        "cell 1:7": np.tanh(trace.cell[:, 0, 6]),
        "forget gate": trace.forget_gate.mean(axis=(1, 2)),
        "input gate 1:7": trace.input_gate[:, 0, 6],
        "output gate 1:24": trace.output_gate[:, 0, 23],
    }
    assert [float(line[3]) for line in lines] == pytest.approx(expected[name], abs=1e-4)


def test_guesses_are_the_most_probable_characters(charlstm: Run, trained: Path) -> None:
    """With probabilities, the most probable first, of what was expected at that position."""
    words = ["visualize", LINE, "-m", trained, "--guesses", 2, "--cell", "1:1"]
    model = package.load(trained)
    header, *lines = rows(charlstm(*words).stdout)
    assert header[4:] == ["guess 1", "probability 1", "guess 2", "probability 2"]
    for position, line in enumerate(lines):
        expected = model.predict(LINE[:position], top=2)
        assert [line[4], line[6]] == [repr(p[0])[1:-1] for p in expected]
        assert [float(line[5]), float(line[7])] == pytest.approx([p[1] for p in expected], abs=1e-3)
    objects = [json.loads(line) for line in charlstm(*words, "--json").stdout.splitlines()]
    assert [one["position"] for one in objects] == list(range(1, len(LINE) + 1))
    assert "".join(one["character"] for one in objects) == LINE
    assert all(
        one.keys() == {"position", "character", "bits", "value", "guesses"} for one in objects
    )
    assert objects[3]["guesses"][0]["character"] == model.predict(LINE[:3], top=1)[0][0]


def test_the_text_comes_from_where_it_is_named(
    charlstm: Run, trained: Path, tmp_path: Path
) -> None:
    """An argument, a file in any encoding, or standard input: the same lines."""
    (tmp_path / "t").write_text(VERSE, encoding="utf-16")
    words = ["visualize", "-m", trained]
    expected = charlstm(*words, VERSE).stdout
    assert "\t\\n\t" in expected.decode()
    for done in (
        charlstm(*words, "--text-file", "t", "--encoding", "utf-16", cwd=tmp_path),
        charlstm(*words, "-", input=VERSE.encode()),
        charlstm(*words, "--text-file", "-", input=VERSE.encode()),
    ):
        assert done.stdout == expected
    named = {"CHARLSTM_VISUALIZE_TEXT_FILE": "absent"}  # the command line outranks it
    assert charlstm(*words, VERSE, env=named).stdout == expected


def test_without_a_text_the_model_writes_one(charlstm: Run, trained: Path) -> None:
    """The one that generate writes with this random seed, which is said."""
    done = charlstm("visualize", "-m", trained, "-n", 60, "-t", 1)
    seed = done.stderr.decode().split("random seed ")[1].strip()
    words = ["generate", "-m", trained, "-n", 60, "-t", 1, "--random-seed", seed]
    text = charlstm(*words).stdout.decode()
    objects = charlstm("visualize", "-m", trained, text, "--json").stdout.splitlines()
    assert len(objects) == 60
    characters = [json.loads(line)["character"] for line in objects]
    assert [row[1] for row in rows(done.stdout)[1:]] == [repr(c)[1:-1] for c in characters]
    again = charlstm("visualize", "-m", trained, "-n", 60, "-t", 1, "--random-seed", seed, "-q")
    assert (again.stdout, again.stderr) == (done.stdout, b"")


def test_a_text_without_end_is_shown_as_it_is_made(
    environment: dict[str, str], trained: Path
) -> None:
    """And ends with its reader, silently."""
    line = f'"{sys.executable}" -m charlstm visualize -m {trained} -q -n 0 | head -n 2500 | wc -l'
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        env=environment, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.split(), done.stderr) == (141, [b"2500"], b"")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ([""], 2, "TEXT is empty"),
        (["--text-file", ""], 2, "--text-file is empty"),
        (["--text-file", "."], 2, ".: a directory"),
        (["--text-file", "absent"], 1, "absent: no such file"),
        (["--text-file", "empty"], 1, "empty: empty; give a text"),
        (["a", "--text-file", "empty"], 2, "TEXT and --text-file"),
        (["a", "-n", 5], 2, "TEXT and --length do not go together"),
        (["a", "--random-seed", 5], 2, "TEXT and --random-seed do not go together"),
        (["a", "--cell", "3:1"], 2, "--cell is '3:1'; it must be LAYER:UNIT, from 1:1 to 2:24"),
        (["a", "--cell", "0:1"], 2, "--cell is '0:1'"),
        (["a", "--cell", "1:25"], 2, "--cell is '1:25'"),
        (["a", "--cell", "7"], 2, "--cell is '7'"),
        (["a", "--cell", "1:" + "9" * 50], 2, "--cell is '1:999"),
        (["a", "--cell", ""], 2, "--cell is ''"),
        (["a", "--gate", "cell"], 2, "'--gate'"),
        (["a", "--guesses", 6], 2, "--guesses is 6"),
        (["a", "--guesses", -1], 2, "--guesses is -1"),
        (["\u2603"], 2, "U+2603"),
        (["\u2603", "--unknown", "skip"], 1, "no character of the text"),
        (["a", "--find"], 1, "length of the text is 1"),
        (["a", "--find", "--guesses", 1], 2, "--find and --guesses do not go together"),
        (["--find", "-n", 0], 2, "--length is 0"),
        (["--find", "-n", 10**9], 2, "--length is 1000000000"),
        (["--pattern", "("], 2, "--pattern is '(', which is no regular expression"),
        (["-m", "empty"], 1, "empty"),
    ],
    ids=str,
)  # fmt: skip
def test_wrong_options_and_texts(
    charlstm: Run, trained: Path, tmp_path: Path, words: list[object], status: int, said: str
) -> None:
    """One line on standard error that says what is wrong, and nothing on standard output."""
    (tmp_path / "empty").touch()
    model = {"CHARLSTM_MODEL": str(trained)}
    done = charlstm("visualize", *words, "-q", cwd=tmp_path, env=model)
    assert (done.returncode, done.stdout) == (status, b"")
    message = done.stderr.decode()
    assert message.startswith("charlstm: error: ")
    assert said in message
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"a\xff", "byte 0xff at offset 1 is not utf-8"), (b"a\0b", "NUL byte at offset 1")],
)
def test_bytes_that_are_no_text(charlstm: Run, trained: Path, data: bytes, said: str) -> None:
    """What stands before them may be written, and then it is said where they are."""
    done = charlstm("visualize", "-m", trained, "-", "-q", input=data)
    assert done.returncode == 1
    assert [row[1] for row in rows(done.stdout)[1:]] in ([], ["a"])
    assert said in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


def test_characters_that_are_left_out_are_said(charlstm: Run, trained: Path) -> None:
    """Where nothing is similar to them."""
    done = charlstm("visualize", "-m", trained, "a\u2603b", "--unknown", "nearest")
    assert "".join(row[1] for row in rows(done.stdout)[1:]) == "ab"
    assert "nothing similar to '\u2603' (U+2603); left out" in done.stderr.decode()


# The picture.


def characters(text: str) -> list[Character]:
    return [Character(character, 0.0) for character in text]


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("to be or not", 9, ["to be or ", "not"]),
        ("to be or not", 8, ["to be ", "or not"]),
        ("to\nbe", 9, ["to\n", "be"]),
        ("abcdefghi", 4, ["abcd", "efgh", "i"]),
        ("a bcdefgh", 4, ["a ", "bcde", "fgh"]),
        ("\u4e2d\u6587\u5b57", 4, ["\u4e2d\u6587", "\u5b57"]),
        ("\u4e2d", 1, ["\u4e2d"]),
        ("", 9, []),
    ],
)
def test_lines_are_folded_where_words_end(text: str, width: int, expected: list[str]) -> None:
    """At the columns of a terminal; wide characters have two."""
    lines = ["".join(one.text for one in line) for line in folded(characters(text), width)]
    assert lines == expected


@pytest.mark.parametrize(
    ("character", "visible", "width"),
    [
        ("a", "a", 1),
        ("\n", "\u21b5", 1),
        ("\t", "\u2192   ", 4),
        ("\x1b", "^[", 2),
        ("\u202e", "<U+202E>", 8),
        ("\u0301", "\u25cc\u0301", 1),
        ("\u200d", "<U+200D>", 8),
        ("\u4e2d", "\u4e2d", 2),
    ],
)
def test_every_character_can_be_seen(character: str, visible: str, width: int) -> None:
    """Line ends, tabs, control characters, and accents that stand alone."""
    assert shown(character) == visible
    assert columns(Character(character, 0.0)) == width


def test_a_guess_may_be_wider_than_its_character() -> None:
    """The columns of both are then those of the wider one."""
    assert columns(Character("a", 0.0, (("b", 0.5), ("\u4e2d", 0.1)))) == 2


def test_a_scale_ends_where_it_says() -> None:
    """Values beyond its ends have the colours of the ends."""
    assert [SURPRISAL.digit(bits) for bits in (0, 0.79, 0.81, 4, 7.9, 8, 30)] == list("0015999")
    assert [CELL.digit(value) for value in (-2, -1, 0, 1)] == list("0059")
    assert SURPRISAL.colour(SURPRISAL.share(99)) == SURPRISAL.colours[-1]
    red, _, blue = CELL.colour(CELL.share(-1))
    assert red > blue
    red, _, blue = CELL.colour(CELL.share(1))
    assert blue > red


def picture(
    environment: dict[str, str], words: list[str], term: str = "xterm-256color", width: int = 80
) -> str:
    """What the command writes on a terminal."""
    child = terminal(["visualize", *words, "-q"], environment, term, width)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    return str(child.before).replace("\r", "")


@pytest.mark.parametrize(
    ("term", "more", "code"),
    [
        ("xterm-256color", {"COLORTERM": "truecolor"}, r"48;2;\d+;\d+;\d+m"),
        ("xterm-256color", {"COLORTERM": ""}, r"48;5;\d+m"),
        ("xterm", {"COLORTERM": ""}, r";(4\d|10\d)m"),
    ],
)
def test_a_terminal_gets_the_colours_that_it_has(
    environment: dict[str, str], trained: Path, term: str, more: dict[str, str], code: str
) -> None:
    """A surprising character has another one than an expected one, and none is lost."""
    out = picture({**environment, **more}, ["-m", str(trained), "The tideT"], term)
    text, _, legend = CONTROL.sub("", out).partition("\n\n")
    assert text == "The tideT"
    assert "surprisal  0 bits: expected" in legend
    assert "9 characters, " in legend
    assert len(set(re.findall(code, out))) >= 3
    styles = re.findall(r"\x1b\[([\d;]+)m([^\x1b]+)", out.partition("\n\n")[0])
    assert styles[-1][1] == "T"
    assert styles[-1][0] != styles[-2][0]


@pytest.mark.parametrize(("term", "more"), [("dumb", {}), ("xterm-256color", {"NO_COLOR": "1"})])
def test_without_colours_there_are_digits(
    environment: dict[str, str], trained: Path, term: str, more: dict[str, str]
) -> None:
    """Below each character, with the guesses below them."""
    words = ["-m", str(trained), LINE, "--guesses", "1"]
    out = CONTROL.sub("", picture({**environment, **more}, words, term))
    text, digits, guesses, empty, legend, *_ = out.split("\n")
    assert text == LINE
    bits = package.load(trained).score(LINE).bits
    assert digits == "".join(SURPRISAL.digit(value) for value in bits)
    model = package.load(trained)
    best = [model.predict(LINE[:n], top=1)[0][0] for n in range(len(LINE))]
    assert guesses == "".join({" ": "\u2423", "\n": "\u21b5"}.get(c, c) for c in best)
    assert (empty, legend) == (
        "", "surprisal: from 0 (0 bits: expected) to 9 (8 bits or more: surprising)",
    )  # fmt: skip


@pytest.mark.parametrize("width", [20, 80, 200])
def test_a_picture_fits_the_terminal(
    environment: dict[str, str], trained: Path, width: int
) -> None:
    """No line of the text is wider, and all of the text is there."""
    words = ["-m", str(trained), VERSE, "--cell", "1:3"]
    wide = {**environment, "COLUMNS": str(width)}
    text = CONTROL.sub("", picture(wide, words, width=width)).partition("\n\ncell 1:3  ")[0]
    lines = text.split("\n")
    assert max(map(len, lines)) <= width
    assert "".join(lines).replace("\u21b5", "\n") == VERSE


def test_wide_characters_keep_the_columns(environment: dict[str, str], tmp_path: Path) -> None:
    """Each stands above its own digit, and control characters are visible."""
    text = "\u4e2da\x1b\u0301\n"
    save_model(make_model("\u4e2da\x1b\u0301\n"), tmp_path / "model")
    plain = {**environment, "NO_COLOR": "1"}
    out = picture(plain, ["-m", str(tmp_path / "model"), text])
    line, digits = CONTROL.sub("", out).split("\n")[:2]
    assert line == "\u4e2da^[\u25cc\u0301\u21b5"
    assert re.fullmatch(r"\d \d\d \d\d", digits)


def test_found_cells_on_a_terminal(
    environment: dict[str, str], trained: Path, tmp_path: Path
) -> None:
    """A line for each property, and below it a passage in colours."""
    (tmp_path / "t").write_text(VERSE * 25)
    words = ["-m", str(trained), "--find", "--text-file", str(tmp_path / "t")]
    out = picture({**environment, "COLORTERM": "truecolor"}, words)
    lines = CONTROL.sub("", out).split("\n")
    assert re.fullmatch(r"property +cell  direction  score  chance  accuracy", lines[0])
    found = re.fullmatch(r"\S.*\S +1:\d+ +[+-]1  0\.\d{3}   0\.\d{3} +(-|[\d.]+%)", lines[1])
    assert found, lines[1]
    assert lines[2].startswith("  ")
    assert lines[2].strip().replace("\u21b5", "\n")[:20] in VERSE * 2
    assert "tanh(c) = -1" in out


def examples() -> list[str]:
    """The blocks of the manual page, and the lines of the README about this command."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^    (charlstm visualize .*)$", readme, re.MULTILINE)
    assert len(lines) >= 5
    return [*blocks_of(ROOT / "man" / "charlstm-visualize.1"), *lines]


@pytest.mark.parametrize("example", examples(), ids=lambda text: text.split("\n")[0][:50])
def test_an_example_of_the_documents_runs(
    environment: dict[str, str], desk: Path, example: str
) -> None:
    """It writes something, and nothing complains."""
    for name in ("novel.txt", "module.py"):
        shutil.copy(desk / "play.txt", desk / name)
    out = run(example, environment, desk).splitlines()
    if "jq -s" in example:
        assert 0 < float(out[0]) < 1
    elif "sort" in example:
        bits = [float(line.split("\t")[2]) for line in out]
        assert len(bits) == 10
        assert bits == sorted(bits, reverse=True)
    elif " -o " in example:
        assert (desk / out[-1]).read_text().startswith("<!doctype html>")
    else:
        assert len(out) > 1
