"""The private calls of torch, each beside a public way to the same result.

A private call may change or go with any version of torch. So a trainer tries each of them once, in
a computation of a few numbers, and keeps to the public way where the call fails or gives anything
else. Which kernels a run has used is on its model card.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from charlstm.training.threads import torch_threads

LayerState = tuple[Tensor, Tensor]  # hidden and cell, each (1, B, H)
Weights = tuple[Tensor, Tensor, Tensor, Tensor]  # of a layer, in torch's order
LSTM_MODE = 2  # torch's number for an LSTM, among the kinds of recurrent layers
CLOSE, CLOSE_IN_BF16 = 1e-5, 0.05  # how far a private call may be from the public way


@dataclass(frozen=True)
class Kernels:
    """Which private calls are used; where one is not, the public way is."""

    fused_adamw: bool = False
    onednn_lstm: bool = False  # in bf16 on a CPU; in fp32 there is no need for it

    def __str__(self) -> str:
        adamw, lstm = self.fused_adamw, self.onednn_lstm
        return f"{'fused' if adamw else 'plain'} AdamW and {'oneDNN' if lstm else 'torch'} LSTM"


PUBLIC = Kernels()


def choose_kernels(device: str, precision: str) -> Kernels:
    """The private calls that give what the public ways give, here and in this torch."""
    with torch_threads(1):
        return Kernels(
            fused_adamw=_agree(*(_adamw_of(way, device) for way in (fused_adamw, plain_adamw))),
            onednn_lstm=(device, precision) == ("cpu", "bf16")
            and _agree(
                _lstm_of(onednn_lstm, torch.bfloat16),
                _lstm_of(_lstm_by_steps, torch.float32),  # torch's own takes 40 ms at first
                tolerance=CLOSE_IN_BF16,
            ),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Update:
    """One step of AdamW (Loshchilov and Hutter 2017, arXiv 1711.05101) that is to be taken.

    ``first`` and ``second`` are the moments and ``steps`` the number of steps with this one. The
    gradients are divided by ``grad_scale``; where ``found_inf`` is 1, nothing changes.
    """

    weights: list[Tensor]
    gradients: list[Tensor]
    first: list[Tensor]
    second: list[Tensor]
    steps: Tensor
    rate: float
    betas: tuple[float, float]
    epsilon: float
    weight_decay: float
    grad_scale: Tensor | None = None
    found_inf: Tensor | None = None


@torch.no_grad()
def fused_adamw(update: Update) -> None:
    """All weights in one kernel, that of ``torch.optim.AdamW(fused=True)``.

    To make any optimizer of torch.optim imports the compiler of torch, which takes a second.
    """
    torch._fused_adamw_(
        update.weights,
        update.gradients,
        update.first,
        update.second,
        [],
        [update.steps] * len(update.weights),
        lr=update.rate,
        beta1=update.betas[0],
        beta2=update.betas[1],
        weight_decay=update.weight_decay,
        eps=update.epsilon,
        amsgrad=False,
        maximize=False,
        grad_scale=update.grad_scale,
        found_inf=update.found_inf,
    )


@torch.no_grad()
def plain_adamw(update: Update) -> None:
    """The same, one weight after the other."""
    beta1, beta2 = update.betas
    size = update.rate / (1 - beta1**update.steps)
    of_second = (1 - beta2**update.steps).sqrt()
    for old in zip(update.weights, update.gradients, update.first, update.second, strict=True):
        weight, gradient, first, second = old
        if update.grad_scale is not None:
            gradient = gradient / update.grad_scale
        first_now = torch.lerp(first, gradient, 1 - beta1)
        second_now = torch.lerp(second, gradient * gradient, 1 - beta2)
        root = second_now.sqrt() / of_second + update.epsilon
        decayed = weight * (1 - update.rate * update.weight_decay)
        changes = (weight, decayed - size * first_now / root), (first, first_now)
        for before, now in (*changes, (second, second_now)):
            if update.found_inf is not None:  # a test of its value would wait for the device
                now = torch.where(update.found_inf > 0, before, now)
            before.copy_(now)


def onednn_lstm(
    layer: nn.LSTM, x: Tensor, weights: Weights, before: LayerState
) -> tuple[Tensor, LayerState]:
    """What an LSTM layer makes of ``x`` (T, B, in), of bf16, on a CPU; its state, of fp32.

    The cell is of fp32 throughout, and the hidden state is one that was rounded to bf16.
    """
    hidden, cell = before
    h, hidden, cell = OneDNNLayer.apply(  # type: ignore[no-untyped-call]
        x, *weights, hidden.bfloat16(), cell
    )
    return h, (hidden.float(), cell.float())


def torch_lstm(
    layer: nn.LSTM, x: Tensor, weights: Weights, before: LayerState
) -> tuple[Tensor, LayerState]:
    """What an LSTM layer makes of ``x`` (T, B, in), computed in the type of ``x``; its state.

    ``weights`` are used in place of the layer's own. In bf16 the cell, too, is rounded to bf16
    between two windows, since cuDNN takes and gives both states in one type; within a window it is
    up to the device.
    """
    # Never under autocast, which has cuDNN compute in fp16 whatever type it is given
    # (aten/src/ATen/cudnn/AutocastRNN.cpp). cuDNN itself takes bf16 since torch 2.10 with
    # cuDNN 9.13, and adds up in fp32 (use_cudnn in aten/src/ATen/native/RNN.cpp,
    # promote_rnn_math_type in native/cudnn/RNN.cpp). Where it does not, torch computes in bf16
    # step by step. Rounded weights are not in one buffer, so _cudnn_rnn copies them into one.
    own = dict(layer.named_parameters())
    used = {name: w.to(x.dtype) for name, w in zip(own, weights, strict=True)}
    states = (before[0].to(x.dtype), before[1].to(x.dtype))
    if all(used[name] is own[name] for name in own):  # threads may share the layer
        h, after = layer(x, states)
    else:
        h, after = functional_call(layer, used, (x, states))
    return h, (after[0].float(), after[1].float())


class OneDNNLayer(torch.autograd.Function):
    """An LSTM layer of oneDNN in bf16 whose cell and gradients are of fp32.

    Through ``nn.LSTM`` the cell is rounded to bf16 at the end of each window. The gradients of
    the weights, which oneDNN adds up in fp32, are rounded too.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, W: Tensor, U: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        """Output (T, B, H) and both states (1, B, H), of fp32 weights and a fp32 cell."""
        b_ih, b_hh, hidden, cell = (tensor.detach() for tensor in others)
        H = U.shape[1]
        before = (
            x.detach().contiguous(),
            W.bfloat16(),
            U.bfloat16(),
            b_ih,
            b_hh,
            hidden[0],
            cell[0],
        )
        with torch.enable_grad():  # else oneDNN leaves nothing for the way back
            after = torch.mkldnn_rnn_layer(
                *before, False, [], LSTM_MODE, H, 1, True, False, False, True
            )
        ctx.save_for_backward(*before, *after)
        states = (after[1][None], after[2][None])
        ctx.mark_non_differentiable(*states)
        return after[0], *states

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of what ``forward`` takes, except those of the states before."""
        *saved, workspace = ctx.saved_tensors
        H = saved[2].shape[1]
        x, W, U, b_ih, b_hh, _, _ = torch.ops.aten.mkldnn_rnn_layer_backward(
            *saved, grad, None, None, False, LSTM_MODE, H, 1, True, True, False, [], False,
            workspace,
        )  # fmt: skip
        return x.to(grad.dtype), W, U, b_ih, b_hh, None, None


Ways = Callable[[], Sequence[Tensor]]


def _agree(private: Ways, public: Ways, *, tolerance: float = CLOSE) -> bool:
    """Whether the private way works, and gives nearly what the public one does."""
    expected = public()
    try:
        return all(
            here.shape == there.shape
            and torch.allclose(here.float(), there.float(), rtol=0, atol=tolerance)
            for here, there in zip(private(), expected, strict=True)
        )
    except Exception:  # what is gone, or is another by now, may raise anything
        return False


def _adamw_of(way: Callable[[Update], None], device: str) -> Ways:
    """What a step of AdamW makes of some weights and moments; it returns them."""

    def result() -> Sequence[Tensor]:
        weight, gradient, first, second = (
            torch.tensor(values, device=device)
            for values in ([1.0, -0.5], [4.0, -1.0], [0.1, 0.2], [0.3, 0.4])
        )
        one = torch.ones((), device=device)
        way(
            Update(
                weights=[weight],
                gradients=[gradient],
                first=[first],
                second=[second],
                steps=3 * one,
                rate=0.1,
                betas=(0.9, 0.99),
                epsilon=1e-8,
                weight_decay=0.1,
                grad_scale=2 * one,
                found_inf=0 * one,
            )
        )
        return weight, first, second

    return result


def _lstm_of(way: Callable[..., tuple[Tensor, LayerState]], dtype: torch.dtype) -> Ways:
    """What a layer of two units makes of a few numbers, and the gradients of its weights."""

    def result() -> Sequence[Tensor]:
        T, B, H = 3, 2, 2
        layer, numbers = _layer(H), torch.linspace(-1, 1, T * B * H).view(T, B, H)
        states = (numbers[:1] / 2, numbers[1:2])
        weights = tuple(layer.parameters())
        with torch.enable_grad():
            h, after = way(layer, numbers.to(dtype), weights, states)
            gradients = torch.autograd.grad((h.float() ** 2).sum(), weights)
        return h, *after, *gradients

    return result


def _lstm_by_steps(
    layer: nn.LSTM, x: Tensor, weights: Weights, before: LayerState
) -> tuple[Tensor, LayerState]:
    """What an LSTM layer makes of ``x``, by its equations."""
    W, U, b_ih, b_hh = weights
    h, cell = before[0][0], before[1][0]  # (B, H)
    outputs = []
    for x_t in x:
        i, f, g, o = (x_t @ W.T + b_ih + h @ U.T + b_hh).chunk(4, dim=-1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        h = o.sigmoid() * cell.tanh()
        outputs.append(h)
    return torch.stack(outputs), (h[None], cell[None])


def _layer(H: int) -> nn.LSTM:
    """A layer of H units with H inputs, whose weights are always the same."""
    with torch.random.fork_rng(devices=[]):
        layer = nn.LSTM(H, H)
    for weight in layer.parameters():
        nn.init.uniform_(weight, -1, 1, generator=torch.Generator().manual_seed(weight.numel()))
    return layer
