"""The private calls of torch and the public ways beside them."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from charlstm.model.model_file import load_model
from charlstm.training import kernels, resume_run, train
from charlstm.training.events import Finished, Started
from charlstm.training.kernels import PUBLIC, Kernels, Update, choose_kernels
from charlstm.training.trainer import Trainer

from .conftest import SMALL_RUN
from .test_training import config, data_of, losses

IDS = np.tile(np.array([0, 1, 2, 3, 4, 3, 2], np.uint8), 60)
HERE = choose_kernels("cpu", "bf16")
WAYS = [
    pytest.param(
        Kernels(fused_adamw=True),
        marks=pytest.mark.skipif(not HERE.fused_adamw, reason="torch has no fused AdamW here"),
        id="fused AdamW",
    ),
    pytest.param(
        Kernels(onednn_lstm=True),
        marks=pytest.mark.skipif(not HERE.onednn_lstm, reason="oneDNN has no LSTM in bf16 here"),
        id="oneDNN LSTM",
    ),
    pytest.param(PUBLIC, id="public"),
]
LAYERS = [
    pytest.param(kernels.torch_lstm, id="torch_lstm"),
    pytest.param(
        kernels.onednn_lstm,
        marks=pytest.mark.skipif(not HERE.onednn_lstm, reason="oneDNN has no LSTM in bf16 here"),
        id="onednn_lstm",
    ),
]


def layer_in(
    dtype: torch.dtype, way: Callable[..., Any] = kernels.torch_lstm
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Output of one layer over 30 characters; its states and the gradients of its weights."""
    torch.manual_seed(0)
    layer = torch.nn.LSTM(12, 32)
    x, h, c = torch.randn(30, 4, 12), torch.randn(1, 4, 32) / 4, torch.randn(1, 4, 32)
    weights = tuple(layer.parameters())
    out, states = way(layer, x.to(dtype), weights, (h, c))
    gradients = torch.autograd.grad((out.float() ** 2).sum(), weights)
    return out, [*(state.detach() for state in states), *gradients]


@pytest.mark.parametrize("way", LAYERS)
def test_a_layer_in_bf16_is_near_that_in_fp32(way: Callable[..., Any]) -> None:
    """Through oneDNN's own kernel, and as on a GPU; states and gradients are of fp32 in both."""
    out, exact = layer_in(torch.float32)
    rounded_out, rounded = layer_in(torch.bfloat16, way)
    assert rounded_out.dtype == torch.bfloat16
    torch.testing.assert_close(rounded_out.float(), out, atol=0.02, rtol=0)
    for one, other in zip(exact, rounded, strict=True):
        assert other.dtype == torch.float32
        assert float((other - one).norm() / one.norm()) < 0.02


@pytest.mark.parametrize("way", LAYERS[1:])
def test_the_cell_of_onednn_is_not_rounded(way: Callable[..., Any]) -> None:
    """It has more bits than bf16 has, and so have the gradients."""
    _, (_, cell, *gradients) = layer_in(torch.bfloat16, way)
    for found in (cell, *gradients):
        assert not torch.equal(found, found.bfloat16().float())


def test_other_weights_leave_a_layer_as_it_was() -> None:
    """What a step drops or rounds is not dropped or rounded in the next one."""
    layer, x = torch.nn.LSTM(3, 4), torch.ones(5, 2, 3)
    zero = torch.zeros(1, 2, 4)
    own = tuple(layer.parameters())
    before, _ = kernels.torch_lstm(layer, x, own, (zero, zero))
    nothing = tuple(torch.zeros_like(weight) for weight in own)
    empty, _ = kernels.torch_lstm(layer, x, nothing, (zero, zero))
    assert not empty.any()
    assert torch.equal(kernels.torch_lstm(layer, x, own, (zero, zero))[0], before)
    assert torch.equal(layer(x)[0], before)


@pytest.mark.skipif(not HERE.fused_adamw, reason="torch has no fused AdamW here")
@pytest.mark.parametrize(
    ("scale", "skipped"), [(None, None), (4.0, 0.0), (1.0, 1.0), (1.0, 0.0), (4.0, 1.0)]
)
def test_both_ways_of_adamw_are_the_same(scale: float | None, skipped: float | None) -> None:
    """Several steps, with the gradient divided and with steps that are left out, to 1e-6."""
    found = []
    for way in (kernels.fused_adamw, kernels.plain_adamw):
        generator = torch.Generator().manual_seed(1)
        shapes, many = ((3, 5), (7,)), range(4)
        tensors = [[torch.randn(s, generator=generator) for s in shapes] for _ in many]
        weights, gradients, first, second = tensors
        second = [moment.square() for moment in second]
        if skipped:
            gradients[0][0, 0] = torch.nan
        for number in (1.0, 2.0, 3.0):
            way(
                Update(
                    weights=weights,
                    gradients=[gradient.clone() for gradient in gradients],
                    first=first,
                    second=second,
                    steps=torch.tensor(number),
                    rate=0.02,
                    betas=(0.9, 0.99),
                    epsilon=1e-8,
                    weight_decay=0.1,
                    grad_scale=None if scale is None else torch.tensor(scale),
                    found_inf=None if skipped is None else torch.tensor(skipped),
                )
            )
        found.append([*weights, *first, *second])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("used", WAYS)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_training_is_the_same_with_all_kernels(used: Kernels, precision: str) -> None:
    """In fp32 to 0.001 nats after 20 steps, in bf16 to 0.05, and it resumes to the bit."""
    public = losses(Trainer(config(precision="fp32"), data_of(IDS), PUBLIC), 20)
    chosen = config(precision=precision)
    trainer = Trainer(chosen, data_of(IDS), used)
    found = losses(trainer, 20)
    assert found == pytest.approx(public, abs=0.001 if precision == "fp32" else 0.05)
    state, progress = copy.deepcopy(trainer.state()), trainer.optimizer.progress()
    resumed = Trainer(chosen, data_of(IDS), used)
    resumed.load_state(state, progress)
    assert losses(resumed, 5) == losses(trainer, 5)


def wrong(*_: Any, **__: Any) -> Any:
    """A kernel that gives other numbers by now: it changes nothing."""


def refusing(*_: Any, **__: Any) -> Any:
    raise TypeError("another number of arguments")


@pytest.mark.parametrize("now", [None, wrong, refusing])
def test_a_private_call_that_has_changed_is_not_used(
    monkeypatch: pytest.MonkeyPatch, now: Callable[..., Any] | None
) -> None:
    """Gone, with other arguments or with another result: the public way is taken."""
    for home, name in (
        (torch, "_fused_adamw_"),
        (torch, "mkldnn_rnn_layer"),
    ):
        if now is None:
            monkeypatch.delattr(home, name)
        else:
            monkeypatch.setattr(home, name, now)
    assert choose_kernels("cpu", "bf16") == PUBLIC
    trainer = Trainer(config(precision="bf16"), data_of(IDS))
    assert trainer.kernels == PUBLIC
    assert np.isfinite(losses(trainer, 3)).all()


@pytest.mark.parametrize(
    "found",
    [
        pytest.param([torch.ones(1, 2)], id="a shape that cannot be compared"),
        pytest.param([torch.ones(1)], id="a shape that is spread over the other"),
        pytest.param([torch.ones(3)] * 2, id="more results"),
        pytest.param([1.0], id="no tensor"),
        pytest.param(None, id="nothing"),
    ],
)
def test_a_private_call_with_a_result_of_another_shape_is_not_used(found: Any) -> None:
    """Whatever it gives is no agreement, and no traceback."""
    assert kernels._agree(lambda: [torch.ones(3)], lambda: [torch.ones(3)])
    assert not kernels._agree(lambda: found, lambda: [torch.ones(3)])


def test_a_card_names_the_kernels_and_a_resumed_run_those_that_changed(
    monkeypatch: pytest.MonkeyPatch, play: Path, tmp_path: Path
) -> None:
    """As it names another version of torch."""
    *_, finished = train(play, output=tmp_path / "run", **SMALL_RUN)
    assert isinstance(finished, Finished)
    used = load_model(finished.model).training["kernels"]
    assert used == str(choose_kernels("cpu", load_model(finished.model).training["precision"]))
    monkeypatch.delattr(torch, "_fused_adamw_")
    monkeypatch.delattr(torch, "mkldnn_rnn_layer")
    _, started, *_ = resume_run(tmp_path / "run", steps=40)
    assert isinstance(started, Started)
    assert started.notes == (
        f"not as before: kernels {used} -> plain AdamW and torch LSTM; so the same result, bit "
        f"for bit, is not promised",
    )
