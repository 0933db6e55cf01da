"""The losses of a run read from its metrics: best, overfitting, damaged and growing files."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charlstm.analysis import curves
from charlstm.analysis.curves import History, LogPoint, find_history, overfits, read_history
from charlstm.errors import CharLSTMError, OptionError
from charlstm.training import train
from charlstm.training.events import Finished

from .conftest import SMALL_RUN, VERSE


def write(directory: Path, *lines: dict[str, Any] | bytes, mode: str = "wb") -> Path:
    """A run directory with these lines of metrics."""
    directory.mkdir(exist_ok=True)
    with (directory / "metrics.jsonl").open(mode) as file:
        for line in lines:
            file.write(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n")
    return directory


def evaluations(*losses: tuple[float, float]) -> list[dict[str, Any]]:
    """Lines with these training and validation losses, ten steps apart."""
    return [
        {"step": 10 * number, "epoch": number / 2, "seconds": 3.0 * number, "loss": loss,
         "val_loss": val_loss, "learning_rate": 0.01, "characters_per_second": 5}
        for number, (loss, val_loss) in enumerate(losses, 1)
    ]  # fmt: skip


def test_where_a_run_was_best(tmp_path: Path) -> None:
    """The first evaluation with the lowest validation loss, with its step and its time."""
    lines = evaluations((2.0, 1.9), (1.7, 1.6), (1.5, 1.6), (1.3, 1.7))
    history = read_history(str(write(tmp_path / "run", *lines)))
    assert history.best == LogPoint(
        step=20, epoch=1.0, seconds=6.0, loss=1.7, val_loss=1.6, learning_rate=0.01,
        characters_per_second=5,
    )  # fmt: skip
    assert history.overfitting
    assert history.training.steps.tolist() == history.validation.steps.tolist() == [10, 20, 30, 40]
    assert history.validation.losses.tolist() == [1.9, 1.6, 1.6, 1.7]
    assert history.training.seconds.tolist() == [3, 6, 9, 12]
    assert history.last == history.last_evaluation


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([(2.0, 1.9), (1.7, 1.6)], False),
        ([(2.0, 1.9), (1.7, 1.6), (1.6, 1.603)], False),  # a rise so small is chance
        ([(2.0, 1.9), (1.7, 1.6), (1.6, 1.61)], True),
        ([(2.0, 1.9), (1.7, 1.6), (1.8, 1.7)], False),  # both rise: the rate is too high
        ([(2.0, 1.9), (1.7, 1.6), (1.6, 1.7), (1.5, 1.59)], False),  # it recovered
        ([], False),
    ],
)
def test_overfitting_is_claimed_only_where_it_is(
    tmp_path: Path, losses: list[tuple[float, float]], expected: bool
) -> None:
    """The training loss fell on while the validation loss rose."""
    history = read_history(str(write(tmp_path / "run", *evaluations(*losses))))
    assert history.overfitting == expected


NOISE = "".join(random.Random(1).choices("abcdefgh ", k=400))


@pytest.mark.parametrize(("text", "overfits"), [(NOISE, True), (VERSE * 8, False)])
def test_it_is_what_the_run_itself_says(tmp_path: Path, text: str, overfits: bool) -> None:
    """Best step and overfitting are those of the last event, though lines are between."""
    (tmp_path / "t.txt").write_text(text)
    options = {**SMALL_RUN, "steps": 40, "hidden_size": 32, "dropout": 0.0}
    *_, finished = train(tmp_path / "t.txt", output=tmp_path / "run", **options)
    assert isinstance(finished, Finished)
    history = read_history(str(tmp_path / "run"))
    assert history.best is not None
    assert history.best.step == finished.best_step
    assert history.best.val_loss == finished.val_loss
    assert history.overfitting == finished.overfitting == overfits


def test_the_training_loss_between_evaluations_is_a_mean(tmp_path: Path) -> None:
    """A log point counts for its steps, so that one noisy point does not decide."""
    points = [
        {"step": 10, "loss": 2.0},
        {"step": 20, "loss": 1.0, "val_loss": 1.5},
        {"step": 39, "loss": 1.2},
        {"step": 40, "loss": 9.0, "val_loss": 1.6},  # the mean is 1.59, above 1.5
    ]
    assert not read_history(str(write(tmp_path / "a", *points))).overfitting
    points[-1]["loss"] = 1.2
    assert read_history(str(write(tmp_path / "b", *points))).overfitting


def test_a_file_is_read_as_it_grows(tmp_path: Path) -> None:
    """Each point comes once; a line without an end is left until it is whole."""
    lines = [json.dumps(line).encode() + b"\n" for line in evaluations((2, 2), (1.5, 1.5))]
    history = find_history(str(write(tmp_path / "run", lines[0], lines[1][:30])))
    assert [point.step for point in history.update()] == [10]
    assert list(history.update()) == []
    write(tmp_path / "run", lines[1][30:], mode="ab")
    assert [point.step for point in history.update()] == [20]
    assert history.damaged == 0


def test_a_run_that_is_resumed_is_read_again(tmp_path: Path) -> None:
    """Its metrics were cut, and what was cut off no longer counts."""
    lines = evaluations((2, 2), (1.5, 1.5), (1.2, 1.7))
    history = read_history(str(write(tmp_path / "run", *lines)))
    assert history.overfitting
    write(tmp_path / "run", *lines[:2])
    assert [point.step for point in history.update()] == [10, 20]
    assert not history.overfitting
    assert history.training.steps.tolist() == [10, 20]


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense\n", b"\xff\n", b"\0\0\0\n", b"\n", b"[]\n", b"3\n", b"null\n", b"{}\n",
        b'{"step": "3"}\n', b'{"step": 3.5}\n', b'{"step": true}\n', b'{"step": -5}\n',
        b'{"step": 9}\n', b'{"step": 1e999}\n', b'{"step": ' + b"9" * 5000 + b"}\n",
        b'{"step": 99999999999999}\n', b'{"step": 15, "loss": NaN}\n',
        b'{"step": 15, "loss": -Infinity}\n', b'{"step": 15, "loss": 1e999}\n',
        b'{"step": 15, "loss": "low"}\n', b'{"step": 15, "loss": -1}\n',
        b'{"step": 15, "val_loss": [1]}\n', b'{"step": 15, "seconds": true}\n',
        b'{"step": 15, "seconds": 1' + b"0" * 400 + b"}\n",
        b'{"step": 15, "sample": 3}\n', b"[" * 60_000 + b"\n", b'{"a":' * 9000 + b"\n",
        b"x" * 200_000 + b"\n", b'{"step": 15}' + b" " * (1 << 16) + b"\n",
    ],
    ids=lambda line: line[:30].decode("latin-1"),
)  # fmt: skip
def test_a_damaged_line_is_left_out(tmp_path: Path, line: bytes) -> None:
    """And counted; those around it are read."""
    first, last = evaluations((2, 2), (1.5, 1.5))
    history = read_history(str(write(tmp_path / "run", first, line, last)))
    assert history.damaged == 1
    assert history.training.steps.tolist() == [10, 20]


def test_what_a_run_writes_for_a_loss_that_is_not_finite(tmp_path: Path) -> None:
    """JSON has no number for it, so it is null: no damage, and no point of a curve."""
    first, last = evaluations((2, 2), (1.5, 1.5))
    gap = {"step": 15, "loss": None, "val_loss": None}
    history = read_history(str(write(tmp_path / "run", first, gap, last)))
    assert history.damaged == 0
    assert history.training.steps.tolist() == [10, 20]


def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Points of a long run are merged, and the curve keeps its shape."""
    monkeypatch.setattr(curves, "MOST_POINTS", 64)
    lines = [{"step": n, "loss": 5 - n / 1000, "val_loss": 5 - n / 1000} for n in range(1, 3001)]
    history = read_history(str(write(tmp_path / "run", *lines)))
    for curve in (history.training, history.validation):
        assert 32 <= len(curve.steps) <= 64
        assert np.allclose(curve.losses, 5 - curve.steps / 1000)
        assert curve.steps[-1] > 2950
        assert np.isnan(curve.seconds).all()
    assert history.best is not None
    assert history.best.step == 3000


@pytest.mark.parametrize("fill", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_a_link_or_a_pipe_in_a_run_is_refused(
    tmp_path: Path, fill: Callable[[Path], object]
) -> None:
    """A directory of unknown origin may have links to any file."""
    fill(tmp_path / "metrics.jsonl")
    with pytest.raises(CharLSTMError, match=r"metrics.jsonl: cannot be read: is a"):
        read_history(str(tmp_path))


def test_a_file_that_is_no_metrics(tmp_path: Path) -> None:
    """All of its lines are damaged."""
    (tmp_path / "text").write_text("to be\nor not to be\n")
    with pytest.raises(CharLSTMError, match="not the metrics of a run"):
        read_history(str(tmp_path / "text"))


def test_which_run_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory, its file, or the newest; a run that has just begun has only a state."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CharLSTMError, match="no run under runs/"):
        find_history()
    for age, name in enumerate(("zeta", "alpha")):
        (tmp_path / "runs" / name).mkdir(parents=True)
        write(tmp_path / "runs" / name, *evaluations((2, 2)))
        os.utime(tmp_path / "runs" / name / "metrics.jsonl", (1000 - age, 1000 - age))
    assert find_history().name == "runs/zeta"
    assert find_history("runs/alpha").name == find_history(Path("runs/alpha")).name == "runs/alpha"
    assert read_history("runs/alpha/metrics.jsonl").last is not None
    (tmp_path / "runs/new").mkdir()
    with pytest.raises(CharLSTMError, match=r"runs/new: no metrics.jsonl in this directory"):
        find_history("runs/new")
    (tmp_path / "runs/new/state.safetensors").touch()
    assert read_history().name == "runs/new"
    assert read_history().last is None
    for name in ("absent", "x" * 5000, "a\0b"):
        with pytest.raises(CharLSTMError, match="no such run"):
            find_history(name)
    with pytest.raises(OptionError, match="empty name"):
        find_history("")
    with pytest.raises(OptionError, match="run is 3; it must be a text or a path"):
        find_history(3)  # type: ignore[arg-type]


def test_the_bounds_of_overfitting() -> None:
    """Neither a rise by chance nor a training loss that rises too."""
    assert overfits((1.0, 1.0), (1.01, 0.9))
    assert not overfits((1.0, 1.0), (1.003, 0.9))
    assert not overfits((1.0, 1.0), (1.01, 1.0))
    assert not overfits((1.0, float("nan")), (1.01, 0.9))


def test_a_history_says_what_it_has(tmp_path: Path) -> None:
    """A run without a line yet has empty curves."""
    history = History(tmp_path / "metrics.jsonl")
    assert list(history.update()) == []
    assert history.training.steps.shape == (0,)
    assert (history.best, history.last_evaluation) == (None, None)
