"""What is said on stderr: in words that stay whole on a terminal, in one plain line elsewhere."""

import re
from pathlib import Path

import pytest

from charlstm.cli.console import wrapped

from .conftest import Run
from .test_streams import terminal


@pytest.mark.parametrize("columns", [40, 80, 100])
def test_lines_break_between_words_on_a_terminal(
    environment: dict[str, str], play: Path, tmp_path: Path, columns: int
) -> None:
    """As wide as the terminal is: the plan of a training, an error."""
    without = {name: value for name, value in environment.items() if name != "COLUMNS"}
    plan = [(f"train {play} -o {tmp_path}/run --steps 2 --hidden-size 8", "plan: ")]
    for line, words in (
        *(plan if columns != 80 else []),
        (f"train {play} --time 3x", "charlstm: error: --time is '3x'"),
        (f"generate {play} --samples 2 --load-state absent", "--load-state do not go"),
    ):
        child = terminal(line, without, columns=columns)
        shown = child.read()
        assert words in " ".join(shown.split())
        for row in shown.replace("\r\n", "\n").split("\n"):
            last = row.split("\r")[-1]  # a bar is drawn and taken away
            last = re.sub(r"\x1b\[\d*m", "", last)  # a sample is dimmed
            broken = len(last) <= columns or " " not in last.strip()
            assert broken or last.startswith("write with: "), last


def test_elsewhere_a_message_is_one_line(charlstm: Run, tmp_path: Path) -> None:
    """So that grep finds the whole of it, however narrow COLUMNS says that a terminal is."""
    done = charlstm("train", "x" * 200, "--time", "3x", cwd=tmp_path, env={"COLUMNS": "40"})
    assert done.stderr.count(b"\n") == 1


def test_the_command_that_goes_on_is_not_broken(
    environment: dict[str, str], play: Path, tmp_path: Path
) -> None:
    """It is there to be copied; the terminal folds it, and copies it as one line."""
    run = tmp_path / "a run with a long name of many words, longer than a line of the terminal"
    words = ["train", str(play), "-o", str(run), "--steps", "2", "--hidden-size", "8"]
    shown = terminal(words, environment).read()
    assert f"write with: charlstm generate -m '{run}' '...'\r\n" in shown


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("to be or not", ["to be or", "not"]),
        ("to be or no", ["to be or", "no"]),
        ("to be o", ["to be o"]),
        ("a  b c  d e", ["a  b c ", "d e"]),
        ("a" * 12 + " b", ["a" * 12, "b"]),
        ("\u4e2d\u4e2d \u4e2d\u4e2d", ["\u4e2d\u4e2d", "\u4e2d\u4e2d"]),
        ("e\u0301e\u0301e\u0301 e\u0301", ["e\u0301e\u0301e\u0301 e\u0301"]),
    ],
)
def test_where_lines_break(text: str, lines: list[str]) -> None:
    """Between words alone, by columns of the terminal; spaces within a line stay as they are."""
    assert [line.rstrip() for line in wrapped(text, 8).split("\n")] == [x.rstrip() for x in lines]
