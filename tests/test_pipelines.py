"""The examples of ``charlstm-generate(1)`` and the README, each run in bash as it stands there."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from .examples import NAMES, ROOT, blocks_of, run


def examples() -> list[str]:
    """The literal blocks of the section EXAMPLES, as a reader sees them."""
    return blocks_of(ROOT / "man" / "charlstm-generate.1")


def lines_of(text: str) -> list[str]:
    return text.splitlines()


def folded(out: str, desk: Path) -> None:
    """No line is wider than a terminal, and nothing is lost."""
    assert out.replace("\n", "").startswith("Is this a dagger")
    assert len(out) >= len("Is this a dagger") + 400
    assert max(map(len, lines_of(out))) <= 80


def a_scene(out: str, desk: Path) -> None:
    """The phrase's escape was read, and no paragraph ended."""
    assert out.startswith("ACT II\n")
    assert "\n\n" not in out.removeprefix("ACT II\n")


def five_lines(out: str, desk: Path) -> None:
    """``head`` had enough, and nothing complained."""
    assert out.count("\n") == 5


def kept(out: str, desk: Path) -> None:
    """The text in one file, what it came from in the other."""
    assert (desk / "once.txt").read_text() == out
    assert len(out) == len("Once") + 2000
    log = (desk / "once.log").read_text()
    assert re.fullmatch(r"model: runs/\S+ \([^\n]+ old\)\nrandom seed: \d+\n", log)


def four_temperatures(out: str, desk: Path) -> None:
    """Each under its heading."""
    assert re.findall(r"^== (.*) ==$", out, re.MULTILINE) == ["0.2", "0.5", "0.7", "1.2"]
    assert len(out) == 4 * (200 + len("\n== 0.2 ==\n"))


def new_names(out: str, desk: Path) -> None:
    """Names that the list does not have."""
    made = lines_of(out)[1:]  # the first is the path that train prints
    assert 1 <= len(made) <= 20
    assert not set(made) & set(NAMES.split())
    shutil.rmtree(desk / "runs" / "names")


def completed(out: str, desk: Path) -> None:
    """A line for each that was given, which it begins with."""
    lines = lines_of(out)
    assert len(lines) == 6
    for line, phrase in zip(lines, ["Once", "There was", "", "I", "You", "They"], strict=True):
        assert line.startswith(phrase)


def least_surprising(out: str, desk: Path) -> None:
    """One text of two lines, and a line end of jq's."""
    assert 1 <= out.count("\n") <= 3


def for_each(out: str, desk: Path) -> None:
    """Eight numbered lines; then three texts, whatever line ends they hold."""
    numbered, texts = lines_of(out)[:8], out.split("<p>")[1:]
    assert all(len(line[4:]) == int(line[:3]) for line in numbered)
    assert [len(text) for text in texts] == [150 + len("</p>\n")] * 3


def two_sittings(out: str, desk: Path) -> None:
    """The second goes on with the first."""
    assert len((desk / "story.txt").read_text()) == len("Once") + 1000 + 3000


def without_e(out: str, desk: Path) -> None:
    """Not one."""
    assert len(out) == 1000
    assert not set("eE") & set(out)


def nothing_copied(out: str, desk: Path) -> None:
    """The longest common passage is shorter than was asked for."""
    assert 1 <= json.loads(out) < 20


def made_up_words(out: str, desk: Path) -> None:
    """Words that the play does not have."""
    known = set(re.findall("[A-Za-z]+", (desk / "play.txt").read_text()))
    assert lines_of(out)
    assert not set(lines_of(out)) & known


CHECKS: dict[str, Callable[[str, Path], None]] = {
    "| fold -s": folded,
    '"ACT II': a_scene,
    "| head -n 5": five_lines,
    "| tee": kept,
    "for t in": four_temperatures,
    "names.txt": new_names,
    "coproc": completed,
    "jq -rs": least_surprising,
    "xargs -0": for_each,
    "story.state": two_sittings,
    "--ban eE": without_e,
    "--novel 20": nothing_copied,
    "comm -23 - known": made_up_words,
}


@pytest.mark.parametrize("example", examples(), ids=lambda text: text.split("\n")[0][:40])
def test_an_example_of_the_page_does_what_it_says(
    environment: dict[str, str], desk: Path, example: str
) -> None:
    """Its output is looked at, by the one check that knows it."""
    checks = [check for mark, check in CHECKS.items() if mark in example]
    assert len(checks) == 1, f"no check, or several, for {example!r}"
    checks[0](run(example, environment, desk), desk)


def readme_lines() -> list[str]:
    """The lines of the README that generate text."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("**Generate**")[1]
    shown = section.split("**Look**")[0].splitlines()
    return [
        line.strip() for line in shown if line.startswith("    ") and "charlstm generate" in line
    ]


@pytest.mark.parametrize("line", readme_lines(), ids=lambda line: line[:40])
def test_a_line_of_the_readme_runs(environment: dict[str, str], desk: Path, line: str) -> None:
    """It writes something, and nothing complains."""
    out = run(line, environment, desk)
    assert out or "story.txt" in line


def test_the_readme_has_the_pipelines_that_it_should() -> None:
    """Each program of a pipeline that people ask about."""
    lines = "\n".join(readme_lines())
    for program in ("fold -s", "head", "tee", "while read", "xargs", "jq", "cut", "sort"):
        assert f"| {program}" in lines or lines.startswith(program) or f"\n{program}" in lines, (
            program
        )


def test_every_check_has_its_example() -> None:
    """None is left behind by a change of the page."""
    for mark in CHECKS:
        assert sum(mark in example for example in examples()) == 1, mark
