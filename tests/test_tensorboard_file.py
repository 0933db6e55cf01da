"""``--tensorboard``: the event file has the figures of metrics.jsonl, and harms no run."""

import errno
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from charlstm.cli.hints import explained
from charlstm.errors import TrainingError
from charlstm.model.model_file import load_card
from charlstm.training import resume_run, train
from charlstm.training.checkpoint import load_checkpoint
from charlstm.training.events import Event, Finished, SavedAgain, SaveFailed, Step
from charlstm.training.tensorboard_file import FIGURES, TensorBoardFile

from .conftest import SMALL_RUN, Run
from .test_distributed import OPTIONS, ranks
from .test_install import shadowed

SETTINGS: dict[str, Any] = {**SMALL_RUN, "save_every": 0.0, "init_from": "none"}


def begin(play: Path, run: Path, **changes: Any) -> Iterator[Event]:
    return train(play, output=run, **{**SETTINGS, "tensorboard": True, **changes})


def metrics(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def files(run: Path) -> list[str]:
    """The names of the files that are not empty."""
    found = [path for path in (run / "tensorboard").iterdir() if path.stat().st_size]
    return sorted(path.name for path in found)


def read_back(path: Path) -> EventAccumulator:
    """What TensorBoard reads in a directory or in a file: all points of it."""
    return EventAccumulator(str(path), size_guidance={"scalars": 0, "tensors": 0}).Reload()


def assert_as_in_metrics(run: Path) -> None:
    """One file with each figure of each line once, in float32, and with each sample."""
    (name,) = files(run)
    for path in (run / "tensorboard", run / "tensorboard" / name):
        read, lines = read_back(path), metrics(run)
        assert set(read.Tags()["scalars"]) == {
            figure for figure in FIGURES if any(line.get(figure) is not None for line in lines)
        }
        for figure in read.Tags()["scalars"]:
            expected = [
                (line["step"], float(np.float32(line[figure])))
                for line in lines
                if line.get(figure) is not None
            ]
            assert [(point.step, point.value) for point in read.Scalars(figure)] == expected
        times = [point.wall_time for point in read.Scalars("loss")]
        seconds = [line["seconds"] for line in lines]
        np.testing.assert_allclose(
            np.subtract(times, times[0]), np.subtract(seconds, seconds[0]), atol=1e-5
        )
        samples = [(line["step"], line["sample"]) for line in lines if "sample" in line]
        found = [
            (point.step, point.tensor_proto.string_val[0].decode())
            for point in (read.Tensors("sample") if samples else ())
        ]
        assert [(step, text[4:].replace("\n    ", "\n")) for step, text in found] == samples


@pytest.fixture(scope="module")
def whole(play: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody stopped."""
    run = tmp_path_factory.mktemp("whole") / "run"
    assert isinstance(list(begin(play, run))[-1], Finished)
    return run


def stopped(play: Path, run: Path, **changes: Any) -> Path:
    """A run that vanished after 20 steps; its last state is that of step 19."""
    for event in begin(play, run, **changes):
        if isinstance(event, Step) and event.step == 20:
            break
    return run


def test_the_event_file_has_the_figures_of_the_metrics(whole: Path) -> None:
    """All of them, and the samples with their line ends."""
    assert len(metrics(whole)) > 4
    assert_as_in_metrics(whole)


def test_the_model_does_not_depend_on_it(whole: Path, play: Path, tmp_path: Path) -> None:
    """Neither do its card and the command that makes it again; without it there is no file."""
    list(begin(play, tmp_path / "run", tensorboard=False))
    assert not (tmp_path / "run" / "tensorboard").exists()
    cards = [load_card(run / "model.safetensors") for run in (whole, tmp_path / "run")]
    assert cards[0].command == cards[1].command
    assert cards[0].training.keys() == cards[1].training.keys()
    assert "tensorboard = true" in (whole / "config.toml").read_text()


def test_a_resumed_run_has_each_step_once(whole: Path, play: Path, tmp_path: Path) -> None:
    """Though figures of later steps than the state were written, and the last of them by half."""
    run = stopped(play, tmp_path / "run")
    (name,) = files(run)
    with (run / "metrics.jsonl").open("a") as lines:
        lines.write('{"step": 21, "loss": 9.0}\n')
    with (run / "tensorboard" / name).open("ab") as events:
        events.write((whole / "tensorboard" / files(whole)[0]).read_bytes()[:-7])
    assert isinstance(list(resume_run(run))[-1], Finished)
    assert name not in files(run)
    assert_as_in_metrics(run)
    assert [line["step"] for line in metrics(run)] == [line["step"] for line in metrics(whole)]


def test_an_open_tensorboard_forgets_the_file_before(play: Path, tmp_path: Path) -> None:
    """What has read a part of a run has each step once when the run has gone on."""
    run = stopped(play, tmp_path / "run")
    read = read_back(run / "tensorboard")
    before = len(read.Scalars("loss"))
    list(resume_run(run))
    steps = [point.step for point in read.Reload().Scalars("loss")]
    assert steps == [line["step"] for line in metrics(run)]
    assert len(steps) > before > 1


def test_it_can_be_asked_for_when_a_run_is_resumed(play: Path, tmp_path: Path) -> None:
    """The earlier steps are there too; other files of the directory stay."""
    run = stopped(play, tmp_path / "run", tensorboard=False)
    list(resume_run(run, tensorboard=True))
    assert_as_in_metrics(run)
    other = run / "tensorboard" / "events.out.tfevents.1.mine"
    other.touch()
    for steps in (40, 50, 60):
        list(resume_run(run, steps=steps))
    other.unlink()
    assert_as_in_metrics(run)
    assert len(list((run / "tensorboard").iterdir())) == 2  # the last one, and one that is empty


def test_a_full_disk_for_a_while(
    play: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said, the state is saved all the same, and in the end everything is written."""
    run, write = tmp_path / "run", TensorBoardFile.write

    def fail(file: TensorBoardFile) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(run / "tensorboard"))

    said = []
    for event in begin(play, run):
        if isinstance(event, Step) and event.step == 5:
            monkeypatch.setattr(TensorBoardFile, "write", fail)
        if isinstance(event, Step) and event.step == 20:
            assert load_checkpoint(run / "state.safetensors").steps_done == 19
            monkeypatch.setattr(TensorBoardFile, "write", write)
        if isinstance(event, SaveFailed | SavedAgain):
            said.append(event)
    assert isinstance(said[0], SaveFailed)
    assert said[0].fault == f"{run}/tensorboard: No space left on device"
    assert isinstance(said[-1], SavedAgain)
    assert_as_in_metrics(run)


def test_a_directory_that_is_a_link_is_not_written_to(
    whole: Path, play: Path, tmp_path: Path
) -> None:
    """The run is complete and sound all the same; at its end this is an error of one line."""
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    elsewhere.mkdir()
    events = begin(play, run)
    next(events)
    next(events)
    (run / "tensorboard").symlink_to(elsewhere)
    with pytest.raises(TrainingError, match="tensorboard: is not a directory") as caught:
        list(events)
    assert f"charlstm generate -m {run}" in explained(caught.value)
    assert list(elsewhere.iterdir()) == []
    assert load_checkpoint(run / "state.safetensors").finished
    cards = [load_card(path / "model.safetensors").training["steps"] for path in (run, whole)]
    assert cards[0] == cards[1]


def test_without_tensorboard_it_says_what_to_install(
    charlstm: Run, play: Path, tmp_path: Path
) -> None:
    """In one line, before torch is imported, and nothing is made."""
    env = shadowed(tmp_path, "tensorboard", "raise ImportError('No module tensorboard')\n")
    env = shadowed(tmp_path / "2", "torch", "raise SystemExit(9)\n") | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "2" / "shadows"), env["PYTHONPATH"]])
    }
    done = charlstm("train", play, "--tensorboard", "-o", tmp_path / "run", env=env)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == (
        "charlstm: error: tensorboard cannot be imported: No module tensorboard; install it where "
        "charlstm is: pip install tensorboard\n"
    )
    assert not (tmp_path / "run").exists()


def test_a_run_resumed_without_tensorboard_is_as_it_was(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And can go on without it, if that is asked for."""
    run = shutil.copytree(whole, tmp_path / "run")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for name in [name for name in sys.modules if name.split(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(TrainingError, match="tensorboard cannot be imported"):
        list(resume_run(run, steps=40))
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert isinstance(list(resume_run(run, steps=40, tensorboard=False))[-1], Finished)


def test_of_several_processes_one_writes(
    environment: dict[str, str], play: Path, tmp_path: Path
) -> None:
    """The first: there is one file."""
    run = tmp_path / "run"
    done = ranks(environment, 2, "train", play, *OPTIONS, "--tensorboard", "-o", run)
    assert done.returncode == 0, done.stderr.decode()
    assert_as_in_metrics(run)
