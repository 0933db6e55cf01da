"""The parts of training: the order of the data, the rate, the validation walk, a step."""

import copy
import itertools
import subprocess
import sys
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from charlstm.config import ModelConfig
from charlstm.errors import OptionError
from charlstm.lstm import Network
from charlstm.training.config import Settings, TrainConfig
from charlstm.training.device import choose_device, choose_precision
from charlstm.training.evaluate import evaluate
from charlstm.training.lanes import Lanes
from charlstm.training.learner import Learner, learning_rate
from charlstm.training.model import CharLSTM

CPU = torch.device("cpu")


def config(**changes: Any) -> TrainConfig:
    values: dict[str, Any] = {
        "steps": 40,
        "eval_every": 10,
        "model": ModelConfig(
            vocab_size=5, embedding_size=4, hidden_size=16, num_layers=2, dropout=0.1
        ),
        "seq_length": 8,
        "batch_size": 4,
        "val_fraction": 0.1,
        "learning_rate": 0.01,
        "weight_decay": 0.01,
        "grad_clip": 1.0,
        "device": "cpu",
        "precision": "fp32",
        "threads": 1,
        "random_seed": 3,
    }
    return TrainConfig(**{**values, **changes})


@pytest.mark.parametrize(("n", "B", "T"), [(1000, 4, 8), (97, 3, 10), (40, 1, 40), (12, 5, 2)])
def test_a_window_continues_the_one_before(n: int, B: int, T: int) -> None:
    """The last id of a window is the first of the next, lane by lane, within an epoch."""
    lanes = Lanes(np.arange(n, dtype=np.uint16), B, T, random_seed=1)
    for step in range(3 * lanes.steps_per_epoch):
        window = lanes.window(step)
        assert window.shape == (T + 1, B)
        assert ((window[1:] - window[:-1]) % n == 1).all()
        if not lanes.starts_epoch(step):
            assert (lanes.window(step - 1)[-1] == window[0]).all()


def test_an_epoch_reads_every_character_at_most_once() -> None:
    """All but what does not fill a window, and elsewhere each time."""
    lanes = Lanes(np.arange(1000, dtype=np.uint16), 4, 8, random_seed=1)
    firsts = []
    for epoch in range(4):
        steps = range(epoch * lanes.steps_per_epoch, (epoch + 1) * lanes.steps_per_epoch)
        seen = Counter(int(i) for step in steps for i in lanes.window(step)[:-1].flat)
        assert set(seen.values()) == {1}
        assert len(seen) == lanes.steps_per_epoch * 4 * 8 > 950
        firsts.append(int(lanes.window(steps[0])[0, 0]))
    assert len(set(firsts)) == 4


def test_the_order_is_known_from_the_step_alone() -> None:
    """Two readers of one text agree at any step; another random seed reads otherwise."""
    ids = np.arange(500, dtype=np.uint16)
    one, two = Lanes(ids, 4, 8, 1), Lanes(ids, 4, 8, 1)
    assert (one.window(77) == two.window(77)).all()
    assert (one.window(77) != Lanes(ids, 4, 8, 2).window(77)).any()


def test_the_rate_rises_then_falls() -> None:
    """A linear warm-up of a twentieth, the peak, and a hundredth of it at the end."""
    rates = [learning_rate(step, 1000, 0.5) for step in range(1000)]
    assert rates[0] == pytest.approx(0.5 / 50)
    assert max(rates) == rates[49] == rates[50] == 0.5
    assert rates[49:] == sorted(rates[49:], reverse=True)
    assert rates[-1] == pytest.approx(0.005, rel=1e-2)
    assert learning_rate(0, 1, 0.5) == 0.5


def model_and_ids(n: int) -> tuple[CharLSTM, np.ndarray]:
    torch.manual_seed(0)
    sizes = ModelConfig(vocab_size=7, embedding_size=8, hidden_size=24, num_layers=2, dropout=0.5)
    return CharLSTM(sizes), np.random.default_rng(0).integers(7, size=n).astype(np.uint8)


@pytest.mark.parametrize(("n", "tolerance"), [(2, 1e-6), (500, 1e-6), (5000, 1e-4)])
def test_the_validation_loss_is_that_of_one_walk(n: int, tolerance: float) -> None:
    """In one lane exactly, in many to a ten-thousandth: as the numpy engine walks end to end."""
    model, ids = model_and_ids(n)
    weights = {name: w.numpy() for name, w in model.state_dict().items()}
    network = Network(weights, model.config)
    state, total = network.zero_state(), 0.0
    for i, following in itertools.pairwise(ids):
        features, state = network.step(int(i), state)
        logits = network.logits(features).astype(np.float64)
        total += np.log(np.exp(logits).sum()) - logits[following]
    loss = evaluate(model, ids, device=CPU, bf16=False)
    assert loss == pytest.approx(total / (n - 1), abs=tolerance)


def test_validation_leaves_no_trace() -> None:
    """Dropout stays on, gradients and random numbers stay as they were."""
    model, ids = model_and_ids(3000)
    model.train()
    before = torch.get_rng_state()
    evaluate(model, ids, device=CPU, bf16=False)
    assert model.training
    assert torch.equal(torch.get_rng_state(), before)
    assert all(p.grad is None for p in model.parameters())


def test_a_learner_learns_and_repeats_itself() -> None:
    """The loss falls on a text with a pattern; the same configuration gives the same losses."""
    ids = np.tile(np.array([0, 1, 2, 3, 4, 3, 2], np.uint8), 60)
    histories = []
    for _ in range(2):
        learner = Learner(config(learning_rate=0.05), Lanes(ids, 4, 8, 3))
        histories.append([float(learner.step()) for _ in range(40)])
    assert histories[0] == histories[1]
    assert histories[0][-1] < 0.7 < 1.5 < histories[0][0]


def test_a_learner_goes_on_from_its_state_to_the_bit() -> None:
    """Weights, optimizer, carried state and dropout's random numbers are all in the state."""
    ids = np.tile(np.array([0, 1, 2, 3, 4, 3, 2], np.uint8), 60)
    lanes = Lanes(ids, 4, 8, 3)
    whole = Learner(config(), lanes)
    for _ in range(11):
        whole.step()
    state = copy.deepcopy(whole.state_dict())
    losses = [float(whole.step()) for _ in range(20)]
    resumed = Learner(config(random_seed=3), lanes)
    resumed.load_state_dict(state)
    assert [float(resumed.step()) for _ in range(20)] == losses


def test_a_device_that_is_not_there_is_refused() -> None:
    """By name, with what to do."""
    for name, there in (
        ("cuda", torch.cuda.is_available()),
        ("mps", torch.backends.mps.is_available()),
    ):
        if not there:
            with pytest.raises(OptionError, match=f"device {name} is not there"):
                choose_device(name)
    assert choose_device("cpu") == "cpu"
    assert choose_precision("fp32", "cpu") == "fp32"
    assert choose_precision("auto", "cpu") in ("fp32", "bf16")


@pytest.mark.parametrize(
    "values",
    [
        {"hidden_size": 0},
        {"num_layers": -1},
        {"batch_size": 2.5},
        {"steps": True},
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"learning_rate": 0},
        {"learning_rate": float("inf")},
        {"val_fraction": 1.0},
        {"epochs": float("nan")},
        {"time": 0},
        {"device": "tpu"},
        {"precision": "fp8"},
        {"random_seed": -1},
        {"residual": "yes"},
        {"time": 3.0, "steps": 5},
    ],
)
def test_settings_that_no_run_can_have_are_refused(values: dict[str, Any]) -> None:
    """Whoever asks for them, before torch is imported."""
    with pytest.raises(OptionError):
        Settings(**values)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_gpu_learns_as_the_cpu_does(precision: str) -> None:
    """The same text and seed give about the same losses on either device."""
    ids = np.tile(np.array([0, 1, 2, 3, 4, 3, 2], np.uint8), 60)
    model = ModelConfig(vocab_size=5, embedding_size=4, hidden_size=16, num_layers=2, dropout=0.0)
    finals = []
    for device in ("cpu", "cuda"):
        chosen = config(device=device, precision=precision, model=model)
        learner = Learner(chosen, Lanes(ids, 4, 8, 3))
        finals.append([float(learner.step()) for _ in range(40)][-1])
    assert finals[1] == pytest.approx(finals[0], abs=0.1)


def test_settings_are_checked_without_torch() -> None:
    """A slip on the command line is told at once."""
    code = "import charlstm.training.config, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
