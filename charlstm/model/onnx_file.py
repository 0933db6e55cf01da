"""A model as an ONNX file, for programs in any language that can compute such graphs.

The graph is one step of the network: it reads one character of each text of a batch. What calls it
goes from character to character, and chooses the next one. With onnxruntime:

    step = onnxruntime.InferenceSession("play.onnx")
    card = json.loads(step.get_modelmeta().custom_metadata_map["charlstm"])
    hidden = cell = numpy.zeros((card["model"]["num_layers"], 1, card["model"]["hidden_size"]), "f")
    for i in ids:  # of characters in card["vocabulary"]; the first is card["line_end"]
        inputs = {"ids": [i], "hidden": hidden, "cell": cell}
        logits, hidden, cell = step.run(None, inputs)

Only this module imports onnx.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from charlstm.errors import CharLSTMError, OptionError
from charlstm.files import regular_size, write_atomically
from charlstm.model.lstm import Array
from charlstm.model.model_file import METADATA_KEY, ModelFile

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

OPERATORS, IR_VERSION = 17, 8  # of 2022, so that older programs can read the file too
PRODUCER = "charlstm"
MARK = b"\x12\x08charlstm"  # field 2 of the file, the name of its producer,
MARKED = 64  # is in its first bytes
MOST_BYTES = (1 << 31) - (1 << 24)  # a file in the format of protobuf must be smaller than 2 GiB


def write_onnx(model: ModelFile, path: Path) -> None:
    """Write the model to ``path`` atomically; equal models give equal bytes.

    An ONNX file of charlstm is replaced, any other file is not. If ``path`` is a symbolic link, the
    file that it leads to is written. Raises OptionError for a file that is not replaced, and
    CharLSTMError if onnx is not installed, if the model is too large, or if the file cannot be
    written.
    """
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    try:
        if not _is_free(target):
            fault = f"is {str(path)!r}, which exists and is no ONNX file of charlstm"
            raise OptionError(fault, "output")
        write_atomically(target, onnx_bytes(model))
    except OSError as error:
        fault = f"{path}: cannot be written: {error.strerror or error}"
        raise CharLSTMError(fault) from error


def onnx_bytes(model: ModelFile) -> bytes:
    """The model as the bytes of an ONNX file.

    Inputs are ``ids`` (B,) as int64, and ``hidden`` and ``cell`` (L, B, H) as float32, which are
    zeros before the first character. Outputs are ``logits`` (B, V) of the character that follows,
    and ``hidden_out`` and ``cell_out`` (L, B, H), the inputs of the next step.

    The metadata have one entry, ``charlstm``: JSON with the model card, as in a model file, and
    ``line_end``, the id of the line end, which is read before the first character of a line. It is
    null for a model that knows no line end.
    """
    size = 4 * model.config.parameters
    if size > MOST_BYTES:
        raise CharLSTMError(f"the weights have {size:,} bytes; an ONNX file has less than 2 GiB")
    _require_onnx()
    from onnx import helper

    made = helper.make_model(
        _graph(model),
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPERATORS)],
        producer_name=PRODUCER,
        # The package imports this module, so this module does not import the package.
        producer_version=sys.modules[PRODUCER].__version__,
    )
    line_end = model.vocabulary.characters.find("\n")
    card = {**model.describe(), "line_end": line_end if line_end >= 0 else None}
    helper.set_model_props(made, {METADATA_KEY: json.dumps(card, sort_keys=True)})
    written: bytes = made.SerializeToString(deterministic=True)
    assert MARK in written[:MARKED]
    return written


def _is_free(path: Path) -> bool:
    """Whether ``path`` may be written: nothing is there, or an ONNX file of charlstm."""
    try:
        regular_size(path, follow=True)
    except FileNotFoundError:
        return True
    with path.open("rb") as file:
        return MARK in file.read(MARKED)


def _require_onnx() -> None:
    """Raise CharLSTMError if onnx is not installed, or cannot be imported."""
    try:
        from onnx import helper, numpy_helper  # noqa: F401
    except ImportError as error:
        fault = f"onnx, which ONNX files need, cannot be imported: {' '.join(str(error).split())}"
        raise CharLSTMError(fault, "no onnx") from error


def _graph(model: ModelFile) -> "GraphProto":
    from onnx import TensorProto, helper, numpy_helper

    config = model.config
    L, H, V = config.num_layers, config.hidden_size, config.vocab_size
    state, floats = (L, "batch", H), TensorProto.FLOAT
    tensors = [
        numpy_helper.from_array(np.ascontiguousarray(values), name)
        for name, values in _tensors(model)
    ]
    return helper.make_graph(
        list(_nodes(L, H, residual=config.residual)),
        "step",
        inputs=[
            helper.make_tensor_value_info("ids", TensorProto.INT64, ("batch",)),
            helper.make_tensor_value_info("hidden", floats, state),
            helper.make_tensor_value_info("cell", floats, state),
        ],
        outputs=[
            helper.make_tensor_value_info("logits", floats, ("batch", V)),
            helper.make_tensor_value_info("hidden_out", floats, state),
            helper.make_tensor_value_info("cell_out", floats, state),
        ],
        initializer=tensors,
    )


def _tensors(model: ModelFile) -> Iterator[tuple[str, Any]]:
    """The constants of the graph by name; the weights are float32, in ONNX's order and shapes."""
    weights = model.weights
    yield "first_axis", np.zeros(1, np.int64)
    yield "embedding", weights["embedding.weight"]  # (V, E)
    for layer in range(model.config.num_layers):
        W, U, b_ih, b_hh = (
            _in_onnx_order(weights[f"layers.{layer}.{part}_l0"])
            for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        yield f"layers.{layer}.W", W[None]  # (1, 4H, E or H)
        yield f"layers.{layer}.R", U[None]  # (1, 4H, H)
        yield f"layers.{layer}.B", np.concatenate((b_ih, b_hh))[None]  # (1, 8H)
    yield "output.weight", weights["output.weight"]  # (V, H)
    yield "output.bias", weights["output.bias"]  # (V,)


def _in_onnx_order(weights: Array) -> Array:
    """The rows (4H, ...) of a layer's matrix or bias in the order of ONNX's LSTM operator.

    torch has the order input, forget, candidate, output. ONNX has input, output, forget, candidate.
    """
    i, f, g, o = np.split(weights, 4)
    return np.concatenate((i, o, f, g))


def _nodes(L: int, H: int, *, residual: bool) -> Iterator["NodeProto"]:
    """The operations of a step in their order. A text of one character has shape (1, B, ...)."""
    from onnx.helper import make_node

    # The state of each layer, (1, B, H), from and to that of all, (L, B, H). Of one layer it is
    # the same.
    parts = {
        name: [f"{name}.{layer}" for layer in range(L)] if L > 1 else [name]
        for name in ("hidden", "cell", "hidden_out", "cell_out")
    }
    for name in ("hidden", "cell") if L > 1 else ():
        yield make_node("Split", [name], parts[name], axis=0)
    yield make_node("Gather", ["embedding", "ids"], ["embedded"])  # (B, E)
    yield make_node("Unsqueeze", ["embedded", "first_axis"], ["input.0"])
    x = "input.0"
    for layer in range(L):
        weights = [f"layers.{layer}.{part}" for part in "WRB"]
        state = [parts["hidden"][layer], parts["cell"][layer]]
        h, c = parts["hidden_out"][layer], parts["cell_out"][layer]
        yield make_node("LSTM", [x, *weights, "", *state], ["", h, c], hidden_size=H)
        if residual and layer:
            yield make_node("Add", [h, x], [f"input.{layer + 1}"])
            x = f"input.{layer + 1}"
        else:
            x = h
    yield make_node("Squeeze", [x, "first_axis"], ["features"])  # (B, H)
    output = ["features", "output.weight", "output.bias"]
    yield make_node("Gemm", output, ["logits"], transB=1)  # (B, V)
    for name in ("hidden_out", "cell_out") if L > 1 else ():
        yield make_node("Concat", parts[name], [name], axis=0)
