"""The network in torch, for training; ``charlstm.model.lstm`` is the same network without it.

In bf16 the large products are computed in bf16: inputs, weights and hidden states are rounded for
them. Weights, their gradients, logits and what is carried from window to window are of fp32.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlstm.model.config import ModelConfig
from charlstm.training.dropout import KEEP_ALL, Masks
from charlstm.training.kernels import PUBLIC, Kernels, LayerState, onednn_lstm, torch_lstm
from charlstm.training.threads import torch_threads

LayerStates = list[LayerState]  # of each layer


class CharLSTM(nn.Module):
    """Embedding, stacked LSTM with dropout after each layer, output layer.

    One ``nn.LSTM`` a layer: with ``num_layers > 1`` cuDNN keeps a dropout state of its own,
    which cannot be saved, and an exact resume would fail.
    """

    def __init__(
        self, config: ModelConfig, *, seed: int | None = None, kernels: Kernels = PUBLIC
    ) -> None:
        """Random weights; without a seed they are still to be loaded.

        The random numbers of whoever calls stay as they are.
        """
        super().__init__()
        self.config, self.kernels = config, kernels
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
        in_bf16 = x.dtype == torch.bfloat16
        lstm = onednn_lstm if self.kernels.onednn_lstm and in_bf16 else torch_lstm
        after: LayerStates = []
        for number, (layer, before) in enumerate(zip(self.layers, state, strict=True)):
            assert isinstance(layer, nn.LSTM)
            W, U, b_ih, b_hh = layer.parameters()  # (4H, in), (4H, H), (4H,), (4H,)
            kept: Tensor = U
            if masks.connections is not None:
                mask = masks.connections[number]  # (H, H)
                kept = (U.view(4, *mask.shape) * mask).view_as(U)
            h, last = lstm(layer, x, (W, kept, b_ih, b_hh), before)  # (T, B, H)
            after.append(last)
            if masks.values is not None:
                h = h * masks.values[number]
            x = h + x if number and self.config.residual else h
        weight, bias = self.output.weight.to(dtype), self.output.bias.to(dtype)
        return F.linear(x, weight, bias).float(), after


def detached(state: LayerStates) -> LayerStates:
    """The same values, cut from the graph: where backpropagation through time ends."""
    return [(h.detach(), c.detach()) for h, c in state]
