"""What happens inside the network while it reads a text: cells, gates and what it expects."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from charlstm.analysis.score import finite
from charlstm.generation.sampling import Sampling, probabilities, surprisal
from charlstm.generation.text_stream import opening
from charlstm.model.lstm import Array, LSTMState
from charlstm.model.model_file import ModelFile

PIECE = 1024  # characters traced together: 25 MB for 2 layers of 384 units

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trace:
    """A text, and the values of the network at each of its T characters.

    For a network of L layers with H units each and V characters:

    - ``probabilities``, (T, V): how probable each character was, in the order of the vocabulary,
      before the network read character t;
    - ``bits``, (T,): the surprisal -log2 probabilities[t, id of character t];
    - ``input_gate``, ``forget_gate``, ``output_gate``, (T, L, H): i, f and o, from 0 (closed) to 1
      (open), in the step that reads character t;
    - ``cell`` and ``hidden``, (T, L, H): c and h after character t.

    In a layer with the input x_t (Hochreiter and Schmidhuber 1997; Gers et al. 2000):

        i = sigmoid(W_i x_t + U_i h_(t-1) + b_i)
        f = sigmoid(W_f x_t + U_f h_(t-1) + b_f)
        g =    tanh(W_g x_t + U_g h_(t-1) + b_g)
        o = sigmoid(W_o x_t + U_o h_(t-1) + b_o)
        c_t = f * c_(t-1) + i * g
        h_t = o * tanh(c_t)

    Pictures of cells show tanh(c), which is in (-1, 1), as those of Karpathy, Johnson and Li 2015
    (arXiv 1506.02078) do.
    """

    text: str
    bits: Numbers = field(repr=False)
    probabilities: Numbers = field(repr=False)
    cell: Array = field(repr=False)
    hidden: Array = field(repr=False)
    input_gate: Array = field(repr=False)
    forget_gate: Array = field(repr=False)
    output_gate: Array = field(repr=False)


def traces(model: ModelFile, pieces: Iterable[str]) -> Iterator[Trace]:
    """The traces of a text that comes in ``pieces``, each of at most PIECE characters.

    The text is read as the beginning of a line. Memory does not grow with the text. Raises
    UnknownCharacterError, and ModelFileError if the weights are too large to compute with.
    """
    state: LSTMState | None = None
    for piece in filter(None, pieces):
        state = state or opening(model, piece)
        for start in range(0, len(piece), PIECE):
            yield trace(model, piece[start : start + PIECE], state)


def trace(model: ModelFile, text: str, state: LSTMState | None = None) -> Trace:
    """The trace of ``text`` from ``state`` on, which then has read it; or as a line's beginning."""
    state = state or opening(model, text)
    ids = model.vocabulary.encode(text)
    T, L, H = len(ids), model.config.num_layers, model.config.hidden_size
    logits = np.empty((T, model.config.vocab_size))
    gates = np.empty((T, L, 3, H), np.float32)
    cell, hidden = (np.empty((T, L, H), np.float32) for _ in range(2))
    with np.errstate(all="ignore"):  # weights that are too large are found below
        for t, i in enumerate(ids):
            logits[t] = state.logits()
            state.read(i)
            gates[t], cell[t], hidden[t] = state.gates, state.cell, state.hidden
        bits = finite(surprisal(logits, ids))
    output_gate, input_gate, forget_gate = np.moveaxis(gates, 2, 0)  # (T, L, H) each
    return Trace(
        text=text,
        bits=bits,
        probabilities=probabilities(logits, Sampling()),
        cell=cell,
        hidden=hidden,
        input_gate=input_gate,
        forget_gate=forget_gate,
        output_gate=output_gate,
    )
