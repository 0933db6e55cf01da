"""The network in numpy: a stacked LSTM that reads one character at a time, of one or many texts.

Nothing here samples or reads files; ``model_file`` reads the weights. The equations, in
``LSTMCell.update``, are those of Hochreiter and Schmidhuber, "Long short-term memory" (Neural
Computation 9, 1997), with the forget gate of Gers, Schmidhuber and Cummins, "Learning to forget"
(Neural Computation 12, 2000). They agree with ``torch.nn.LSTM``.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from charlstm.model.config import ModelConfig

Array = npt.NDArray[np.float32]
HALF = np.float32(0.5)
TILE = 8  # rows of a batch in one product
# OpenBLAS multiplies matrices up to this size (rows x columns x depth) directly. It first copies
# larger ones into another memory order, which for TILE rows takes longer than the product.
SMALL_PRODUCT = 1_000_000
LEAST_BLOCK = 32  # columns; a product with a narrower block is slower than the copy


def arranged(weights: Array) -> Array:
    """The rows (4H, ...) of a layer's matrix or bias in the order that ``LSTMCell`` needs.

    torch has the order input, forget, candidate, output. Here it is output, input, forget,
    candidate, and the rows of the three gates are halved (exactly) for ``LSTMCell.update``.
    """
    i, f, g, o = np.split(weights, 4)
    return np.concatenate((o * HALF, i * HALF, f * HALF, g))


def in_blocks(weights: Array) -> Array:
    """A matrix (K, N) as blocks of columns, (N / n, K, n), each small enough for SMALL_PRODUCT.

    If N has no such divisor n, the matrix is one block.
    """
    K, N = weights.shape
    most = SMALL_PRODUCT // (TILE * K)
    n = next((N // d for d in range(1, N // LEAST_BLOCK + 1) if N % d == 0 and N // d <= most), N)
    return np.ascontiguousarray(weights.reshape(K, N // n, n).swapaxes(0, 1))


class LSTMCell:
    """The values of one layer: z is the input of a step, c its memory, h its output.

    ``z``, (..., 4H), is W x_t + U h_(t-1) + b for the output, input and forget gate and the
    candidate, from ``arranged`` weights; c and h are (..., H). All is computed in place and in few
    calls, because for one text a call takes longer than its arithmetic.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        """``shape`` is that of h and c: (H,) for one text, (B, H) for a batch."""
        *batch, H = shape
        values = np.zeros((*batch, 5 * H), np.float32)  # o, i, f, g, c
        self.z, self.c = values[..., : 4 * H], values[..., 4 * H :]
        self._gates, self._o = values[..., : 3 * H], values[..., :H]
        self._i_and_f, self._g_and_c = values[..., H : 3 * H], values[..., 3 * H :]
        self._terms = np.empty((*batch, 2 * H), np.float32)
        self._written, self._kept = self._terms[..., :H], self._terms[..., H:]
        self._tanh_c = np.empty(shape, np.float32)
        self.gates = self._gates.reshape(*batch, 3, H)  # output, input, forget, for reading alone
        self.gates.flags.writeable = False

    def update(self, h: Array) -> None:
        """Write the new hidden values to ``h`` and the new memory to c, and overwrite z.

            i = sigmoid(z_i)          input gate: how much of the candidate is written
            f = sigmoid(z_f)          forget gate: how much of the cell is kept
            o = sigmoid(z_o)          output gate: how much of the cell is shown
            g = tanh(z_g)             candidate
            c_t = f * c_(t-1) + i * g
            h_t = o * tanh(c_t)

        with sigmoid(x) = tanh(x / 2) / 2 + 1 / 2, which cannot overflow, and needs one call of
        tanh for gates and candidate together.
        """
        z, c, gates, tanh_c = self.z, self.c, self._gates, self._tanh_c
        np.tanh(z, z)
        np.multiply(gates, HALF, gates)
        np.add(gates, HALF, gates)
        np.multiply(self._i_and_f, self._g_and_c, self._terms)  # i * g and f * c
        np.add(self._written, self._kept, c)
        np.tanh(c, tanh_c)
        np.multiply(self._o, tanh_c, h)


class LSTM:
    """Embedding, LSTM layers and output layer, arranged so that one character is read fast.

    Weights are transposed once, so that a product reads them in order (about twice as fast as
    ``W @ x``). The two matrices and the bias of a layer become one matrix. The first layer's
    product with the embedding is computed here, so that its input becomes a look-up.
    """

    def __init__(self, weights: Mapping[str, Array], config: ModelConfig) -> None:
        """``weights`` have torch's names, as in ``ModelConfig.parameter_shapes``."""
        self.config = config
        layers = [
            [
                arranged(weights[f"layers.{layer}.{part}_l0"])
                for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            ]
            for layer in range(config.num_layers)
        ]
        W, U, b_ih, b_hh = layers[0]
        self.inputs = weights["embedding.weight"] @ W.T + (b_ih + b_hh)  # (V, 4H)
        self.first = np.ascontiguousarray(U.T)  # (H, 4H)
        self.later = [  # for x, h and 1 side by side, (2H + 1, 4H) each
            np.ascontiguousarray(np.vstack((W.T, U.T, b_ih + b_hh)))
            for W, U, b_ih, b_hh in layers[1:]
        ]
        self.output = np.ascontiguousarray(  # (H + 1, V)
            np.vstack((weights["output.weight"].T, weights["output.bias"]))
        )

    @cached_property
    def blocks(self) -> list[Array]:
        """The matrices of all layers and of the output, ``in_blocks``, for a batch.

        The output matrix is padded with columns of zeros, so that it can be cut into equal blocks.
        """
        V = self.config.vocab_size
        padded = np.pad(self.output, ((0, 0), (0, -V % LEAST_BLOCK)))
        return [in_blocks(weights) for weights in (self.first, *self.later, padded)]


class LSTMState:
    """What a network knows of a text, or of several texts in a batch; it changes in place.

    ``hidden`` and ``cell`` have the values of each layer, (..., H). ``features``, (..., H), is the
    output of the last layer, which predicts the next character. ``gates`` has the output, input
    and forget gate of each layer in the last step, (..., 3, H).
    """

    def __init__(self, lstm: LSTM, batch: int | None = None) -> None:
        """The state before any character of one text, or of ``batch`` texts, a multiple of TILE."""
        H, L, V = lstm.config.hidden_size, lstm.config.num_layers, lstm.config.vocab_size
        middle = () if batch is None else (batch,)
        self._lstm = lstm
        self._residual = lstm.config.residual
        self._cells = [LSTMCell((*middle, H)) for _ in range(L)]
        # A layer's input x, its hidden values h and a 1 for the bias are side by side, so that one
        # product takes all. The first layer writes its h directly where the second has its x.
        read = [np.ones((*middle, 2 * H + 1), np.float32) for _ in range(1, L)]
        read_by_output = np.ones((*middle, H + 1), np.float32)
        self.features = read_by_output[..., :H]
        xs = [both[..., :H] for both in read]
        outputs = [*xs, self.features]
        self.hidden = [outputs[0], *(both[..., H : 2 * H] for both in read)]
        self._later = list(zip(self._cells[1:], xs, self.hidden[1:], outputs[1:], strict=True))
        self.cell = [cell.c for cell in self._cells]
        self.gates = [cell.gates for cell in self._cells]
        for values in (*self.hidden, *outputs):
            values[...] = 0
        # Inputs, weights and results of the products, for each layer and for the output. dot has
        # less overhead than matmul, but cannot multiply the tiles and blocks of a batch.
        inputs = [self.hidden[0], *read, read_by_output]
        weights = [lstm.first, *lstm.later, lstm.output]
        if batch is not None:
            inputs = [x.reshape(-1, 1, TILE, x.shape[-1]) for x in inputs]  # (tiles, 1, TILE, K)
            weights = lstm.blocks  # (blocks, K, n)
        scores = np.empty((*middle, V if batch is None else weights[-1][:, 0].size), np.float32)
        results = [*(cell.z for cell in self._cells), scores]
        if batch is not None:
            results = [  # (tiles, blocks, TILE, n)
                z.reshape(-1, TILE, len(w), w.shape[-1]).swapaxes(1, 2)
                for z, w in zip(results, weights, strict=True)
            ]
        self._product = np.dot if batch is None else np.matmul
        *self._layers, self._scoring = zip(inputs, weights, results, strict=True)
        self._scores = scores[..., :V]

    def read(self, ids: int | npt.NDArray[np.integer]) -> None:
        """Read one character of each text: ``ids`` is one id, or has shape (B,)."""
        first, *later = self._layers
        cell = self._cells[0]
        self._product(*first)
        np.add(cell.z, self._lstm.inputs[ids], cell.z)
        cell.update(self.hidden[0])
        for product, (cell, x, h, output) in zip(later, self._later, strict=True):
            self._product(*product)
            cell.update(h)
            if self._residual:
                np.add(h, x, output)
            else:
                output[...] = h

    def logits(self) -> Array:
        """The logits of the next character, (..., V); the next call overwrites them."""
        self._product(*self._scoring)
        return self._scores

    def clear(self, rows: npt.NDArray[np.integer]) -> None:
        """Let these texts of a batch begin anew."""
        if rows.size:
            for values in (*self.hidden, *self.cell, self.features):
                values[rows] = 0

    def copy(self) -> "LSTMState":
        """A copy of the state of one text."""
        return LSTMState(self._lstm).load(self.hidden, self.cell, self.features)

    def load(self, hidden: Sequence[Array], cell: Sequence[Array], features: Array) -> Self:
        """Take over these values; those of one text become those of each text of a batch."""
        for mine, given in zip((*self.hidden, *self.cell), (*hidden, *cell), strict=True):
            mine[...] = given
        self.features[...] = features
        return self
