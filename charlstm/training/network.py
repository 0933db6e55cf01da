"""The network in torch, for training; ``charlstm.model.lstm`` is the same network without it.

In bf16 the large products are computed in bf16: inputs, weights and hidden states are rounded for
them. Weights, their gradients, logits and what is carried from window to window are of fp32.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlstm.model.config import ModelConfig
from charlstm.training.dropout import KEEP_ALL, Masks
from charlstm.training.threads import torch_threads

LayerStates = list[tuple[Tensor, Tensor]]  # hidden and cell of each layer, each (1, B, H)
LSTM_MODE = 2  # torch's number for an LSTM, among the kinds of recurrent layers


class CharLSTM(nn.Module):
    """Embedding, stacked LSTM with dropout after each layer, output layer.

    One ``nn.LSTM`` a layer: with ``num_layers > 1`` cuDNN keeps a dropout state of its own,
    which cannot be saved, and an exact resume would fail.
    """

    def __init__(self, config: ModelConfig, *, seed: int | None = None) -> None:
        """Random weights; without a seed they are still to be loaded.

        The random numbers of whoever calls stay as they are.
        """
        super().__init__()
        self.config = config
        E, H = config.embedding_size, config.hidden_size
        with torch.random.fork_rng(devices=[]):  # each module draws weights of its own
            self.embedding = nn.Embedding(config.vocab_size, E)
            self.layers = nn.ModuleList(
                nn.LSTM(H if layer else E, H) for layer in range(config.num_layers)
            )
            self.output = nn.Linear(H, config.vocab_size)
        if seed is not None:
            # More threads would draw other weights, and take seconds beside other programs.
            with torch_threads(1):
                self._draw(torch.Generator().manual_seed(seed))

    def _draw(self, generator: torch.Generator) -> None:
        """Draw the weights: orthogonal recurrent, Xavier input, forget bias 1.

        Orthogonal recurrent matrices keep the state's length (Saxe et al. 2013, arXiv
        1312.6120); Xavier is Glorot and Bengio 2010; a forget bias of 1 lets the cell remember
        from the start (Jozefowicz et al. 2015).
        """
        H = self.config.hidden_size
        nn.init.normal_(self.embedding.weight, std=0.5, generator=generator)
        for layer in self.layers:
            W, U, b_ih, b_hh = layer.parameters()  # (4H, in), (4H, H), (4H,), (4H,)
            for gate in range(0, 4 * H, H):
                nn.init.xavier_uniform_(W[gate : gate + H], generator=generator)
                nn.init.orthogonal_(U[gate : gate + H], generator=generator)
            nn.init.zeros_(b_ih)
            nn.init.zeros_(b_hh)
            nn.init.ones_(b_ih[H : 2 * H])
        nn.init.xavier_uniform_(self.output.weight, generator=generator)
        nn.init.zeros_(self.output.bias)

    def zero_state(self, batch: int) -> LayerStates:
        """The state of ``batch`` streams before any character."""
        like = self.output.weight
        shape = (1, batch, self.config.hidden_size)
        return [(like.new_zeros(shape), like.new_zeros(shape)) for _ in self.layers]

    def forward(
        self,
        ids: Tensor,
        state: LayerStates,
        masks: Masks = KEEP_ALL,
        dtype: torch.dtype = torch.float32,
    ) -> tuple[Tensor, LayerStates]:
        """Logits (T, B, V) of what follows each of ``ids`` (T, B), and the state after the last.

        ``masks`` say what is dropped. Recurrent connections are dropped for the length of a
        window, from a unit to a unit, in all four gates at once (DropConnect on the recurrent
        matrix is Merity et al. 2017, arXiv 1708.02182; one mask for the four gates was measured
        to be better).
        """
        x = self.embedding(ids).to(dtype)  # (T, B, E)
        after: LayerStates = []
        for number, (layer, before) in enumerate(zip(self.layers, state, strict=True)):
            W, U, b_ih, b_hh = layer.parameters()  # (4H, in), (4H, H), (4H,), (4H,)
            kept: Tensor = U
            if masks.connections is not None:
                mask = masks.connections[number]  # (H, H)
                kept = (U.view(4, *mask.shape) * mask).view_as(U)
            h, last = lstm_layer(x, (W, kept, b_ih, b_hh), before)  # (T, B, H)
            after.append(last)
            if masks.values is not None:
                h = h * masks.values[number]
            x = h + x if number and self.config.residual else h
        weight, bias = self.output.weight.to(dtype), self.output.bias.to(dtype)
        return F.linear(x, weight, bias).float(), after


Weights = tuple[Tensor, Tensor, Tensor, Tensor]  # of a layer, in torch's order


def lstm_layer(
    x: Tensor, weights: Weights, before: tuple[Tensor, Tensor]
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """What one LSTM layer makes of ``x`` (T, B, in), computed in the type of ``x``; its state.

    Weights and states are of fp32. In bf16 on a CPU the cell is of fp32 throughout, and the
    hidden state is one that was rounded to bf16. On a GPU the cell, too, is rounded to bf16
    between two windows, since cuDNN takes and gives both states in one type; within a window it
    is up to cuDNN.
    """
    hidden, cell = before
    if x.dtype == torch.bfloat16 and x.device.type == "cpu" and onednn_has_bf16():
        h, hidden, cell = OneDNNLayer.apply(  # type: ignore[no-untyped-call]
            x, *weights, hidden.bfloat16(), cell
        )
    else:
        # Never under autocast, which has cuDNN compute in fp16 whatever type it is given
        # (aten/src/ATen/cudnn/AutocastRNN.cpp). cuDNN itself takes bf16 since torch 2.10 with
        # cuDNN 9.13, and adds up in fp32 (use_cudnn in aten/src/ATen/native/RNN.cpp,
        # promote_rnn_math_type in native/cudnn/RNN.cpp). Where it does not, torch computes in bf16
        # step by step. Rounded weights are not in one buffer, so _cudnn_rnn copies them into one.
        rounded = [weight.to(x.dtype) for weight in weights]
        states = (hidden.to(x.dtype), cell.to(x.dtype))
        learning = torch.is_grad_enabled()
        h, hidden, cell = torch.lstm(x, states, rounded, True, 1, 0.0, learning, False, False)
    return h, (hidden.float(), cell.float())


def onednn_has_bf16() -> bool:
    """Whether oneDNN, torch's library for layers on a CPU, computes in bf16 on this machine."""
    supported: bool = (
        torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )
    return supported


class OneDNNLayer(torch.autograd.Function):
    """An LSTM layer of oneDNN in bf16 whose cell and gradients are of fp32.

    Through ``torch.lstm`` the cell is rounded to bf16 at the end of each window. The gradients of
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


def detached(state: LayerStates) -> LayerStates:
    """The same values, cut from the graph: where backpropagation through time ends."""
    return [(h.detach(), c.detach()) for h, c in state]
