"""``charlstm history``: rows, JSON, chart, picture, and runs that are being trained."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from charlstm.analysis.curves import read_history
from charlstm.cli.chart import COLOURS, draw, style, ticks
from charlstm.options import OPTIONS

from .conftest import Run
from .examples import ROOT, blocks_of, run
from .hostile import NAMES
from .test_curves import evaluations, write
from .test_streams import terminal

CHOICES = OPTIONS["by"].choices
HEADER = ["run", "step", "epoch", "seconds", "loss", "val_loss", "learning_rate"]
HEADER += ["characters_per_second"]


def rows(out: bytes) -> list[list[str]]:
    return [line.split("\t") for line in out.decode().splitlines()]


def test_in_a_pipe_there_is_a_row_for_each_log_point(charlstm: Run, trained: Path) -> None:
    """Numbers as they are in the file; what is not known is a dash."""
    done = charlstm("history", trained)
    assert (done.returncode, done.stderr) == (0, b"")
    header, *found = rows(done.stdout)
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert header == HEADER
    assert found == [
        [str(trained), *(str(line.get(name, "-")) for name in HEADER[1:])] for line in lines
    ]
    assert {row[5] for row in found} > {"-"}


def test_as_json(charlstm: Run, trained: Path) -> None:
    """Each line of the metrics, with the name of its run."""
    done = charlstm("history", trained, "--json")
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"run": str(trained), **line} for line in lines
    ]


def test_the_newest_run_is_taken_and_named(charlstm: Run, tmp_path: Path) -> None:
    """On standard error, as other commands name their model."""
    (tmp_path / "runs").mkdir()
    write(tmp_path / "runs/play", *evaluations((2, 2)))
    done = charlstm("history", cwd=tmp_path)
    assert done.stderr == b"run: runs/play\n"
    assert rows(done.stdout)[1][0] == "runs/play"
    assert charlstm("history", "-q", cwd=tmp_path).stderr == b""


def test_several_runs_follow_each_other(charlstm: Run, tmp_path: Path) -> None:
    """In the order in which they are named, under one header."""
    for name in ("a", "b"):
        write(tmp_path / name, *evaluations((2, 2), (1, 1)))
    done = charlstm("history", "b", "a", cwd=tmp_path)
    assert [row[0] for row in rows(done.stdout)] == ["run", "b", "b", "a", "a"]


def test_damaged_lines_are_counted(charlstm: Run, tmp_path: Path) -> None:
    """The others are shown."""
    write(tmp_path / "run", b"\0\0\0\n", *evaluations((2, 2)), b"x\n")
    done = charlstm("history", "run", cwd=tmp_path)
    assert done.returncode == 0
    assert len(rows(done.stdout)) == 2
    assert done.stderr == b"run/metrics.jsonl: 2 damaged lines left out\n"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ([], 1, "no run under runs/; make one with charlstm train CORPUS"),
        (["absent"], 1, "absent: no such run"),
        (["absent", "--follow"], 1, "absent: no such run"),
        ([""], 2, "empty name"),
        (["text"], 1, "text: not the metrics of a run"),
        (["empty"], 1, "no metrics.jsonl in this directory"),
        (["run", "--by", "hours"], 2, "hours"),
        (["run", "--plot", "p.pdf"], 2, "--plot is 'p.pdf'; its name must end in .svg or .png"),
        (["run", "--plot", ""], 2, "--plot is"),
        (["run", "--plot", "text.svg"], 2, "which exists and is no such picture"),
        (["run", "--plot", "empty/x/p.svg"], 1, "empty/x/p.svg: No such file"),
        (["run", "--plot", "p.svg", "--follow"], 2, "--plot and --follow do not go together"),
        (["run", "--plot", "p.svg", "--json"], 2, "--plot and --json do not go together"),
    ],
)
def test_what_cannot_be_shown(
    charlstm: Run, tmp_path: Path, words: list[str], status: int, said: str
) -> None:
    """One line says why, and nothing is written."""
    write(tmp_path / "run", *evaluations((2, 2)))
    (tmp_path / "empty").mkdir()
    for name in ("text", "text.svg"):
        (tmp_path / name).write_text("to be\n")
    done = charlstm("history", *words, cwd=tmp_path)
    message = done.stderr.decode()
    assert done.returncode == status, message
    assert said in message
    assert message.count("\n") == 1
    assert (tmp_path / "text.svg").read_text() == "to be\n"


def shown(environment: dict[str, str], words: list[str], columns: int, **variables: str) -> str:
    """What a terminal of 24 lines gets, without codes for colours."""
    given = {**environment, "COLUMNS": "", **variables}
    text = terminal(["history", *words], given, columns=columns).read()
    assert "Traceback" not in text
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_the_chart_fits_the_terminal(
    environment: dict[str, str], tmp_path: Path, columns: int
) -> None:
    """Also one that is too small for a chart, where the words remain."""
    points = [{"step": n, "loss": 3 - n / 100} for n in range(1, 101)]
    write(tmp_path / "run", *points, {"step": 101, "loss": 2.0, "val_loss": 2.1, "seconds": 90})
    text = shown(environment, [str(tmp_path / "run"), "-q"], columns)
    lines = text.split("\n")
    assert max(map(len, lines)) <= columns
    assert len(lines) <= 24
    assert ("\u2500" * 10 in text) == (columns >= 24)
    assert "validation loss 2.100 nats" in " ".join(text.split())


def test_the_words_below_the_chart(environment: dict[str, str], tmp_path: Path) -> None:
    """How far the run is, where it was best, since when it overfits."""
    lines = evaluations((2.0, 1.9), (1.7, 1.6), (1.5, 1.7))
    write(tmp_path / "a", *lines)
    write(tmp_path / "b", *lines[:2])
    words = [str(tmp_path / name) for name in ("a", "b")]
    text = " ".join(shown(environment, words, 200).split())
    assert "a: step 30 after 9s, training loss 1.500 nats (2.164 bits)" in text
    assert "best at step 20 after 6s: validation loss 1.600 nats (2.308 bits)" in text
    assert "overfitting since step 20: the training loss went on falling, but" in text
    assert text.count("overfitting") == 1


@pytest.mark.parametrize("by", CHOICES)
def test_the_axis_is_named(environment: dict[str, str], tmp_path: Path, by: str) -> None:
    """With the unit of the losses."""
    write(tmp_path / "run", *evaluations((2.0, 1.9), (1.7, 1.6)))
    text = shown(environment, [str(tmp_path / "run"), "--by", by], 80)
    assert f"{by} (losses in nats per character)" in text


def test_colours_only_where_they_are_wanted(environment: dict[str, str], tmp_path: Path) -> None:
    """Without them runs differ by their characters; a dumb terminal is like a pipe."""
    for name in ("a", "b"):
        write(tmp_path / name, *evaluations((2.0, 1.9), (1.7, 1.6)))
    words = ["history", str(tmp_path / "a"), str(tmp_path / "b")]
    assert "\x1b[38;5;" in terminal(words, environment).read()
    plain = terminal(words, {**environment, "NO_COLOR": "1"}).read()
    assert "\x1b[3" not in plain
    assert ".. training  \u25a0\u25a0 validation" in plain
    dumb = terminal(words, environment, term="dumb").read()
    assert dumb.replace("\r\n", "\n").startswith("\t".join(HEADER) + "\n")
    assert "\x1b" not in dumb


@pytest.mark.parametrize("colour", [True, False])
def test_no_line_hides_a_validation(tmp_path: Path, colour: bool) -> None:
    """Marks stand above all lines, also above that of a run that is drawn later."""
    lines = evaluations(*((2.0, 2.0 - number / 10) for number in range(8)))
    other = evaluations(*((2.0 - number / 10, 1.0) for number in range(8)))  # falls over the marks
    histories = [
        read_history(str(write(tmp_path / name, *logged)))
        for name, logged in (("a", lines), ("b", other))
    ]
    chart = draw(histories, "steps", (80, 24), colour=colour)
    assert chart is not None
    mark = style(0, 2, colour=colour).mark
    assert not mark.isalpha()
    assert chart.plain.count(mark) == len(lines)


def test_no_two_of_many_runs_look_alike() -> None:
    """Neither with colours nor, of as many as there are characters, without."""
    coloured = [style(number, 36, colour=True) for number in range(36)]
    assert len({(s.mark, s.mark_colour) for s in coloured}) == 36
    plain = [style(number, 6, colour=False) for number in range(6)]
    assert len({s.line for s in plain}) == len({s.mark for s in plain}) == len(COLOURS) == 6


@pytest.mark.parametrize(
    ("least", "most", "count", "expected"),
    [
        (0, 3828, 6, [0, 1000, 2000, 3000]),
        (1.25, 1.93, 4, [1.4, 1.6, 1.8]),
        (0.5, 1.5, 2, [0.5, 1.0, 1.5]),
        (0, 1e12, 1, [0, 5e11, 1e12]),
    ],
)
def test_ticks_are_round(least: float, most: float, count: int, expected: list[float]) -> None:
    """Ones, twos and fives."""
    assert ticks(least, most, count) == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_a_picture(charlstm: Run, tmp_path: Path, kind: str) -> None:
    """The same bytes each time, whatever the settings of matplotlib; and it may be replaced."""
    pytest.importorskip("matplotlib")
    for name in ("a", "_b $x$"):
        write(tmp_path / name, *evaluations((2.0, 1.9), (1.7, 1.6)))
    words = ["history", "a", "_b $x$", "--plot", f"p.{kind}"]
    done = charlstm(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    first = (tmp_path / f"p.{kind}").read_bytes()
    assert first.startswith(b"<?xml" if kind == "svg" else b"\x89PNG")
    (tmp_path / "matplotlibrc").write_text("figure.facecolor: black\nlines.linewidth: 9\n")
    assert charlstm(*words, cwd=tmp_path).returncode == 0
    assert (tmp_path / f"p.{kind}").read_bytes() == first


def test_without_matplotlib_it_is_said_how_to_install_it(charlstm: Run, tmp_path: Path) -> None:
    """It is no part of the program."""
    write(tmp_path / "run", *evaluations((2, 2)))
    (tmp_path / "matplotlib.py").write_text("raise ImportError")
    paths = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    done = charlstm("history", "run", "--plot", "p.svg", cwd=tmp_path, env=paths)
    assert done.returncode == 1
    assert b"install it with: pip install matplotlib\n" in done.stderr
    assert not (tmp_path / "p.svg").exists()


def test_a_training_is_followed_to_its_end(
    environment: dict[str, str], play: Path, tmp_path: Path
) -> None:
    """By two readers: rows come while it runs, the last is its last, and then both end."""

    def start(*words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "charlstm", *words]
        # Without a buffer, in which communicate() would not find what readline() has put there.
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, bufsize=0)

    run = str(tmp_path / "run")
    with start("train", str(play), "-o", run, "--steps", "400", "--hidden-size", "24", "-q") as own:
        while not (tmp_path / "run/state.safetensors").exists():
            assert own.poll() is None
        with (
            start("history", run, "--follow") as text,
            start("history", run, "--follow", "--json") as json_lines,
        ):
            readers = (text, json_lines)
            first = [reader.stdout.readline() for reader in readers if reader.stdout]
            assert own.poll() is None
            rest = [reader.communicate(timeout=60)[0] for reader in readers]
        assert own.wait(60) == 0
    count = len((tmp_path / "run/metrics.jsonl").read_text().splitlines())
    as_rows, as_json = ((a + b).splitlines() for a, b in zip(first, rest, strict=True))
    assert [reader.returncode for reader in readers] == [0, 0]
    assert (len(as_rows), len(as_json)) == (count + 1, count)
    assert int(rows(as_rows[-1])[0][1]) == json.loads(as_json[-1])["step"] == 400


def test_a_finished_run_is_not_waited_for(charlstm: Run, trained: Path) -> None:
    """What it has is shown, and the command ends."""
    assert charlstm("history", trained, "--follow").stdout == charlstm("history", trained).stdout


def test_a_chart_that_may_grow(
    environment: dict[str, str], trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is drawn on a terminal, and the command ends when nothing grows any more."""
    (tmp_path / "run").symlink_to(trained)
    monkeypatch.chdir(tmp_path)  # a long name would leave no room for the words
    assert "training loss" in shown(environment, ["run", "--follow"], 80)


ODD: list[dict[str, Any]] = [
    {"step": 0, "loss": 0},
    {"step": 10**12, "loss": 1e12, "val_loss": 1e-300, "epoch": 1e12, "seconds": 1e12},
]


@pytest.mark.parametrize("lines", [ODD, ODD[:1], [{"step": 3}], [{"step": 3, "val_loss": 0}], []])
def test_numbers_at_the_bounds(tmp_path: Path, lines: list[dict[str, Any]]) -> None:
    """Are drawn too, or there is no chart."""
    (write(tmp_path / "run", *lines) / "state.safetensors").touch()
    histories = [read_history(str(tmp_path / "run"))]
    for width in (24, 80):
        drawn = {by: draw(histories, by, (width, 20), colour=True) for by in CHOICES}
        assert bool(drawn["steps"]) == any({"loss", "val_loss"} & found.keys() for found in lines)
        assert bool(drawn["seconds"]) == any("seconds" in found for found in lines)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if not name.isprintable() and name != "\0"]
)
def test_a_name_does_not_act_on_the_terminal(
    environment: dict[str, str], charlstm: Run, tmp_path: Path, name: str
) -> None:
    """In the legend, in the words and in rows."""
    write(tmp_path / name, *evaluations((2.0, 1.9), (1.7, 1.6)))
    text = terminal(["history", str(tmp_path / name)], environment).read()
    assert not {"\x9b", "\u202e"} & set(text)
    assert "\x1b[31m" not in text
    assert b"\x1b" not in charlstm("history", tmp_path / name).stdout


def readme_lines() -> list[str]:
    """The commands of this section of the README."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("### charlstm history\n")[1]
    lines = section.split("\n### ")[0].splitlines()
    return [line.strip() for line in lines if line.startswith("    ")]


@pytest.mark.parametrize(
    "example", [*blocks_of(ROOT / "man" / "charlstm-history.1"), *readme_lines()]
)
def test_an_example_of_the_documents_runs(
    environment: dict[str, str], desk: Path, example: str
) -> None:
    """What it writes is what the documents say."""
    if not (desk / "runs/play-2").exists():
        shutil.copytree(desk / "runs/play", desk / "runs/play-2")
    (desk / "losses.svg").unlink(missing_ok=True)
    out = run(example, environment, desk)
    if "--plot" in example:
        assert (desk / "losses.svg").read_text().startswith("<?xml")
    elif "min_by" in example:
        assert {"step", "val_loss"} <= json.loads(out).keys()
    else:
        assert out
