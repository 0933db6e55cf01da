"""The parts of training: the order of the data, the rate, the validation walk, a step."""

import copy
import itertools
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from charlstm.errors import OptionError
from charlstm.model.config import ModelConfig
from charlstm.model.lstm import LSTM, LSTMState
from charlstm.model.model_file import load_model
from charlstm.text.dataset import load_dataset
from charlstm.text.decoding import TextOptions
from charlstm.training import validation
from charlstm.training.batches import Batches, TrainingData
from charlstm.training.config import Settings, TrainConfig
from charlstm.training.device import choose_device, choose_precision
from charlstm.training.distributed import ALONE, Group
from charlstm.training.dropout import Masks, masks_of
from charlstm.training.events import Finished
from charlstm.training.network import CharLSTM
from charlstm.training.optimizer import learning_rate
from charlstm.training.start import train
from charlstm.training.trainer import Trainer
from charlstm.training.validation import evaluate

CPU = torch.device("cpu")


def config(**changes: Any) -> TrainConfig:
    values: dict[str, Any] = {
        "steps": 40,
        "eval_every": 10,
        "network": ModelConfig(
            vocab_size=5, embedding_size=4, hidden_size=16, num_layers=2, dropout=0.1
        ),
        "seq_length": 8,
        "batch_size": 4,
        "val_fraction": 0.1,
        "learning_rate": 0.01,
        "weight_decay": 0.01,
        "grad_clip": 1.0,
        "weight_dropout": 0.1,
        "averaging": 0.1,
        "patience": 0,
        "save_every": None,
        "init_from": "none",
        "device": "cpu",
        "precision": "fp32",
        "threads": 1,
        "random_seed": 3,
    }
    return TrainConfig(**{**values, **changes})


@pytest.mark.parametrize(
    ("n", "B", "T"), [(1000, 4, 8), (97, 3, 10), (40, 1, 40), (12, 5, 2), (9000, 2, 50)]
)
def test_a_window_continues_the_one_before(n: int, B: int, T: int) -> None:
    """The last position of a window is the first of the next, row by row, within a passage."""
    batches = Batches(np.arange(n, dtype=np.uint16), B, T, random_seed=1)
    for step in range(3 * batches.steps_per_pass):
        window = batches.positions(step)
        assert window.shape == (T + 1, B)
        assert ((window[1:] - window[:-1]) % n == 1).all()
        if not batches.starts(step):
            assert (batches.positions(step - 1)[-1] == window[0]).all()


@pytest.mark.parametrize(
    "sizes", [(1000, 4, 8), (50_000, 3, 64), (30_000, 8, 64), (99_000, 4, 600), (99_000, 4, 2048)]
)
def test_an_epoch_reads_every_character_at_most_once(sizes: tuple[int, int, int]) -> None:
    """All but what does not fill a window, and elsewhere each time."""
    n, B, T = sizes
    batches = Batches(np.arange(n, dtype=np.uint16), B, T, random_seed=1)
    firsts = []
    for epoch in range(4):
        steps = range(epoch * batches.steps_per_pass, (epoch + 1) * batches.steps_per_pass)
        seen = Counter(int(i) for step in steps for i in batches.positions(step)[:-1].flat)
        assert set(seen.values()) == {1}
        assert len(seen) == batches.steps_per_pass * B * T > 0.93 * n
        firsts.append(int(batches.positions(steps[0])[0, 0]))
    assert len(set(firsts)) == 4


def test_a_text_on_the_device_is_read_in_the_same_order() -> None:
    """There each step gets only the first positions; the windows wrap around the text's end."""
    ids = (np.arange(97) % 5).astype(np.uint8)
    trainers = [
        Trainer(config(), TrainingData(ids, ids[:0], on_device=text))
        for text in (None, torch.tensor(ids))
    ]
    assert losses(trainers[0], 12) == losses(trainers[1], 12)


def test_the_order_is_known_from_the_step_alone() -> None:
    """Two readers of one text agree at any step; another random seed reads otherwise."""
    ids = np.arange(500, dtype=np.uint16)
    one, two = Batches(ids, 4, 8, 1), Batches(ids, 4, 8, 1)
    assert (one.positions(77) == two.positions(77)).all()
    assert (one.positions(77) != Batches(ids, 4, 8, 2).positions(77)).any()


def data_of(ids: np.ndarray) -> TrainingData:
    """A text to train on, without a validation part."""
    return TrainingData(ids, ids[:0])


def losses(trainer: Trainer, steps: int) -> list[float]:
    """The losses of so many steps."""
    found = []
    for _ in range(steps):
        trainer.step(0.5)
        found.append(trainer.take_losses().mean)
    return found


def test_the_rate_rises_then_falls() -> None:
    """A linear warm-up of a twentieth, the peak, and a hundredth of it at the end."""
    rates = [learning_rate(thousandth / 1000, 0.5) for thousandth in range(1001)]
    assert rates[1] == pytest.approx(0.5 / 50)
    assert max(rates) == rates[50] == 0.5
    assert rates[50:] == sorted(rates[50:], reverse=True)
    assert rates[-1] == pytest.approx(0.005)


def model_and_ids(n: int) -> tuple[CharLSTM, np.ndarray]:
    sizes = ModelConfig(vocab_size=7, embedding_size=8, hidden_size=24, num_layers=2, dropout=0.5)
    return CharLSTM(sizes, seed=0), np.random.default_rng(0).integers(7, size=n).astype(np.uint8)


@pytest.mark.parametrize(("n", "tolerance"), [(2, 1e-6), (500, 1e-6), (5000, 1e-4)])
def test_the_validation_loss_is_that_of_one_walk(n: int, tolerance: float) -> None:
    """In one stream exactly, in many to a ten-thousandth: as the numpy engine walks end to end."""
    model, ids = model_and_ids(n)
    weights = {name: w.numpy() for name, w in model.state_dict().items()}
    state, total = LSTMState(LSTM(weights, model.config)), 0.0
    for i, following in itertools.pairwise(ids):
        state.read(int(i))
        logits = state.logits().astype(np.float64)
        total += np.log(np.exp(logits).sum()) - logits[following]
    loss = evaluate(model, ids, device=CPU, threads=1)
    assert loss == pytest.approx(total / (n - 1), abs=tolerance)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[CharLSTM, np.ndarray]:
    """A network that learned a play for some seconds, and the play's ids."""
    play = Path(__file__).parents[1] / "corpora/a-bell-for-cold-hythe.txt"
    run = tmp_path_factory.mktemp("learned") / "run"
    *_, finished = train(
        play,
        output=run,
        steps=250,
        evaluations=1,
        hidden_size=96,
        seq_length=48,
        device="cpu",
        threads=1,
    )
    assert isinstance(finished, Finished)
    kept = load_model(finished.model)
    model = CharLSTM(kept.config)
    model.load_state_dict({name: torch.from_numpy(w) for name, w in kept.weights.items()})
    return model, load_dataset([str(play)], TextOptions()).ids


@pytest.mark.parametrize("characters", [5_242, 52_000])
def test_segments_of_a_walk_begin_as_if_they_had_read_all_before(
    learned: tuple[CharLSTM, np.ndarray], monkeypatch: pytest.MonkeyPatch, characters: int
) -> None:
    """On a network that remembers: the loss is that of one walk to a ten-thousandth of a nat."""
    model, ids = learned[0], learned[1][-characters:]

    def loss() -> float:
        return evaluate(model, ids, device=CPU, threads=1)

    in_segments = loss()
    monkeypatch.setattr(validation, "WARM_UP", 1)
    begun_blind = loss()
    monkeypatch.setattr(validation, "STREAMS", 1)
    in_one_walk = loss()
    assert in_one_walk < 2.2
    assert in_segments == pytest.approx(in_one_walk, abs=1e-4)
    assert begun_blind - in_one_walk > 5e-4


def test_validation_leaves_no_trace() -> None:
    """Gradients stay as they were."""
    model, ids = model_and_ids(3000)
    evaluate(model, ids, device=CPU, threads=1)
    assert all(p.grad is None for p in model.parameters())


def test_a_trainer_learns_and_repeats_itself() -> None:
    """The loss falls on a text with a pattern; the same configuration gives the same losses."""
    ids = np.tile(np.array([0, 1, 2, 3, 4, 3, 2], np.uint8), 60)
    histories = []
    for _ in range(2):
        trainer = Trainer(config(learning_rate=0.05), data_of(ids))
        histories.append(losses(trainer, 40))
    assert histories[0] == histories[1]
    assert histories[0][-1] < 0.7 < 1.5 < histories[0][0]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_trainer_goes_on_from_its_state_to_the_bit(precision: str) -> None:
    """Weights, optimizer and carried state are in the state; dropout follows from the step."""
    ids = np.tile(np.array([0, 1, 2, 3, 4, 3, 2], np.uint8), 60)
    data = data_of(ids)
    whole = Trainer(config(precision=precision), data)
    losses(whole, 11)
    state, progress = copy.deepcopy(whole.state()), whole.optimizer.progress()
    expected = losses(whole, 20)
    torch.rand(3)  # nobody else's random numbers matter
    resumed = Trainer(config(precision=precision), data)
    resumed.load_state(state, progress)
    assert losses(resumed, 20) == expected
    again = resumed.optimizer.weights()
    assert all((weight == again[name]).all() for name, weight in whole.optimizer.weights().items())


def poison(trainer: Trainer) -> None:
    """Make the next gradient not finite."""
    trainer.carried[0][0][0, 0, 0] = torch.inf


def test_a_step_that_is_not_finite_is_skipped() -> None:
    """Weights and optimizer stay as they were, the carried state is forgotten, and it counts."""
    ids = np.tile(np.array([0, 1, 2, 3, 4, 3, 2], np.uint8), 60)
    trainer = Trainer(config(), data_of(ids))
    losses(trainer, 5)
    before = copy.deepcopy(trainer.network.state_dict())
    taken = float(trainer.state()["step"])
    poison(trainer)
    trainer.step(0.5)
    assert trainer.take_losses().skipped == 1
    assert all(torch.equal(w, before[name]) for name, w in trainer.network.state_dict().items())
    assert float(trainer.state()["step"]) == taken == 5
    assert all(not h.any() and not c.any() for h, c in trainer.carried)
    assert np.isfinite(losses(trainer, 3)).all()


def test_rolling_back_restores_the_snapshot_at_a_lower_rate() -> None:
    """Twice, too: a snapshot is not spoiled by what is learned from it."""
    ids = np.tile(np.array([0, 1, 2, 3, 4, 3, 2], np.uint8), 60)
    trainer = Trainer(config(), data_of(ids))
    losses(trainer, 5)
    trainer.optimizer.snapshot()
    expected = trainer.optimizer.weights()
    for times in (1, 2):
        losses(trainer, 3)
        trainer.roll_back()
        for weights in (trainer.optimizer.weights(), trainer.network.state_dict()):
            assert all((np.asarray(w) == expected[name]).all() for name, w in weights.items())
        trainer.optimizer.steps_done += 100  # the rate has risen again
        assert trainer.optimizer.rate(0.4) == pytest.approx(learning_rate(0.4, 0.01) * 0.5**times)


def test_clipping_is_that_of_torch() -> None:
    """The fused kernel's scale gives the step that clip_grad_norm_ would have given."""
    ids = np.tile(np.array([0, 1, 2, 3, 4, 3, 2], np.uint8), 60)
    sizes = ModelConfig(vocab_size=5, embedding_size=4, hidden_size=16, num_layers=2, dropout=0.0)
    chosen = config(network=sizes, weight_dropout=0.0, grad_clip=0.01)
    trainer = Trainer(chosen, data_of(ids))
    model = copy.deepcopy(trainer.network)
    plain = torch.optim.AdamW(
        model.parameters(), lr=trainer.optimizer.rate(0.5), betas=(0.9, 0.99), weight_decay=0.01
    )
    trainer.step(0.5)
    window = torch.from_numpy(ids[trainer.batches.positions(0)].astype("int64"))
    logits, _ = model(window[:-1], model.zero_state(4))
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), window[1:].flatten()).backward()
    assert torch.nn.utils.clip_grad_norm_(model.parameters(), 0.01) > 0.01
    plain.step()
    for one, other in zip(model.parameters(), trainer.network.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def masks(dropout: float, weight_dropout: float, step: int = 7, group: Group = ALONE) -> Masks:
    """Those of a step with a batch of 100 windows of 50 characters and 2 layers of 16 units."""
    sizes = ModelConfig(
        vocab_size=5, embedding_size=4, hidden_size=16, num_layers=2, dropout=dropout
    )
    chosen = config(network=sizes, weight_dropout=weight_dropout, batch_size=100, seq_length=50)
    return masks_of(chosen, step, device=CPU, dtype=torch.bfloat16, group=group)


@pytest.mark.parametrize("dropout", [0.1, 0.5, 0.9])
def test_a_mask_drops_its_share_and_keeps_the_mean(dropout: float) -> None:
    """Every value is 0 or the one that makes up for what is dropped."""
    mask = masks(dropout, 0.0).values
    assert mask is not None
    assert mask.dtype == torch.bfloat16
    assert mask.shape == (2, 50, 100, 16)
    assert float((mask > 0).float().mean()) == pytest.approx(1 - dropout, abs=0.01)
    assert mask.unique().numel() == 2
    assert float(mask.float().mean()) == pytest.approx(1, abs=0.05)


def test_the_masks_of_a_step_follow_from_its_number() -> None:
    """The same again for the same step, others for another, none where nothing is dropped."""
    one, same, other = masks(0.3, 0.2), masks(0.3, 0.2), masks(0.3, 0.2, step=8)
    for a, b, c in (
        (one.values, same.values, other.values),
        (one.connections, same.connections, other.connections),
    ):
        assert a is not None
        assert b is not None
        assert c is not None
        assert torch.equal(a, b)
        assert not torch.equal(a, c)
    assert masks(0.0, 0.2).values is masks(0.3, 0.0).connections is None


def test_processes_share_the_masks_of_one() -> None:
    """Each has the rows of the batch that it reads, and all have the same connections."""
    whole, parts = masks(0.3, 0.2), [masks(0.3, 0.2, group=Group(rank, 4)) for rank in range(4)]
    assert whole.values is not None
    assert whole.connections is not None
    for rank, part in enumerate(parts):
        assert part.values is not None
        assert part.connections is not None
        assert torch.equal(part.values, whole.values[:, :, rank::4])
        assert torch.equal(part.connections, whole.connections)


def test_recurrent_connections_are_dropped_in_all_gates_at_once() -> None:
    """With all of them dropped, no character is remembered but through the cell."""
    torch.manual_seed(0)
    sizes = ModelConfig(vocab_size=7, embedding_size=8, hidden_size=24, num_layers=2, dropout=0.0)
    model, ids = CharLSTM(sizes, seed=0), torch.randint(7, (20, 3))
    nothing = Masks(connections=torch.zeros(2, 24, 24))
    dropped = model(ids, model.zero_state(3), nothing)[0]
    for layer in model.layers:
        layer.weight_hh_l0.data.zero_()
    assert torch.equal(model(ids, model.zero_state(3))[0], dropped)


def test_a_training_does_not_import_the_compiler_of_torch() -> None:
    """It takes a second, and is of no use here."""
    code = (
        "import sys, numpy\n"
        "from tests.test_training import config, data_of, losses\n"
        "from charlstm.training.trainer import Trainer\n"
        "from charlstm.training.validation import loss_of\n"
        "ids = numpy.arange(500, dtype=numpy.uint8) % 5\n"
        "trainer = Trainer(config(), data_of(ids))\n"
        "losses(trainer, 3)\n"
        "trainer.validation_loss(ids)\n"
        "trainer.load_state(trainer.state(), trainer.optimizer.progress())\n"
        "trainer.roll_back()\n"
        "weights = trainer.optimizer.weights()\n"
        "loss_of(trainer.config.network, weights, ids, device='cpu', threads=1)\n"
        "print({'torch._dynamo', 'torch._inductor', 'sympy'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_the_kept_weights_are_an_average() -> None:
    """Of none but the last where nothing is averaged."""
    ids = np.tile(np.array([0, 1, 2, 3, 4, 3, 2], np.uint8), 60)
    for averaging, same in ((0.0, True), (0.9, False)):
        trainer = Trainer(config(averaging=averaging), data_of(ids))
        losses(trainer, 21)
        last = trainer.network.state_dict()
        equal = [(last[name].numpy() == w).all() for name, w in trainer.optimizer.weights().items()]
        assert all(equal) is same


def test_a_batch_that_processes_cannot_share_is_refused() -> None:
    """Begun anew or resumed, with what to give."""
    ids = np.arange(500, dtype=np.uint16)
    with pytest.raises(OptionError, match="batch_size is 4, which 3 processes cannot share"):
        Trainer(config(), TrainingData(ids, ids[:0], Group(0, 3)))


def test_a_device_that_is_not_there_is_refused() -> None:
    """By name, with what to do."""
    for name, there in (
        ("cuda", torch.cuda.is_available()),
        ("mps", torch.backends.mps.is_available()),
    ):
        if not there:
            with pytest.raises(
                OptionError, match=f"device is {name}, which this machine does not have"
            ):
                choose_device(name)
    assert choose_device("cpu") == "cpu"
    assert choose_precision("fp32", "cpu") == "fp32"
    assert choose_precision("auto", "cpu") in ("fp32", "bf16")


@pytest.mark.parametrize(
    ("cuda", "mps", "chosen"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "cpu"), (False, False, "cpu")],
)
def test_an_apple_gpu_is_used_only_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, chosen: str
) -> None:
    """Nobody has tried it yet."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device("auto") == chosen
    if mps:
        assert choose_device("mps") == "mps"


def test_a_copy_is_waited_for_but_on_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere the numbers may change before they are copied."""
    waits: list[bool] = []
    copy_to = torch.Tensor.to

    def recorded(tensor: torch.Tensor, *words: Any, **options: Any) -> torch.Tensor:
        waits.append(not options.get("non_blocking", False))
        return copy_to(tensor, *words, **options)

    ids = np.tile(np.array([0, 1, 2, 3, 4, 3, 2], np.uint8), 60)
    trainers = [
        Trainer(config(), TrainingData(ids, ids[:0], on_device=text))
        for text in (None, torch.tensor(ids))
    ]
    monkeypatch.setattr(torch.Tensor, "to", recorded)
    for trainer in trainers:
        trainer.step(0.5)
    assert waits
    assert all(waits)


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


gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.mark.gpu
@gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_gpu_learns_as_the_cpu_does(precision: str) -> None:
    """The same text and seed give about the same losses on either device."""
    ids = np.tile(np.array([0, 1, 2, 3, 4, 3, 2], np.uint8), 60)
    model = ModelConfig(vocab_size=5, embedding_size=4, hidden_size=16, num_layers=2, dropout=0.0)
    finals = []
    for device in ("cpu", "cuda"):
        chosen = config(device=device, precision=precision, network=model, weight_dropout=0.0)
        trainer = Trainer(chosen, data_of(ids))
        finals.append(losses(trainer, 40)[-1])
    assert finals[1] == pytest.approx(finals[0], abs=0.1)


@pytest.mark.gpu
@gpu
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("room", [True, False])
def test_a_step_on_a_gpu_waits_for_nothing(dtype: Any, room: bool) -> None:
    """CUDA itself would raise an error at the first wait; with and without room for the text."""
    ids = np.tile(np.array([0, 1, 2, 3, 4, 3, 2], dtype), 60)
    there = torch.tensor(ids.astype(np.int32), device="cuda") if room else None
    data = TrainingData(ids, ids[:0], on_device=there)
    trainer = Trainer(config(device="cuda", precision="bf16"), data)
    losses(trainer, 3)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(30):
            trainer.step(0.5)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert np.isfinite(trainer.take_losses().mean)


def test_a_run_on_the_cpu_never_touches_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even to ask whether it is there: to wake a GPU takes seconds and memory."""

    def touched(*_: object) -> None:
        raise AssertionError("CUDA was touched")

    monkeypatch.setattr(torch.cuda, "is_available", touched)
    monkeypatch.setattr(torch.cuda, "_lazy_init", touched)
    assert choose_device("cpu") == "cpu"
    assert choose_precision("auto", "cpu") in ("fp32", "bf16")
    ids = np.tile(np.array([0, 1, 2, 3, 4, 3, 2], np.uint8), 60)
    trainer = Trainer(config(), data_of(ids))
    losses(trainer, 2)
    trainer.load_state(copy.deepcopy(trainer.state()), trainer.optimizer.progress())
    evaluate(trainer.optimizer.averaged, ids, device=CPU, threads=1)


def test_settings_are_checked_without_torch() -> None:
    """A slip on the command line is told at once."""
    code = "import charlstm.training.config, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_page_about_gpus_names_tests_that_exist() -> None:
    """What it says was verified on a CPU is verified there."""
    root = Path(__file__).parents[1]
    named = set(re.findall(r"`(test_\w+)", (root / "docs/gpu.md").read_text()))
    written = "".join(path.read_text() for path in (root / "tests").glob("test_*.py"))
    assert named
    assert all(f"def {name}(" in written for name in named)
