"""The model file: round trips, equal bytes, and refusal of whatever is not sound."""

import json
import os
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from charlstm.errors import ModelFileError
from charlstm.model.model_file import METADATA_KEY, load_model, save_model
from charlstm.text.passages import MOST

from .writing import make_model


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound model file."""
    save_model(make_model("ab\n"), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def rewrite(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    """Change a model file's header and tensors, keeping it a valid safetensors file."""
    tensors = load_file(path)
    (size,) = struct.unpack("<Q", path.read_bytes()[:8])
    header = json.loads(json.loads(path.read_bytes()[8 : 8 + size])["__metadata__"][METADATA_KEY])
    change(header, tensors)
    path.write_bytes(save(tensors, metadata={METADATA_KEY: json.dumps(header)}))


def test_a_model_comes_back_as_it_was(path: Path) -> None:
    """Weights to the bit, and every word about it."""
    model, back = make_model("ab\n"), load_model(path)
    assert back.describe() == model.describe()
    assert back.weights.keys() == model.weights.keys()
    for name, weight in model.weights.items():
        assert np.array_equal(back.weights[name], weight)
    assert len(back.passages) == 0


def test_what_a_model_has_read_comes_back(path: Path) -> None:
    """The hashes of its passages are no weights."""
    passages = np.arange(5, dtype=np.uint64)
    save_model(replace(make_model("ab\n"), passages=passages), path)
    assert load_model(path).passages.tolist() == passages.tolist()
    assert "passages" not in load_model(path).weights


def test_equal_models_give_equal_bytes(path: Path, tmp_path: Path) -> None:
    """No dates, no order of chance."""
    save_model(make_model("ab\n"), tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_half_precision_is_read(path: Path) -> None:
    """A file of float16 weights is used as float32."""

    def halve(header: dict[str, Any], tensors: dict[str, Any]) -> None:
        tensors.update({name: w.astype(np.float16) for name, w in tensors.items()})

    rewrite(path, halve)
    assert {w.dtype.name for w in load_model(path).weights.values()} == {"float32"}


def test_saving_over_a_model_never_shows_half_of_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the disk fails before the new file is whole, the old one stands and no other is left."""
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        save_model(make_model("ab\n", seed=1), path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_the_file_mode_follows_the_umask(path: Path) -> None:
    """A model can be read by whoever could read any new file."""
    plain = path.parent / "plain"
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode


def set_key(part: str, key: str | None, value: Any) -> Callable[[dict[str, Any], Any], None]:
    def change(header: dict[str, Any], tensors: Any) -> None:
        if key is None:
            header[part] = value
        else:
            header[part][key] = value

    return change


def without(part: str) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def change(header: dict[str, Any], tensors: dict[str, Any]) -> None:
        del (header if part in header else tensors)[part]

    return change


def tensor(name: str, value: Any) -> Callable[[Any, dict[str, Any]], None]:
    return lambda header, tensors: tensors.update({name: value})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (set_key("format", None, 2), "format 2"),
        (set_key("format", None, "x"), "format 'x'"),
        (set_key("vocabulary", None, "abc\n"), "4 characters"),
        (set_key("vocabulary", None, "aab"), "twice"),
        (set_key("vocabulary", None, "a\ud800b"), "surrogates"),
        (set_key("vocabulary", None, 7), "not a text"),
        (set_key("vocabulary", None, ["a", "b", "c"]), "not a text"),
        (set_key("model", "num_layers", 10**9), "num_layers is 1000000000"),
        (set_key("model", "hidden_size", 10**9), "hidden_size is 1000000000"),
        (set_key("model", "hidden_size", "8"), "hidden_size"),
        (set_key("model", "dropout", 1.0), "dropout"),
        (set_key("model", "extra", 1), "extra"),
        (set_key("training", None, []), "training"),
        (set_key("training", "options", {"depth": 2}), "training"),
        (set_key("training", None, dict.fromkeys(map(str, range(2000)), 0)), "training"),
        (set_key("training", "val_loss", float("nan")), "not JSON compliant"),
        (set_key("training", "\ud800", 1), "surrogates"),
        (set_key("command", None, "charlstm \ud800"), "surrogates"),
        (set_key("model", "dropout", 10**400), "dropout is 1000"),
        (set_key("model", "hidden_size", 10**4000), "..."),
        (set_key("format", None, "x" * 10**6), "..."),
        (set_key("text", "encoding", "x" * 10**6), "..."),
        (set_key("vocabulary", None, "ab" * 0x110000), "is twice in the vocabulary"),
        (set_key("training", None, [[]] * 300_000), "more than 262,144"),
        (set_key("corpus", None, {}), "not a valid model file"),
        (set_key("text", "encoding", "hex"), "hex"),
        (without("vocabulary"), "no 'vocabulary'"),
        (without("output.bias"), "10 tensors"),
        (tensor("output.bias", np.zeros(4, np.float32)), "shape"),
        (tensor("output.bias", np.zeros(3, np.int32)), "type I32"),
        (tensor("output.bias", np.array([0, np.nan, 0], np.float32)), "not finite"),
        (tensor("output.extra", np.zeros(3, np.float32)), "12 tensors"),
        (tensor("passages", np.zeros(3, np.float32)), "passages is F32 of shape (3,)"),
        (tensor("passages", np.zeros((1, 3), np.uint64)), "passages is U64 of shape (1, 3)"),
        (tensor("passages", np.arange(MOST + 1, dtype=np.uint64)), "passages is U64 of shape"),
        (tensor("passages", np.array([2, 1], np.uint64)), "passages do not rise"),
    ],
)
def test_a_file_that_is_not_sound_is_refused(path: Path, change: Any, said: str) -> None:
    """In one line that names the file and the fault."""
    rewrite(path, change)
    with pytest.raises(ModelFileError) as caught:
        load_model(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def with_header(header: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header


def metadata(text: bytes) -> bytes:
    return json.dumps({"__metadata__": {METADATA_KEY: text.decode()}}).encode()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda data: b"", "empty"),
        (lambda data: data[:-10], "cut short"),
        (lambda data: data[:100], "cut short"),
        (lambda data: b"PK\x03\x04" + data, "a zip archive"),
        (lambda data: struct.pack("<Q", 1 << 60) + data[8:], "not a valid model file"),
        (lambda data: struct.pack("<Q", (16 << 20) + 1) + bytes(17 << 20), "header of 16,777,217"),
        (lambda data: with_header(b"[" * 300_000), "more than 262,144"),
        (lambda data: with_header(metadata(b'{"format": 1e999}')), "not JSON compliant"),
        (lambda data: with_header(metadata(b"9" * 5000)), "digits"),
        (lambda data: with_header(metadata(b"[" * 100_000)), "nested too deeply"),
        (lambda data: with_header(metadata(b"[1]")), "not a JSON object"),
        (lambda data: save({"w": np.zeros(2)}), "another program"),
    ],
)
def test_a_file_that_is_no_model_is_refused(
    path: Path, spoil: Callable[[bytes], bytes], said: str
) -> None:
    """Empty, cut short, of another program."""
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ModelFileError, match=said):
        load_model(path)


def test_a_missing_file_or_a_directory_is_refused(tmp_path: Path) -> None:
    """With its name."""
    with pytest.raises(ModelFileError, match="no such model file"):
        load_model(tmp_path / "absent")
    with pytest.raises(ModelFileError, match=r"cannot be read"):
        load_model(tmp_path)


def test_describe_does_not_share_the_model(path: Path) -> None:
    """A card can be changed without changing the model."""
    model = load_model(path)
    card = model.describe()
    card["model"]["hidden_size"] = 5
    assert model.config.hidden_size == 8


def test_only_a_regular_file_is_opened(path: Path) -> None:
    """A pipe that nobody writes to and a device are refused, not waited for."""
    os.mkfifo(path.parent / "pipe")
    for place in (path.parent / "pipe", Path("/dev/zero")):
        with pytest.raises(ModelFileError, match="is a pipe or a device"):
            load_model(place)


def test_a_link_that_was_named_is_followed(path: Path) -> None:
    """Whoever names a file knows it; one that leads to a device is refused."""
    (path.parent / "link").symlink_to(path)
    assert load_model(path.parent / "link").describe() == load_model(path).describe()
    (path.parent / "zero").symlink_to("/dev/zero")
    with pytest.raises(ModelFileError, match="is a pipe or a device"):
        load_model(path.parent / "zero")
