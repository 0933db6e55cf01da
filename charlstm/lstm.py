"""The network in numpy: one step of a stacked LSTM, for one stream or for a batch of them.

Pure functions over arrays; weights come from ``charlstm.checkpoint``, and nothing here samples
or reads files. The equations are those of Hochreiter and Schmidhuber, "Long short-term memory"
(Neural Computation 9, 1997), with the forget gate of Gers, Schmidhuber and Cummins, "Learning to
forget" (Neural Computation 12, 2000), and agree with ``torch.nn.LSTM``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from charlstm.config import ModelConfig

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class State:
    """What the network remembers: hidden and cell values of every layer, each (L, ..., H)."""

    hidden: Array
    cell: Array


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), through tanh, which cannot overflow."""
    y: Array = 0.5 * np.tanh(0.5 * x) + 0.5
    return y


def lstm_cell(z: Array, c: Array) -> tuple[Array, Array]:
    """One layer's new hidden and cell values, h and c, both (..., H).

    z, shape (..., 4 H), is W x_t + U h_(t-1) + b for the input, forget, candidate and output
    parts, in torch's order i, f, g, o. Then

        i = sigmoid(z_i)          input gate: how much of the candidate is written
        f = sigmoid(z_f)          forget gate: how much of the cell is kept
        g = tanh(z_g)             candidate
        o = sigmoid(z_o)          output gate: how much of the cell is shown
        c_t = f * c_(t-1) + i * g
        h_t = o * tanh(c_t)
    """
    H = c.shape[-1]
    gates = sigmoid(z)  # (..., 4H); its third quarter is not used
    i, f, o = gates[..., :H], gates[..., H : 2 * H], gates[..., 3 * H :]
    g = np.tanh(z[..., 2 * H : 3 * H])
    c = f * c + i * g
    return o * np.tanh(c), c


class Network:
    """Embedding, LSTM layers and output layer, laid out for speed at one character a call.

    Weights are transposed once, so that a product reads them in order (about twice as fast as
    ``W @ x``); a layer's two matrices are one; and the embedding is multiplied into the first
    layer, which makes its input a look-up.
    """

    def __init__(self, weights: Mapping[str, Array], config: ModelConfig) -> None:
        """``weights`` under torch's names, as ``ModelConfig.parameter_shapes`` lists them."""
        self.config = config
        embedding = weights["embedding.weight"]
        self._recurrent: list[Array] = []  # U^T (H, 4H), then [W U]^T (2H, 4H) for each layer
        self._bias: list[Array] = []  # (4H,)
        for layer in range(config.num_layers):
            W, U, b_ih, b_hh = (
                weights[f"layers.{layer}.{part}_l0"]
                for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            both = U if layer == 0 else np.hstack((W, U))
            self._recurrent.append(np.ascontiguousarray(both.T))
            self._bias.append(b_ih + b_hh)
            if layer == 0:
                self._input = embedding @ W.T + self._bias[0]  # (V, 4H)
        self._output = np.ascontiguousarray(weights["output.weight"].T)  # (H, V)
        self._output_bias = weights["output.bias"]

    def zero_state(self, batch: int | None = None) -> State:
        """The state before any character, for one stream (None) or for ``batch`` of them."""
        middle = () if batch is None else (batch,)
        shape = (self.config.num_layers, *middle, self.config.hidden_size)
        return State(np.zeros(shape, np.float32), np.zeros(shape, np.float32))

    def step(self, ids: int | npt.NDArray[np.integer], state: State) -> tuple[Array, State]:
        """Read one character of each stream: the output features (..., H) and the new state.

        ``ids`` is one id, or one a stream, shape (B,).
        """
        hidden, cell = np.empty_like(state.hidden), np.empty_like(state.cell)
        x = state.hidden[0]
        for layer, recurrent in enumerate(self._recurrent):
            h = state.hidden[layer]
            if layer == 0:
                z = self._input[ids] + h @ recurrent
            else:
                z = np.concatenate((x, h), axis=-1) @ recurrent + self._bias[layer]
            hidden[layer], cell[layer] = lstm_cell(z, state.cell[layer])
            residual = layer > 0 and self.config.residual
            x = hidden[layer] + x if residual else hidden[layer]
        return x, State(hidden, cell)

    def logits(self, features: Array) -> Array:
        """The score of each next character, (..., V), from a step's features (..., H)."""
        return features @ self._output + self._output_bias
