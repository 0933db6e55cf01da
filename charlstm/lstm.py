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


class Cell:
    """The values of one layer, (..., H) each: z goes in, c stays, h comes out.

    ``z``, (..., 4 H), is W x_t + U h_(t-1) + b for the input, forget and output gate and the
    candidate, from ``arranged`` weights. All is done in place: to make a new array for each
    product takes longer than the product.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        """``shape`` is that of h and c, (H,) for one stream or (B, H)."""
        *batch, H = shape
        self.z = np.zeros((*batch, 4 * H), np.float32)
        self.c = np.zeros(shape, np.float32)
        self._i, self._f, self._o, self._g = (self.z[..., n * H :][..., :H] for n in range(4))
        self._gates = self.z[..., : 3 * H]
        self._tanh_c = np.empty(shape, np.float32)

    def update(self, h: Array) -> None:
        """Write the new hidden values to ``h``, and change c; z is used up.

            i = sigmoid(z_i)          input gate: how much of the candidate is written
            f = sigmoid(z_f)          forget gate: how much of the cell is kept
            o = sigmoid(z_o)          output gate: how much of the cell is shown
            g = tanh(z_g)             candidate
            c_t = f * c_(t-1) + i * g
            h_t = o * tanh(c_t)

        with sigmoid(x) = tanh(x / 2) / 2 + 1 / 2, which cannot overflow: one tanh does for all.
        """
        z, c, gates, tanh_c = self.z, self.c, self._gates, self._tanh_c
        np.tanh(z, z)
        np.multiply(gates, HALF, gates)
        np.add(gates, HALF, gates)
        np.multiply(self._f, c, c)
        np.multiply(self._i, self._g, self._i)
        np.add(c, self._i, c)
        np.tanh(c, tanh_c)
        np.multiply(self._o, tanh_c, h)


class Network:
    """Embedding, LSTM layers and output layer, laid out for speed at one character a call.

    Weights are transposed once, so that a product reads them in order (about twice as fast as
    ``W @ x``); a layer's two matrices are one; and the embedding is multiplied into the first
    layer, which makes its input a look-up.
    """

    def __init__(self, weights: Mapping[str, Array], config: ModelConfig) -> None:
        """``weights`` under torch's names, as ``ModelConfig.parameter_shapes`` lists them."""
        self.config = config
        self.recurrent: list[Array] = []  # U^T (H, 4H), then [W U]^T (2H, 4H) for each layer
        self.bias: list[Array] = []  # (V, 4H), a row for each character, then (4H,) for each
        for layer in range(config.num_layers):
            W, U, b_ih, b_hh = (
                arranged(weights[f"layers.{layer}.{part}_l0"])
                for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            bias = b_ih + b_hh
            self.recurrent.append(np.ascontiguousarray((np.hstack((W, U)) if layer else U).T))
            self.bias.append(bias if layer else weights["embedding.weight"] @ W.T + bias)
        self._output = np.ascontiguousarray(weights["output.weight"].T)  # (H, V)
        self._output_bias = weights["output.bias"]

    def logits(self, features: Array) -> Array:
        """The score of each next character, (..., V), from what was read of a text, (..., H)."""
        scores: Array = np.dot(features, self._output)
        scores += self._output_bias
        return scores


class Recurrence:
    """A network in the midst of a text, or of several side by side.

    ``features``, (..., H), is what the next character is predicted from; it changes with the
    next ``read``.
    """

    def __init__(self, network: Network, batch: int | None = None) -> None:
        """Before any character, for one stream (None) or for ``batch`` of them."""
        config = network.config
        H, middle = config.hidden_size, () if batch is None else (batch,)
        self._residual = config.residual
        self.cells = [Cell((*middle, H)) for _ in range(config.num_layers)]
        # A layer's input x and its hidden values h lie side by side, as the product wants them;
        # what the first layer puts out is h itself, and so the second one's x.
        inputs = [np.zeros((*middle, 2 * H), np.float32) for _ in range(1, config.num_layers)]
        xs = [both[..., :H] for both in inputs]
        self.features = np.zeros((*middle, H), np.float32)
        outputs = [*xs, self.features]
        self.hidden = [outputs[0], *(both[..., H:] for both in inputs)]
        self._first = (network.recurrent[0], network.bias[0], self.cells[0], self.hidden[0])
        self._later = list(
            zip(
                network.recurrent[1:],
                network.bias[1:],
                self.cells[1:],
                inputs,
                xs,
                self.hidden[1:],
                outputs[1:],
                strict=True,
            )
        )

    def read(self, ids: int | npt.NDArray[np.integer]) -> None:
        """Read one character of each stream: ``ids`` is one id, or one a stream, (B,)."""
        recurrent, rows, cell, h = self._first
        np.dot(h, recurrent, cell.z)  # sooner under way than matmul
        np.add(cell.z, rows[ids], cell.z)
        cell.update(h)
        for recurrent, bias, cell, both, x, h, output in self._later:
            np.dot(both, recurrent, cell.z)
            np.add(cell.z, bias, cell.z)
            cell.update(h)
            if self._residual:
                np.add(h, x, output)
            else:
                output[...] = h

    def state(self) -> State:
        """A copy of the hidden and cell values of each layer."""
        return State(
            tuple(h.copy() for h in self.hidden), tuple(cell.c.copy() for cell in self.cells)
        )

    def load(self, state: State, features: Array) -> None:
        """Go on from here; what belongs to one stream becomes that of each."""
        for h, cell, hidden, c in zip(self.hidden, self.cells, *state, strict=True):
            h[...] = hidden
            cell.c[...] = c
        self.features[...] = features
