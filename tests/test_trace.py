"""Traces: the values inside the network, as torch computes them gate by gate."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import charlstm
from charlstm.analysis.trace import PIECE
from charlstm.language_model import LanguageModel
from charlstm.model.lstm import TILE, LSTMState
from charlstm.training.network import CharLSTM

from .conftest import VERSE
from .writing import make_model

TEXT = "abba\ncab" * 5
GATES = ("input_gate", "forget_gate", "output_gate")


def drawn(*, residual: bool = True) -> tuple[LanguageModel, CharLSTM]:
    """The same network in both engines, with random weights."""
    torch.manual_seed(3)
    model = make_model("\nabc")
    network = CharLSTM(replace(model.config, residual=residual)).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    weights = {name: weight.detach().numpy() for name, weight in network.state_dict().items()}
    return LanguageModel(replace(model, config=network.config, weights=weights)), network


@torch.no_grad()
def by_gates(network: CharLSTM, ids: list[int]) -> dict[str, np.ndarray]:
    """The equations written out with torch's weights, after the first of ``ids``: (T, L, H)."""
    H = network.config.hidden_size
    found: dict[str, list[torch.Tensor]] = {name: [] for name in (*GATES, "cell", "hidden")}
    x = network.embedding(torch.tensor(ids))  # (T, E)
    for number, layer in enumerate(network.layers):
        W, U, b_ih, b_hh = layer.parameters()
        h, c = torch.zeros(H), torch.zeros(H)
        steps: dict[str, list[torch.Tensor]] = {name: [] for name in found}
        for x_t in x:
            i, f, g, o = (W @ x_t + U @ h + b_ih + b_hh).chunk(4)
            i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
            c = f * c + i * g
            h = o * c.tanh()
            for name, value in zip(steps, (i, f, o, c, h), strict=True):
                steps[name].append(value)
        for name, values in steps.items():
            found[name].append(torch.stack(values[1:]))
        own, _ = layer(x[:, None])
        assert torch.allclose(own[1:, 0], found["hidden"][-1], atol=1e-5)  # nn.LSTM itself
        output = torch.stack(steps["hidden"])
        x = output + x if number and network.config.residual else output
    arrays = {name: torch.stack(values, dim=1).numpy() for name, values in found.items()}
    logits = network.output(x)[:-1]
    return {**arrays, "probabilities": torch.softmax(logits, -1).numpy()}


@pytest.mark.parametrize("residual", [False, True])
def test_a_trace_is_what_torch_computes(residual: bool) -> None:
    """Cells, hidden values, gates and probabilities, in every layer after every character."""
    model, network = drawn(residual=residual)
    ids = [model.vocabulary.index(c) for c in "\n" + TEXT]  # a text begins a line
    trace = model.trace(TEXT)
    for name, expected in by_gates(network, ids).items():
        np.testing.assert_allclose(getattr(trace, name), expected, atol=1e-5, err_msg=name)


def test_bits_are_those_of_the_probabilities(trained: Path) -> None:
    """What the model expected before it read the character; the score is the same."""
    model = charlstm.load(trained)
    trace = model.trace(VERSE)
    ids = [model.vocabulary.index(c) for c in VERSE]
    assert trace.probabilities.shape == (len(VERSE), len(model.vocabulary))
    assert trace.probabilities.sum(axis=1) == pytest.approx(np.ones(len(VERSE)))
    expected = -np.log2(trace.probabilities[np.arange(len(ids)), ids])
    assert trace.bits == pytest.approx(expected)
    assert trace.bits == pytest.approx(model.score(VERSE).bits, abs=1e-4)


def test_the_equation_of_the_cell_holds(trained: Path) -> None:
    """H = o tanh(c), and c is kept by f where nothing is written: |c_t - f c_(t-1)| <= i."""
    trace = charlstm.load(trained).trace(VERSE)
    assert trace.hidden == pytest.approx(trace.output_gate * np.tanh(trace.cell), abs=1e-6)
    written = np.abs(trace.cell[1:] - trace.forget_gate[1:] * trace.cell[:-1])
    assert (written <= trace.input_gate[1:] + 1e-5).all()


def test_pieces_continue_each_other() -> None:
    """However the text is cut, also where a piece is longer than what is traced at once."""
    model = LanguageModel(make_model("\nabc"))
    text = TEXT * (PIECE // 20)
    assert len(text) > PIECE
    whole = model.trace(text)
    for pieces in ([text], [text[:7], "", text[7:9], text[9:]]):
        traces = list(model.traces(pieces))
        assert "".join(trace.text for trace in traces) == text
        for name in ("bits", "cell", *GATES):
            joined = np.concatenate([getattr(trace, name) for trace in traces])
            assert (joined == getattr(whole, name)).all()


def test_nothing_is_traced_of_an_empty_text() -> None:
    """The arrays are there, with no row."""
    model = LanguageModel(make_model("\nabc"))
    assert model.trace("").cell.shape == (0, 2, 8)
    assert list(model.traces([])) == []


def test_gates_of_a_state_can_only_be_read() -> None:
    """They are a view of what the engine computes with, of one text and of many."""
    model = make_model("\nabc")
    for batch in (None, TILE):
        state = LSTMState(model.lstm, batch)
        state.read(np.ones(TILE, int) if batch else 1)
        assert state.gates[0].shape == (*(() if batch is None else (batch,)), 3, 8)
        assert (state.gates[0] > 0).all()
        with pytest.raises(ValueError, match="read-only"):
            state.gates[0][...] = 0


def test_weights_that_are_too_large_are_an_error() -> None:
    """Not a picture of numbers that are none."""
    model = make_model("\nabc")
    weights = {name: np.full_like(weight, 1e38) for name, weight in model.weights.items()}
    with pytest.raises(charlstm.CharLSTMError, match="too large"):
        LanguageModel(replace(model, weights=weights)).trace("abc")
