"""The network in torch, for training; ``charlstm.lstm`` is the same network without it."""

from torch import Tensor, nn

from charlstm.config import ModelConfig

LayerStates = list[tuple[Tensor, Tensor]]  # hidden and cell of each layer, each (1, B, H)


class CharLSTM(nn.Module):
    """Embedding, stacked LSTM with dropout after each layer, output layer.

    One ``nn.LSTM`` a layer: with ``num_layers > 1`` cuDNN keeps a dropout state of its own,
    which cannot be saved, and an exact resume would fail.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        E, H = config.embedding_size, config.hidden_size
        self.embedding = nn.Embedding(config.vocab_size, E)
        self.layers = nn.ModuleList(
            nn.LSTM(H if layer else E, H) for layer in range(config.num_layers)
        )
        self.dropout = nn.Dropout(config.dropout)
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
            h, last = layer(x, before)  # (T, B, H)
            after.append(last)
            h = self.dropout(h)
            x = h + x if len(after) > 1 and self.config.residual else h
        return self.output(x), after


def detached(state: LayerStates) -> LayerStates:
    """The same values, cut from the graph: where backpropagation through time ends."""
    return [(h.detach(), c.detach()) for h, c in state]
