"""Runs that keep to a time: they end in it, stopped or not, and their pace repeats them."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from charlstm.model.model_file import load_model
from charlstm.training import resume_run, train
from charlstm.training.checkpoint import load_checkpoint
from charlstm.training.events import Evaluation, Finished, Started, Step
from charlstm.training.pace import Pace

from .conftest import Run
from .test_resume import weights_of

PLAY = Path(__file__).parents[1] / "corpora/a-bell-for-cold-hythe.txt"
# So slow that no machine reads the play often enough in the time.
SLOW: dict[str, Any] = {
    "hidden_size": 48,
    "num_layers": 2,
    "embedding_size": 8,
    "seq_length": 16,
    "batch_size": 4,
    "dropout": 0.1,
    "device": "cpu",
    "threads": 1,
    "sample": False,
}
SECONDS = 4.0


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of SECONDS."""
    run = tmp_path_factory.mktemp("timed") / "run"
    *_, finished = train(PLAY, output=run, time=SECONDS, **SLOW)
    assert isinstance(finished, Finished)
    assert not finished.stopped
    return run


def repeated(run: Path, charlstm: Run, output: Path, *words: object) -> Path:
    """The run that the command on the card of a run's model makes, or ``charlstm train`` WORDS."""
    command = shlex.split(load_model(run / "model.safetensors").command)
    done = charlstm(*(["train", *words] if words else command[1:]), "-o", output)
    assert done.returncode == 0, done.stderr.decode()
    return output


def test_the_pace_of_a_run_is_on_its_card_and_in_its_state(timed: Path) -> None:
    """All of it, also where the model was kept before the end."""
    training = load_model(timed / "model.safetensors").training
    state = load_checkpoint(timed / "state.safetensors")
    assert training["pace"] == str(state.pace)
    assert training["planned_steps"] == state.pace.last == state.steps_done
    assert training["time"] == SECONDS
    assert len(state.pace.changes) > 1
    lines = [json.loads(line) for line in (timed / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == state.steps_done
    assert "val_loss" in lines[-1]


def test_the_command_on_the_card_repeats_a_run(timed: Path, charlstm: Run, tmp_path: Path) -> None:
    """Bit for bit, without a clock; and so does the run's config.toml."""
    again = repeated(timed, charlstm, tmp_path / "command")
    assert weights_of(again) == weights_of(timed)
    assert load_model(again / "model.safetensors").training["pace"] == str(
        load_checkpoint(timed / "state.safetensors").pace
    )
    config = repeated(timed, charlstm, tmp_path / "toml", "--config", timed / "config.toml")
    assert weights_of(config) == weights_of(timed)


def test_a_killed_run_takes_the_time_that_is_left(charlstm: Run, tmp_path: Path) -> None:
    """What it took before its last state counts; its pace repeats it without a stop."""
    run = tmp_path / "run"
    for event in train(PLAY, output=run, time=SECONDS, save_every=0.5, **SLOW):
        if isinstance(event, Step) and event.step >= event.steps // 2:  # steps may change
            break  # as if by a power cut
    before = load_checkpoint(run / "state.safetensors")
    assert 0 < before.history.seconds < SECONDS
    _, started, *events, finished = resume_run(run)
    assert isinstance(started, Started)
    assert started.config.time == SECONDS
    assert isinstance(finished, Finished)
    assert finished.seconds == pytest.approx(SECONDS, abs=1.0)
    assert any(isinstance(event, Evaluation) for event in events)
    after = load_checkpoint(run / "state.safetensors")
    assert after.pace.begins_like(Pace(before.pace.changes))
    assert weights_of(repeated(run, charlstm, tmp_path / "again")) == weights_of(run)


def test_a_killed_repetition_is_resumed_to_the_same_bits(timed: Path, tmp_path: Path) -> None:
    """A pace that was given is no matter of the clock."""
    run, training = tmp_path / "run", load_model(timed / "model.safetensors").training
    evaluations = load_checkpoint(timed / "state.safetensors").config.evaluations
    asked = {**SLOW, **{name: training[name] for name in ("learning_rate", "weight_dropout")}}
    for event in train(
        PLAY, output=run, pace=training["pace"], evaluations=evaluations, save_every=0.2, **asked
    ):
        if isinstance(event, Step) and event.step == event.steps * 2 // 3:
            break
    assert isinstance(list(resume_run(run))[-1], Finished)
    assert weights_of(run) == weights_of(timed)


def test_a_run_that_is_enough_has_one_pace(play: Path, tmp_path: Path) -> None:
    """With time to spare the clock changes nothing, so that its steps alone repeat it."""
    *_, finished = train(play, output=tmp_path / "run", time=60, hidden_size=8, **{
        name: SLOW[name] for name in ("device", "threads", "sample")
    })  # fmt: skip
    assert isinstance(finished, Finished)
    assert finished.seconds < 50
    model = load_model(tmp_path / "run/model.safetensors")
    assert model.training["pace"] == f"0:0:{finished.step}"
    assert f"--steps {finished.step}" in model.command
    assert f"steps = {finished.step}\n" in (tmp_path / "run/config.toml").read_text()
