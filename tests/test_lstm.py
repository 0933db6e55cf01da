"""The two engines are one network: numpy against torch, over layer counts and sizes."""

import numpy as np
import pytest
import torch

from charlstm.model.config import ModelConfig
from charlstm.model.lstm import LSTM, TILE, LSTMCell, LSTMState, arranged
from charlstm.training.network import CharLSTM

SIZES = [(1, 1), (1, 7), (1, 128), (2, 5), (2, 96), (3, 64), (4, 33)]


def arrays(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: weight.detach().numpy() for name, weight in module.state_dict().items()}


@pytest.mark.parametrize(("layers", "hidden"), SIZES)
def test_the_equations_are_those_of_torch_lstm(layers: int, hidden: int) -> None:
    """``LSTMCell`` by ``LSTMCell`` is torch.nn.LSTM with as many layers."""
    torch.manual_seed(layers * 1000 + hidden)
    T, E = 40, 11
    reference = torch.nn.LSTM(E, hidden, num_layers=layers)
    x = torch.randn(T, E)
    with torch.no_grad():
        expected, (last_h, last_c) = reference(x)
    w = arrays(reference)
    h = np.zeros((layers, hidden), np.float32)
    cells = [LSTMCell((hidden,)) for _ in range(layers)]
    outputs = []
    for x_t in x.numpy():
        for n in range(layers):
            z = (
                w[f"weight_ih_l{n}"] @ x_t
                + w[f"weight_hh_l{n}"] @ h[n]
                + w[f"bias_ih_l{n}"]
                + w[f"bias_hh_l{n}"]
            )
            cells[n].z[:] = arranged(z)
            cells[n].update(h[n])
            x_t = h[n]
        outputs.append(x_t.copy())
    np.testing.assert_allclose(outputs, expected.numpy(), atol=2e-6)
    np.testing.assert_allclose(h, last_h.numpy(), atol=2e-6)
    np.testing.assert_allclose([cell.c for cell in cells], last_c.numpy(), atol=5e-6)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize(("layers", "hidden"), SIZES)
def test_the_network_is_the_one_that_was_trained(layers: int, hidden: int, residual: bool) -> None:
    """Logits and states of every step agree with the torch model, one stream and many."""
    torch.manual_seed(hidden)
    V, B, T = 13, TILE, 50
    config = ModelConfig(
        vocab_size=V,
        embedding_size=6,
        hidden_size=hidden,
        num_layers=layers,
        dropout=0.5,
        residual=residual,
    )
    model = CharLSTM(config, seed=hidden).eval()
    ids = torch.randint(V, (T, B))
    with torch.no_grad():
        expected, after = model(ids, model.zero_state(B))
    network = LSTM(arrays(model), config)
    batch, one = LSTMState(network, B), LSTMState(network)
    for t in range(T):
        batch.read(ids[t].numpy())
        np.testing.assert_allclose(batch.logits(), expected[t].numpy(), atol=1e-5)
        one.read(int(ids[t, 0]))
        np.testing.assert_allclose(one.logits(), expected[t, 0].numpy(), atol=1e-5)
        if t == T // 2:  # as if the text went on in another process
            one = one.copy()
    for n, (h, c) in enumerate(after):
        np.testing.assert_allclose(batch.hidden[n], h[0].numpy(), atol=1e-5)
        np.testing.assert_allclose(batch.cell[n], c[0].numpy(), atol=1e-5)


def test_one_state_becomes_that_of_each_row() -> None:
    """What one stream read of a seed phrase, a batch need not read again."""
    config = ModelConfig(vocab_size=9, embedding_size=4, hidden_size=6, num_layers=3)
    network = LSTM(arrays(CharLSTM(config, seed=0)), config)
    one, batch = LSTMState(network), LSTMState(network, TILE)
    for i in (3, 1, 4):
        one.read(i)
    batch.load(one.hidden, one.cell, one.features)
    one.read(5)
    batch.read(np.full(TILE, 5))
    for row in batch.logits():
        np.testing.assert_allclose(row, one.logits(), atol=1e-6)


def test_the_state_dict_has_the_promised_shapes() -> None:
    """The names in a model file are torch's own."""
    config = ModelConfig(vocab_size=9, embedding_size=4, hidden_size=5, num_layers=3)
    shapes = {name: tuple(w.shape) for name, w in CharLSTM(config).state_dict().items()}
    assert shapes == config.parameter_shapes()
    assert config.parameters == sum(w.numel() for w in CharLSTM(config).parameters())


def updated(z: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """H and c after z, in torch's order of parts, (4, H)."""
    cell, h = LSTMCell(c.shape), np.empty_like(c)
    cell.z[:] = arranged(z).ravel()
    cell.c[:] = c
    cell.update(h)
    return h, cell.c


def test_gates_saturate_without_overflow() -> None:
    """A gate of any size is in [0, 1], and no warning is given."""
    z = np.zeros((4, 5), np.float32)
    z[1] = [-1e4, -50, 0, 50, 1e4]  # the forget gate
    with np.errstate(all="raise", under="ignore"):
        _, c = updated(z, np.ones(5, np.float32))
    assert c.tolist() == pytest.approx([0, 0, 0.5, 1, 1], abs=1e-6)


def test_a_cell_by_hand() -> None:
    """With all gates open the cell adds the candidate; with all closed it shows nothing."""
    opened, closed = 100.0, -100.0
    z = np.array([[opened], [opened], [0.5], [opened]], np.float32)
    h, c = updated(z, np.array([2.0], np.float32))
    assert c[0] == pytest.approx(2 + np.tanh(0.5))
    assert h[0] == pytest.approx(np.tanh(c[0]))
    z = np.array([[closed], [closed], [0.5], [closed]], np.float32)
    h, c = updated(z, c)
    assert (h[0], c[0]) == pytest.approx((0, 0))
