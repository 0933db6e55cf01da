"""What someone else could make of a valid file: hypothesis strategies, and traps for readers.

Which files are made of them, and what is done with those, is the business of ``tests.fuzzing``.
"""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save

from charlstm.training.checkpoint import METADATA_KEY, digest

Draw = Callable[[st.SearchStrategy[Any]], Any]

# In JSON what json.dumps would not write: depth, and numbers beyond all types.
RAW = {
    "@deep@": "[" * 50_000 + "]" * 50_000,
    "@deep objects@": '{"a":' * 50_000 + "0" + "}" * 50_000,
    "@many@": "[" + "[]," * 50_000 + "0]",
    "@digits@": "9" * 5000,
    "@1e999@": "1e999",
}
NUMBERS = [0, 1, -1, 2, 255, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 64, 10**400, 0.5, -0.0, 1e308]
NAMES = ["\x1b[31m", "\u202e", "\x9b", "a\nb", "\0", "..", "/dev/zero", "-", "", "x" * 5000]
plain = (
    st.sampled_from([*NUMBERS, None, True, False, float("nan"), float("inf"), *NAMES, *RAW])
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=8)
)
anything = st.recursive(
    plain,
    lambda part: (
        st.lists(part, max_size=3)
        | st.dictionaries(st.text(st.characters(), max_size=4), part, max_size=3)
    ),
    max_leaves=6,
)


def dumped(value: Any) -> bytes:
    """JSON, with the strings that stand for absurd JSON replaced by it."""
    text = json.dumps(value)
    for name, raw in RAW.items():
        text = text.replace(f'"{name}"', raw)
    return text.encode()


def paths(value: Any) -> list[tuple[Any, ...]]:
    """The way to every node of a nest of dicts and lists; to the whole first."""
    parts: Any = ()
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list | tuple):
        parts = enumerate(value)
    return [(), *((key, *rest) for key, part in parts for rest in paths(part))]


def with_node(value: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    """A copy in which the node at ``path`` is what ``change`` makes of it."""
    if not path:
        return change(value)
    changed = copy.copy(value) if not isinstance(value, tuple) else list(value)
    changed[path[0]] = with_node(value[path[0]], path[1:], change)
    return tuple(changed) if isinstance(value, tuple) else changed


@st.composite
def nested(draw: Draw, value: Any, parts: st.SearchStrategy[Any] = anything) -> Any:
    """``value`` with one or two nodes replaced, left out, or joined by another."""
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(paths(value)))
        part, how = draw(parts), draw(st.sampled_from(["replace", "replace", "drop", "add"]))

        def change(node: Any, part: Any = part, how: str = how) -> Any:
            if isinstance(node, dict) and node and how == "drop":
                return {k: v for k, v in node.items() if k != next(iter(node))}
            if isinstance(node, dict) and how == "add":
                return {**node, "added": part}
            if isinstance(node, list) and how != "replace":
                return node[1:] if how == "drop" else [*node, part]
            return part

        value = with_node(value, path, change)
    return value


def like(node: Any) -> st.SearchStrategy[Any]:
    """Another value of the same type, and for a tensor of the same shape."""
    match node:
        case bool():
            return st.booleans()
        case int():
            return st.integers(0, 40) | st.sampled_from([n for n in NUMBERS if isinstance(n, int)])
        case float():
            return st.floats(0, 1) | st.floats()
        case str():
            return st.text(max_size=8) | st.sampled_from([*NAMES, "cpu", "cuda", "auto", "fp32"])
        case torch.Tensor():
            values = [0.0, -1.0, 1e-45, 3e38, torch.inf, torch.nan]
            numbers = values if node.is_floating_point() else [0, 1, 255]
            return st.sampled_from([torch.full_like(node, number) for number in numbers])
        case dict() | list() | tuple():
            return st.just(type(node)())
    return plain


@st.composite
def tweaked(draw: Draw, value: Any) -> Any:
    """``value`` with one to three nodes replaced by others of the same kind."""
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(paths(value)))
        value = with_node(value, path, lambda node: draw(like(node)))
    return value


@st.composite
def damaged(draw: Draw, sound: bytes) -> bytes:
    """``sound`` with a few bytes flipped, left out, put in, doubled, or made a strange length."""
    data = bytearray(sound)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        at = at if draw(st.booleans()) else len(data) - at
        size = draw(st.integers(1, 40))
        match draw(st.sampled_from(["flip", "cut", "drop", "insert", "double", "length"])):
            case "flip" if at < len(data):
                data[at] ^= draw(st.integers(1, 255))
            case "cut":
                del data[at:]
            case "drop":
                del data[at : at + size]
            case "insert":
                data[at:at] = draw(st.binary(max_size=size))
            case "double":
                data[at:at] = data[at : at + size]
            case "length":
                width = draw(st.sampled_from([1, 2, 4, 8]))
                number = draw(st.sampled_from([0, 1, 127, 1 << 31, 1 << 32, 1 << 63, -1]))
                data[at : at + width] = (number % (1 << 8 * width)).to_bytes(width, "little")
    return bytes(data)


SUMMARY = st.dictionaries(st.text(st.characters(), max_size=9), plain, max_size=9)


def read_state(path: Path) -> dict[str, Any]:
    """The parts of a training state: what its header holds, and its ``tensors``."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        header = json.loads(file.metadata()[METADATA_KEY])
    del header["tensors_sha256"]
    return {**header, "tensors": tensors}


def state_bytes(state: dict[str, Any]) -> bytes:
    """A training state of any parts, with the right SHA-256 of its tensors unless it has one."""
    values = {n: t.reshape(-1).view(torch.uint8).numpy() for n, t in state["tensors"].items()}
    header = {"tensors_sha256": digest(values), **state}
    del header["tensors"]
    own = {name: tensor.clone() for name, tensor in state["tensors"].items()}  # none is shared
    return save(own, metadata={METADATA_KEY: dumped(header).decode()})
