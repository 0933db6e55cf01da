"""ONNX files: the network that onnxruntime computes from one is that of the numpy engine."""

import dataclasses
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

import charlstm
from charlstm.cli.hints import explained
from charlstm.errors import CharLSTMError, OptionError
from charlstm.language_model import LanguageModel
from charlstm.model.config import ModelConfig
from charlstm.model.lstm import LSTMState
from charlstm.model.model_file import ModelFile, load_model, save_model
from charlstm.model.onnx_file import MARK, MARKED, onnx_bytes

from .writing import make_model

CHARACTERS = "\n abcdefghij"


def drawn(layers: int, *, residual: bool = True) -> ModelFile:
    """A model of so many layers with drawn weights, large enough that its gates open and close."""
    config = ModelConfig(
        vocab_size=len(CHARACTERS),
        embedding_size=5,
        hidden_size=24,
        num_layers=layers,
        residual=residual,
    )
    numbers = np.random.default_rng(layers)
    weights = {
        name: numbers.normal(scale=0.4, size=shape).astype(np.float32)
        for name, shape in config.parameter_shapes().items()
    }
    return dataclasses.replace(make_model(CHARACTERS), config=config, weights=weights)


def session(data: bytes) -> Any:
    """The graph, ready to be computed on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_onnxruntime_computes_what_the_engine_does(layers: int, residual: bool, batch: int) -> None:
    """The logits of 1,000 steps are the same to 1e-5, and so is the state after them."""
    model = drawn(layers, residual=residual)
    step = session(onnx_bytes(model))
    L, H = layers, model.config.hidden_size
    hidden, cell = np.zeros((2, L, batch, H), np.float32)
    states = [LSTMState(model.lstm) for _ in range(batch)]
    worst = 0.0
    for ids in np.random.default_rng(9).integers(len(CHARACTERS), size=(1000, batch)):
        logits, hidden, cell = step.run(None, {"ids": ids, "hidden": hidden, "cell": cell})
        assert logits.dtype == np.float32
        for row, state in enumerate(states):
            state.read(int(ids[row]))
            worst = max(worst, np.abs(state.logits() - logits[row]).max())
    assert worst < 1e-5
    for row, state in enumerate(states):
        np.testing.assert_allclose(hidden[:, row], state.hidden, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(cell[:, row], state.cell, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layers", [1, 3])
def test_the_graph_is_sound_and_has_the_promised_names(layers: int) -> None:
    """By onnx's own checker, with inferred shapes; the size of a batch is left open."""
    model = drawn(layers)
    made = onnx.load_model_from_string(onnx_bytes(model))
    onnx.checker.check_model(made, full_check=True)
    shapes = {
        value.name: (
            value.type.tensor_type.elem_type,
            [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim],
        )
        for value in (*made.graph.input, *made.graph.output)
    }
    floats, state = onnx.TensorProto.FLOAT, [layers, "batch", 24]
    assert shapes == {
        "ids": (onnx.TensorProto.INT64, ["batch"]),
        "hidden": (floats, state),
        "cell": (floats, state),
        "logits": (floats, ["batch", len(CHARACTERS)]),
        "hidden_out": (floats, state),
        "cell_out": (floats, state),
    }
    assert (made.producer_name, made.producer_version) == ("charlstm", charlstm.__version__)


@pytest.mark.parametrize(("characters", "line_end"), [("\tab\n", 3), ("abc", None)])
def test_the_metadata_are_the_model_card(characters: str, line_end: int | None) -> None:
    """One entry of JSON, which also says what to read before a line."""
    model = make_model(characters)
    made = onnx.load_model_from_string(onnx_bytes(model))
    (entry,) = made.metadata_props
    assert entry.key == "charlstm"
    assert json.loads(entry.value) == {**model.describe(), "line_end": line_end}


def test_equal_models_give_equal_bytes(tmp_path: Path) -> None:
    """Also when the file is written again, which replaces it."""
    path = tmp_path / "model.onnx"
    written = []
    for _ in range(2):
        LanguageModel(drawn(2)).export_onnx(path)
        written.append(path.read_bytes())
    assert written[0] == written[1] == onnx_bytes(drawn(2))
    assert MARK in written[0][:MARKED]
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~_umask()
    assert list(tmp_path.iterdir()) == [path]


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_weights_of_16_bits_become_32(tmp_path: Path) -> None:
    """With the same values."""
    model = drawn(2)
    halves: Any = {name: w.astype(np.float16) for name, w in model.weights.items()}
    save_model(dataclasses.replace(model, weights=halves), tmp_path / "model.safetensors")
    data = onnx_bytes(load_model(tmp_path / "model.safetensors"))
    tensors = onnx.load_model_from_string(data).graph.initializer
    kinds = {t.name: t.data_type for t in tensors if t.name != "first_axis"}
    assert set(kinds.values()) == {onnx.TensorProto.FLOAT}
    output = next(t for t in tensors if t.name == "output.weight")
    np.testing.assert_array_equal(numpy_helper.to_array(output), halves["output.weight"])


@pytest.mark.parametrize("content", [b"", b"charlstm is a program", b"\x08\x08\x12\x07pytorch"])
def test_another_file_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    """Not even one that begins with the name of the program."""
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(OptionError, match=r"exists and is no ONNX file of charlstm") as caught:
        LanguageModel(make_model("ab")).export_onnx(path)
    assert caught.value.name == "output"
    assert path.read_bytes() == content


def test_a_directory_and_a_pipe_are_refused(tmp_path: Path) -> None:
    """In one line, and a missing directory too."""
    model = LanguageModel(make_model("ab"))
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "no" / "model.onnx"):
        with pytest.raises(CharLSTMError, match="cannot be written: "):
            model.export_onnx(path)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    """The file that it leads to is written, and the link stays."""
    link = tmp_path / "link.onnx"
    link.symlink_to("model.onnx")
    LanguageModel(make_model("ab")).export_onnx(str(link))
    assert link.is_symlink()
    assert (tmp_path / "model.onnx").read_bytes() == onnx_bytes(make_model("ab"))


def test_without_onnx_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is written."""
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(CharLSTMError) as caught:
        LanguageModel(make_model("ab")).export_onnx(tmp_path / "model.onnx")
    assert caught.value.code == "no onnx"
    assert explained(caught.value).endswith("pip install onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_is_too_large_is_refused(tmp_path: Path) -> None:
    """Before memory is asked for: the format has a limit of 2 GiB."""
    config = dataclasses.replace(make_model("ab").config, hidden_size=1 << 14)
    model = LanguageModel(dataclasses.replace(make_model("ab"), config=config))
    with pytest.raises(CharLSTMError, match="an ONNX file has less than 2 GiB"):
        model.export_onnx(tmp_path / "model.onnx")
