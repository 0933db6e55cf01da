"""The model that a run keeps: never a worse one in its place, and the same one after a replay."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from charlstm.model.model_file import ModelFile, load_model, save_model
from charlstm.text.dataset import load_dataset
from charlstm.text.decoding import TextOptions
from charlstm.training import resume_run, run_directory, train
from charlstm.training.checkpoint import Checkpoint, load_checkpoint
from charlstm.training.events import Evaluation, Event, Finished, Step

from .conftest import SMALL_RUN

# There is no state but that of before the first step, if a run is killed.
SETTINGS: dict[str, Any] = {**SMALL_RUN, "save_every": 1e6}


def begun(play: Path, run: Path, *, until: int, **changes: Any) -> list[Event]:
    """The events of a run that vanishes after step ``until``, as if by a power cut."""
    seen: list[Event] = []
    for event in train(play, output=run, **{**SETTINGS, **changes}):
        seen.append(event)
        if isinstance(event, Step | Evaluation) and event.step == until:
            break
    return seen


def model_in(run: Path) -> ModelFile:
    return load_model(run / "model.safetensors")


def change_card(run: Path, **changes: Any) -> None:
    """Let the model in ``run`` say something else of its training."""
    model = model_in(run)
    training = {**model.training, **changes}
    save_model(replace(model, training=training), run / "model.safetensors")


def results(run: Path) -> tuple[dict[str, Any], list[list[Any]]]:
    """Weights and metrics, without what the clock says."""
    keys = ("step", "epoch", "loss", "val_loss", "learning_rate")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    weights = {name: weight.tolist() for name, weight in model_in(run).weights.items()}
    return weights, [[line.get(key) for key in keys] for line in lines]


def test_a_better_model_than_the_state_knows_stays(play: Path, tmp_path: Path) -> None:
    """A resumed run that does not come to its loss leaves it, and says which model it is."""
    begun(play, tmp_path, until=20)
    change_card(tmp_path, val_loss=0.5)
    kept = (tmp_path / "model.safetensors").read_bytes()
    *_, finished = resume_run(tmp_path)
    assert isinstance(finished, Finished)
    assert (tmp_path / "model.safetensors").read_bytes() == kept
    assert (finished.best_step, finished.val_loss) == (14, 0.5)


@pytest.mark.parametrize("val_fraction", [0.1, 0.0])
def test_a_replay_takes_no_model_back(play: Path, tmp_path: Path, val_fraction: float) -> None:
    """While it does again what was done, the kept model stays; the end is that of a whole run."""
    whole = begun(play, tmp_path / "whole", until=31, val_fraction=val_fraction)
    run = tmp_path / "run"
    begun(play, run, until=20, val_fraction=val_fraction)
    replayed, kept_steps = [], []
    for event in resume_run(run):
        replayed.append(event)
        kept_steps.append(model_in(run).training["steps"])
    assert kept_steps[0] == 14
    assert kept_steps == sorted(kept_steps)  # the loss falls in this run
    assert results(run) == results(tmp_path / "whole")
    best = [
        [(e.step, e.best) for e in events if isinstance(e, Evaluation)]
        for events in (whole, replayed)
    ]
    assert best[0] == best[1]
    assert isinstance(whole[-1], Finished)
    assert isinstance(replayed[-1], Finished)
    assert whole[-1].best_step == replayed[-1].best_step


def another_text(run: Path) -> None:
    model = model_in(run)
    other = replace(model.fingerprint, sha256="0" * 64)
    save_model(replace(model, fingerprint=other), run / "model.safetensors")


OTHERS: dict[str, Callable[[Path], None]] = {
    "none": lambda run: (run / "model.safetensors").unlink(),
    "damaged": lambda run: (run / "model.safetensors").write_bytes(b"\0" * 99),
    "another text": another_text,
    "another split": lambda run: change_card(run, val_fraction=0.5),
    "no loss": lambda run: change_card(run, val_loss=None),
    "no step": lambda run: change_card(run, steps="many"),
}


@pytest.mark.parametrize("other", OTHERS, ids=OTHERS)
def test_a_model_that_is_not_the_runs_own_does_not_count(
    play: Path, tmp_path: Path, other: str
) -> None:
    """Whatever it says of its loss, and even where the state says that there was a better one."""
    begun(play, tmp_path, until=20, save_every=0.0)
    change_card(tmp_path, val_loss=0.5)
    OTHERS[other](tmp_path)
    *_, finished = resume_run(tmp_path)
    assert isinstance(finished, Finished)
    training = model_in(tmp_path).training
    assert (training["steps"], training["val_loss"]) == (finished.best_step, finished.val_loss)
    assert training["steps"] > 20
    assert 0.5 < training["val_loss"] < math.inf


def test_a_state_is_written_soon_and_then_seldom(
    play: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five seconds after the beginning, then once a minute, or so seldom that it stays cheap."""
    list(train(play, output=tmp_path / "run", **{**SETTINGS, "steps": 1}))
    state = load_checkpoint(tmp_path / "run/state.safetensors")
    dataset = load_dataset([str(play)], TextOptions())
    now = 0.0
    monkeypatch.setattr(run_directory.time, "monotonic", lambda: now)
    takes = 0.0

    def save(checkpoint: Checkpoint, path: Path) -> None:
        nonlocal now
        now += takes

    monkeypatch.setattr(run_directory, "save_checkpoint", save)
    files = run_directory.RunDirectory(tmp_path, dataset, [], [])
    for seconds, takes in ((5, 0.0), (60, 2.0), (100, 2.0)):  # noqa: B007 (a save takes so long)
        now += seconds - 0.1
        assert not files.due(None)
        now += 0.2
        assert files.due(None)
        assert files.try_to_write(state) is None
    slow = run_directory.RunDirectory(tmp_path, dataset, [], [])
    slow.write(state)  # before the first step, which shows how long it takes
    now += 90
    assert not slow.due(None)
    assert slow.due(1.0)
