"""Training from Python: ``train`` and ``resume_run`` of ``charlstm.training``."""

import os
import random
import signal
import subprocess
import sys
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import charlstm
from charlstm import training
from charlstm.errors import OptionError
from charlstm.model.config import ModelConfig
from charlstm.options import OPTIONS
from charlstm.text.corpus import open_corpus
from charlstm.text.dataset import write_dataset
from charlstm.text.decoding import TextOptions
from charlstm.training import events
from charlstm.training.config import Settings, TrainConfig, all_options, config_toml

SMALL: dict[str, Any] = {
    "steps": 3,
    "hidden_size": 8,
    "embedding_size": 4,
    "device": "cpu",
    "threads": 1,
}


def trained(sources: Any, run: Path, **options: Any) -> list[events.Event]:
    return list(training.train(sources, output=run, **{**SMALL, **options}))


@pytest.fixture(scope="module")
def base(play: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run to begin from."""
    run = tmp_path_factory.mktemp("base") / "run"
    trained(play, run)
    return run


def test_a_model_is_trained_in_a_few_lines(play: Path, tmp_path: Path) -> None:
    """Text options and settings are keywords; the model can be loaded at once."""
    read, *_, finished = trained(str(play), tmp_path / "run", lowercase=True, min_count=10)
    assert isinstance(read, events.TextRead)
    assert read.name == "verse"
    assert "characters seen fewer than 10 times left out" in read.notes[0]
    assert isinstance(finished, events.Finished)
    model = charlstm.load(finished.model)
    assert model.vocabulary == model.vocabulary.lower()
    *_, finished = training.resume_run(tmp_path / "run", steps=4)
    assert isinstance(finished, events.Finished)
    assert finished.step == 4


def test_what_a_corpus_may_be(play: Path, tmp_path: Path) -> None:
    """A path, a list, a directory, a dataset; text options as a record."""
    write_dataset(open_corpus([str(play)], TextOptions()), tmp_path / "data")
    sources = [play, [play, str(play)], play.parent, tmp_path / "data"]
    for number, source in enumerate(sources):
        read, *_ = trained(source, tmp_path / f"run{number}")
        assert isinstance(read, events.TextRead)
        assert read.characters >= len(play.read_text())


def test_nothing_is_printed(play: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither by a new run nor by a resumed one."""
    trained(play, tmp_path / "run")
    list(training.resume_run(tmp_path / "run", steps=5))
    assert capfd.readouterr() == ("", "")


def of_the_process() -> dict[str, Any]:
    """What belongs to the whole process, and so to whoever iterates over a training."""
    return {
        "threads": torch.get_num_threads(),
        "seed": torch.initial_seed(),
        "random numbers": torch.get_rng_state().tolist(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "type": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "filters": list(warnings.filters),
        "environment": dict(os.environ),
        "directory": Path.cwd(),
        "handlers": [signal.getsignal(number) for number in signal.valid_signals()],
        "numpy": (np.geterr(), np.random.get_state()[1].tolist()),
        "random": random.getstate(),
    }


@pytest.mark.parametrize("how", ["steps", "time", "base"])
def test_nothing_of_the_process_is_changed(
    play: Path, tmp_path: Path, base: Path, how: str
) -> None:
    """After each event threads, random numbers, warnings and the rest are the caller's own."""
    options: dict[str, dict[str, Any]] = {
        "steps": {},
        "time": {"steps": None, "time": 0.5},  # the speed is measured first
        "base": {"init_from": base, "hidden_size": None, "embedding_size": None},
    }
    before, asked = torch.get_num_threads(), {**SMALL, **options[how]}
    torch.set_num_threads(3)
    try:
        mine = of_the_process()
        for event in training.train(play, output=tmp_path / "run", **asked):
            assert of_the_process() == mine, event
        assert isinstance(event, events.Finished)
        longer = event.step + 2
        for event in training.resume_run(tmp_path / "run", steps=longer, threads=2):
            assert of_the_process() == mine, event
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"hidden_size": 0}, "hidden_size is 0; it must be a whole number"),
        ({"time": "soon"}, "time is 'soon'; write it like"),
        ({"time": 3}, "time and steps are given together; a run has one budget"),
        ({"encoding": "none"}, "encoding is 'none'"),
        ({"precision": "fp8"}, "precision is 'fp8'"),
    ],
)
def test_a_wrong_value_is_refused_when_the_function_is_called(
    play: Path, tmp_path: Path, options: dict[str, Any], fault: str
) -> None:
    """Not when the first event is asked for; the message has the name that Python has."""
    with pytest.raises(OptionError, match=fault):
        training.train(play, output=tmp_path / "run", **{**SMALL, **options})
    with pytest.raises(OptionError, match="hidden_size cannot change"):
        training.resume_run(tmp_path / "run", hidden_size=9)
    assert not list(tmp_path.iterdir())


def test_an_option_that_nobody_knows_is_a_type_error(play: Path) -> None:
    """As with any function."""
    with pytest.raises(TypeError, match="hidden_sise"):
        training.train(play, hidden_sise=9)
    with pytest.raises(OptionError, match="no corpus"):
        training.train([])


def test_the_room_is_imported_lazily(play: Path, tmp_path: Path) -> None:
    """Neither numpy nor torch is needed to import it, and a wrong setting needs no torch."""
    code = f"""
import sys
import charlstm.training as training
import charlstm.training.events as events
print({{"numpy", "torch"}} & set(sys.modules))
try:
    training.train({str(play)!r}, output={str(tmp_path / "run")!r}, hidden_size=0)
except ValueError as error:
    print(error.name, "torch" in sys.modules)
training.prunable_runs, training.launched, events.Step, training.resume_run
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["set()", "hidden_size False", "False"]


def test_every_exported_name_is_there() -> None:
    """And no other."""
    for name in training.__all__:
        assert getattr(training, name)
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = training.nothing_like_it


def test_every_choice_of_a_run_is_an_option_of_the_table() -> None:
    """So it is checked, written down and read again without further work."""
    names = {*asdict(Settings())} | {*TrainConfig.__dataclass_fields__}
    names -= {"network", "most_steps", "most_threads", "init_sha256", "validation_read"}
    assert names <= OPTIONS.keys()
    network = ModelConfig(vocab_size=9, embedding_size=4, hidden_size=8, num_layers=2)
    config = TrainConfig(
        steps=3, eval_every=1, network=network, seq_length=8, batch_size=2, val_fraction=0.1,
        learning_rate=0.01, weight_dropout=0.0, threads=1, save_every=90.0,
    )  # fmt: skip
    written = all_options(config, TextOptions())
    unset = {"time", "epochs", "pace", "evaluations"}
    assert written.keys() == names - unset | {*asdict(TextOptions())}
    assert 'save_every = "90.000s"\n' in config_toml(config, TextOptions(), ["play.txt"])
