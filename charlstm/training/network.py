"""The network in torch, for training; ``charlstm.model.lstm`` is the same network without it."""

import math

import torch
from torch import Tensor, nn

from charlstm.model.config import ModelConfig
from charlstm.training.distributed import ALONE, Group

LayerStates = list[tuple[Tensor, Tensor]]  # hidden and cell of each layer, each (1, B, H)


class CharLSTM(nn.Module):
    """Embedding, stacked LSTM with dropout after each layer, output layer.

    ``weight_dropout`` is the share of recurrent connections dropped for the length of a window:
    from a unit to a unit, in all four gates at once (DropConnect on the recurrent matrix is
    Merity et al. 2017, arXiv 1708.02182; one mask for the four gates was measured to be better).

    One ``nn.LSTM`` a layer: with ``num_layers > 1`` cuDNN keeps a dropout state of its own,
    which cannot be saved, and an exact resume would fail.
    """

    def __init__(
        self, config: ModelConfig, weight_dropout: float = 0.0, group: Group = ALONE
    ) -> None:
        """Random weights; ``group`` says which rows of a batch this process reads."""
        super().__init__()
        self.config = config
        self.weight_dropout = weight_dropout
        self.group = group
        E, H = config.embedding_size, config.hidden_size
        self.embedding = nn.Embedding(config.vocab_size, E)
        self.layers = nn.ModuleList(
            nn.LSTM(H if layer else E, H) for layer in range(config.num_layers)
        )
        self.output = nn.Linear(H, config.vocab_size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights: orthogonal recurrent, Xavier input, forget bias 1.

        Orthogonal recurrent matrices keep the state's length (Saxe et al. 2013, arXiv
        1312.6120); Xavier is Glorot and Bengio 2010; a forget bias of 1 lets the cell remember
        from the start (Jozefowicz et al. 2015).
        """
        H = self.config.hidden_size
        nn.init.normal_(self.embedding.weight, std=0.5)
        for layer in self.layers:
            W, U, b_ih, b_hh = layer.parameters()  # (4H, in), (4H, H), (4H,), (4H,)
            for gate in range(0, 4 * H, H):
                nn.init.xavier_uniform_(W[gate : gate + H])
                nn.init.orthogonal_(U[gate : gate + H])
            nn.init.zeros_(b_ih)
            nn.init.zeros_(b_hh)
            nn.init.ones_(b_ih[H : 2 * H])
        nn.init.xavier_uniform_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def zero_state(self, batch: int) -> LayerStates:
        """The state of ``batch`` streams before any character."""
        like = self.output.weight
        shape = (1, batch, self.config.hidden_size)
        return [(like.new_zeros(shape), like.new_zeros(shape)) for _ in self.layers]

    def forward(self, ids: Tensor, state: LayerStates) -> tuple[Tensor, LayerStates]:
        """Logits (T, B, V) of what follows each of ``ids`` (T, B), and the state after the last."""
        x = self.embedding(ids)  # (T, B, E)
        after: LayerStates = []
        for layer, before in zip(self.layers, state, strict=True):
            h, last = self._layer(layer, x, before)  # (T, B, H)
            after.append(last)
            if self.training and self.config.dropout:
                h = h * self._mask(h, self.config.dropout)
            x = h + x if len(after) > 1 and self.config.residual else h
        return self.output(x), after

    def _layer(
        self, layer: nn.Module, x: Tensor, before: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """One ``nn.LSTM``, in training with some of its recurrent connections cut."""
        if not (self.training and self.weight_dropout):
            output: tuple[Tensor, tuple[Tensor, Tensor]] = layer(x, before)
            return output
        W, U, b_ih, b_hh = layer.parameters()
        H = self.config.hidden_size
        kept = dropout_mask((H, H), self.weight_dropout, like=U).repeat(4, 1)
        weights = [W, U * kept, b_ih, b_hh]
        h, hidden, cell = torch.lstm(x, before, weights, True, 1, 0.0, True, False, False)
        return h, (hidden, cell)

    def _mask(self, h: Tensor, dropout: float) -> Tensor:
        """A mask for this process, cut from the mask of the whole batch so that processes agree."""
        T, B, H = h.shape
        return self.group.share(dropout_mask((T, B * self.group.size, H), dropout, like=h))


def dropout_mask(shape: tuple[int, ...], dropout: float, *, like: Tensor) -> Tensor:
    """0 for a share of ``dropout``, else what keeps the mean; of the type and device of ``like``.

    Eight random bytes are drawn at a time, five times as fast on a CPU as ``torch.dropout``,
    which took a tenth of a training step. So the share is rounded to a 256th.
    """
    n = math.prod(shape)
    drawn = torch.empty(-(-n // 8), dtype=torch.int64, device=like.device)
    drawn.random_(-(1 << 63), None)  # every bit random
    dropped = min(255, round(256 * dropout))
    kept = drawn.view(torch.uint8)[:n].view(shape) >= dropped
    return kept.to(like.dtype).mul_(256 / (256 - dropped))


def detached(state: LayerStates) -> LayerStates:
    """The same values, cut from the graph: where backpropagation through time ends."""
    return [(h.detach(), c.detach()) for h, c in state]
