"""The network in numpy: one step of a stacked LSTM, for one stream or for a batch of them.

Pure functions over arrays; weights come from ``charlstm.checkpoint``, and nothing here samples
or reads files. The equations are those of Hochreiter and Schmidhuber, "Long short-term memory"
(Neural Computation 9, 1997), with the forget gate of Gers, Schmidhuber and Cummins, "Learning to
forget" (Neural Computation 12, 2000), and agree with ``torch.nn.LSTM``.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from charlstm.config import ModelConfig

Array = npt.NDArray[np.float32]
HALF = np.float32(0.5)


class State(NamedTuple):
    """What the network remembers: hidden and cell values of each layer, (..., H) each."""

    hidden: tuple[Array, ...]
    cell: tuple[Array, ...]


def arranged(weights: Array) -> Array:
    """Rows (4H, ...) of a layer's matrix or bias as ``lstm_cell`` wants them.

    torch has the input, forget, candidate and output parts in this order; here the gates stand
    together, i, f, o, g, and are halved, which is exact.
    """
    i, f, g, o = np.split(weights, 4)
    return np.concatenate((i * HALF, f * HALF, o * HALF, g))


def lstm_cell(z: Array, c: Array) -> tuple[Array, Array]:
    """One layer's new hidden and cell values, h and c, both (..., H).

    z, shape (..., 4 H), is W x_t + U h_(t-1) + b for the input, forget and output gate and the
    candidate, from ``arranged`` weights; it is used up. Then

        i = sigmoid(z_i)          input gate: how much of the candidate is written
        f = sigmoid(z_f)          forget gate: how much of the cell is kept
        o = sigmoid(z_o)          output gate: how much of the cell is shown
        g = tanh(z_g)             candidate
        c_t = f * c_(t-1) + i * g
        h_t = o * tanh(c_t)

    with sigmoid(x) = tanh(x / 2) / 2 + 1 / 2, which cannot overflow, so that one tanh does for all.
    """
    H = c.shape[-1]
    np.tanh(z, z)
    gates = z[..., : 3 * H]
    gates *= HALF
    gates += HALF
    i, f, o, g = (z[..., n * H : (n + 1) * H] for n in range(4))
    c = f * c
    i *= g
    c += i
    h = np.tanh(c)
    h *= o
    return h, c


class Network:
    """Embedding, LSTM layers and output layer, laid out for speed at one character a call.

    Weights are transposed once, so that a product reads them in order (about twice as fast as
    ``W @ x``); a layer's two matrices are one; and the embedding is multiplied into the first
    layer, which makes its input a look-up.
    """

    def __init__(self, weights: Mapping[str, Array], config: ModelConfig) -> None:
        """``weights`` under torch's names, as ``ModelConfig.parameter_shapes`` lists them."""
        self.config = config
        self._recurrent: list[Array] = []  # U^T (H, 4H), then [W U]^T (2H, 4H) for each layer
        self._bias: list[Array] = []  # (V, 4H), a row for each character, then (4H,) for each
        for layer in range(config.num_layers):
            W, U, b_ih, b_hh = (
                arranged(weights[f"layers.{layer}.{part}_l0"])
                for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            bias = b_ih + b_hh
            self._recurrent.append(np.ascontiguousarray((np.hstack((W, U)) if layer else U).T))
            self._bias.append(bias if layer else weights["embedding.weight"] @ W.T + bias)
        self._output = np.ascontiguousarray(weights["output.weight"].T)  # (H, V)
        self._output_bias = weights["output.bias"]

    def zero_state(self, batch: int | None = None) -> State:
        """The state before any character, for one stream (None) or for ``batch`` of them."""
        H, L = self.config.hidden_size, self.config.num_layers
        zeros = np.zeros(H if batch is None else (batch, H), np.float32)
        return State((zeros,) * L, (zeros,) * L)

    def step(self, ids: int | npt.NDArray[np.integer], state: State) -> tuple[Array, State]:
        """Read one character of each stream: the output features (..., H) and the new state.

        ``ids`` is one id, or one a stream, shape (B,).
        """
        z = state.hidden[0] @ self._recurrent[0]
        z += self._bias[0][ids]
        x, c = lstm_cell(z, state.cell[0])
        hidden, cell = [x], [c]
        for layer in range(1, len(self._recurrent)):
            z = np.concatenate((x, state.hidden[layer]), -1) @ self._recurrent[layer]
            z += self._bias[layer]
            h, c = lstm_cell(z, state.cell[layer])
            x = h + x if self.config.residual else h
            hidden.append(h)
            cell.append(c)
        return x, State(tuple(hidden), tuple(cell))

    def logits(self, features: Array) -> Array:
        """The score of each next character, (..., V), from a step's features (..., H)."""
        scores: Array = features @ self._output
        scores += self._output_bias
        return scores
