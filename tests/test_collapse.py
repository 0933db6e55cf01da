"""A network that breaks in the middle of a training: seen, taken back, and exact all the same."""

import copy
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from charlstm.model.model_file import load_model
from charlstm.training import resume_run, train
from charlstm.training.batches import Batches
from charlstm.training.events import Evaluation, Event, Finished, Recovered, Step
from charlstm.training.loop import Run
from charlstm.training.losses import loss_levels
from charlstm.training.optimizer import WARM_UP_AFTER_ROLLBACK, learning_rate
from charlstm.training.trainer import Trainer

from .test_training import config, data_of

SETTINGS = {
    "steps": 900,
    "eval_every": 100,
    "hidden_size": 24,
    "embedding_size": 8,
    "dropout": 0.1,
    "device": "cpu",
    "threads": 1,
}
BREAKS_AT = 470  # an evaluation comes before the fault is seen


def run_of(events: Iterator[Event]) -> Run:
    """The run inside a training that is going on."""
    run: Run = events.gi_frame.f_locals["run"]  # type: ignore[attr-defined]
    return run


def begun(play: Path, run: Path) -> Iterator[Event]:
    """A training that has not broken yet."""
    return train(play, output=run, **SETTINGS)


def breaking(events: Iterator[Event]) -> Iterator[Event]:
    """The events of a training whose gates are all stuck from step BREAKS_AT on."""
    for event in events:
        yield event
        if isinstance(event, Step) and event.step == BREAKS_AT:
            with torch.no_grad():
                for name, weight in run_of(events).trainer.network.named_parameters():
                    if name.startswith("layers") and "weight" in name:
                        weight.mul_(100)


@pytest.fixture(scope="module")
def broken(play: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Event]]:
    """The run of a training that broke, and its events."""
    run = tmp_path_factory.mktemp("broken") / "run"
    return run, list(breaking(begun(play, run)))


def test_a_collapse_is_rolled_back(broken: tuple[Path, list[Event]]) -> None:
    """Within some tens of steps, to weights from before it; the run then ends better than ever."""
    events = broken[1]
    recovered = [event for event in events if isinstance(event, Recovered)]
    assert [event.rolled_back for event in recovered] == [True]
    assert BREAKS_AT < recovered[0].step <= BREAKS_AT + 100
    losses = {e.step: e.val_loss for e in events if isinstance(e, Evaluation)}
    assert losses[500] > losses[400] + 1 > losses[600]
    assert isinstance(events[-1], Finished)
    assert events[-1].best_step > recovered[0].step


def test_a_run_that_is_killed_after_a_roll_back_is_exact(
    broken: tuple[Path, list[Event]], play: Path, tmp_path: Path
) -> None:
    """While the rate rises again, too."""
    whole, events = broken
    rolled_back_at = next(event.step for event in events if isinstance(event, Recovered))
    killed = begun(play, tmp_path / "run")
    for event in breaking(killed):
        if isinstance(event, Step) and event.step == rolled_back_at + 9:
            run = run_of(killed)
            run.directory.write(run.checkpoint())
        if isinstance(event, Step) and event.step == rolled_back_at + 30:
            break
    killed.close()  # type: ignore[attr-defined]
    list(resume_run(tmp_path / "run"))
    runs = (whole, tmp_path / "run")
    weights = [load_model(run / "model.safetensors").weights for run in runs]
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])
    metrics = [list(map(json.loads, (r / "metrics.jsonl").read_text().splitlines())) for r in runs]
    for key in ("step", "loss", "val_loss", "learning_rate"):
        assert [line.get(key) for line in metrics[0]] == [line.get(key) for line in metrics[1]]


def test_the_rate_rises_again_after_a_roll_back() -> None:
    """In a straight line to half of what it was; a state that was saved meanwhile knows it."""
    data = data_of(np.tile(np.array([0, 1, 2, 3, 4], np.uint8), 90))
    trainer = Trainer(config(steps=1000), data)
    trainer.optimizer.steps_done = 200
    trainer.roll_back()
    resumed = Trainer(config(steps=1000), data)
    resumed.load_state(copy.deepcopy(trainer.state()), trainer.optimizer.progress())
    for one in (trainer, resumed):
        for done, share in ((0, 1 / WARM_UP_AFTER_ROLLBACK), (24, 0.5), (49, 1.0), (400, 1.0)):
            one.optimizer.steps_done = 200 + done
            expected = 0.5 * share * learning_rate(0.3, 0.01)
            assert one.optimizer.rate(0.3) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("shares", "n", "entropy"),
    [
        ([1, 1, 1, 1], 4000, math.log(4)),
        ([8, 1, 1, 0], 4000, -(0.8 * math.log(0.8) + 0.2 * math.log(0.1))),
        ([8, 1, 1, 0], 3_000_000, -(0.8 * math.log(0.8) + 0.2 * math.log(0.1))),
    ],
)
def test_the_level_of_character_frequencies(shares: list[int], n: int, entropy: float) -> None:
    """The entropy of the text's characters; of a large text it is found in samples."""
    ids: Any = np.repeat(np.arange(len(shares), dtype=np.uint8), shares)
    ids = np.tile(ids, n // len(ids))
    found = loss_levels(Batches(ids, 8, 64, 0), len(shares))
    assert found.frequencies == pytest.approx(entropy, abs=1e-3)
    assert found.uniform == math.log(4)


@pytest.mark.parametrize(
    ("characters", "batch_size", "seq_length", "window"),
    [(300, 4, 16, 50), (20_000, 8, 64, 50), (50_000, 8, 64, 96), (10**6, 16, 64, 50),
     (10**6, 1, 64, 781), (10**6, 64, 64, 50)],
)  # fmt: skip
def test_a_window_holds_enough_of_the_text(
    characters: int, batch_size: int, seq_length: int, window: int
) -> None:
    """Fifty steps, or as many as read the text once or fifty thousand characters of it."""
    batches = Batches(np.zeros(characters, np.uint8), batch_size, seq_length, 0)
    assert loss_levels(batches, 2).window == window
