"""The state of a text as a file: the text goes on as if it had not been interrupted."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from charlstm.errors import StateError
from charlstm.generation.sampling import Sampling
from charlstm.generation.saved_state import (
    METADATA_KEY,
    check_target,
    fingerprint,
    load_state,
    save_state,
)
from charlstm.model.model_file import save_model

from .writing import generate, make_model

MODEL = make_model("abcdefgh\n")
SAMPLING = Sampling(repetition_penalty=1.5, repetition_window=5)
SOUND = {"format": 1, "model": fingerprint(MODEL), "characters": 33, "generated": 30}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A state after 30 characters."""
    text = generate(MODEL, "abc", random_seed=1, length=30, sampling=SAMPLING)
    list(text)
    save_state(text.state(), tmp_path / "state", MODEL)
    return tmp_path / "state"


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 60))
def test_two_halves_are_the_whole(tmp_path_factory: Any, first: int, second: int) -> None:
    """Draws, penalty and network go on where they were, through the file."""
    path = tmp_path_factory.mktemp("state") / "state"
    whole = "".join(generate(MODEL, "abc", random_seed=1, length=first + second, sampling=SAMPLING))
    begun = generate(MODEL, "abc", random_seed=1, length=first, sampling=SAMPLING)
    beginning = "".join(begun)
    save_state(begun.state(), path, MODEL)
    state = load_state(path, MODEL)
    assert state.characters == 3 + first
    going_on = generate(MODEL, state=state, length=second, sampling=SAMPLING)
    assert beginning + "".join(going_on) == whole


@pytest.mark.parametrize("phrase", ["", "hag"])
@pytest.mark.parametrize("first_stop", [[], ["same"], ["zz"]])
def test_a_stop_text_may_begin_before_the_state(
    tmp_path: Path, first_stop: list[str], phrase: str
) -> None:
    """Wherever the text is cut; not before a seed phrase that was read in between."""
    how: dict[str, Any] = {"random_seed": 1, "sampling": SAMPLING}
    whole = "".join(generate(MODEL, "abc", length=200, **how))
    stop = whole[120:126]
    assert whole.find(stop) == 120
    for cut in range(119, 126):
        stops = [stop if text == "same" else text for text in first_stop]
        begun = generate(MODEL, "abc", length=cut, stop=stops, **how)
        beginning = "".join(begun)
        save_state(begun.state(), tmp_path / "state", MODEL)
        state = load_state(tmp_path / "state", MODEL)
        going_on = generate(MODEL, phrase, state=state, length=50, stop=[stop], sampling=SAMPLING)
        written = "".join(going_on)
        if phrase:
            assert stop not in written
        else:
            assert (going_on.end, beginning + written) == ("stop", whole[: max(cut, 120)])


def test_what_follows_a_stop_text_begins_anew(tmp_path: Path) -> None:
    """Its last characters do not count as the beginning of another."""
    how: dict[str, Any] = {"stop": ["aa"], "sampling": Sampling(banned=tuple(range(1, 9)))}
    begun = generate(MODEL, random_seed=1, length=9, **how)
    assert ("".join(begun), begun.end) == ("", "stop")
    save_state(begun.state(), tmp_path / "state", MODEL)
    going_on = generate(MODEL, state=load_state(tmp_path / "state", MODEL), length=1, **how)
    assert ("".join(going_on), going_on.end) == ("a", "length")


def test_the_penalty_looks_no_further_back_than_it_was_told() -> None:
    """Though more is remembered for a long stop text."""
    how: dict[str, Any] = {"random_seed": 1, "length": 60, "sampling": SAMPLING}
    plain = "".join(generate(MODEL, "abc", **how))
    assert "".join(generate(MODEL, "abc", stop=["z" * 40], **how)) == plain


def test_a_phrase_is_read_after_a_state(saved: Path) -> None:
    """And a new random seed begins a new sequence."""
    state = load_state(saved, MODEL)
    text = "".join(generate(MODEL, "abc", random_seed=1, length=30, sampling=SAMPLING))
    one = generate(MODEL, "hag", state=state, random_seed=7, length=20, sampling=SAMPLING)
    two = generate(MODEL, "abc" + text + "hag", random_seed=7, length=20, sampling=SAMPLING)
    assert "".join(one) == "".join(two)


def test_equal_states_give_equal_bytes(saved: Path) -> None:
    """And the mode is that of any file."""
    before = saved.read_bytes()
    save_state(load_state(saved, MODEL), saved, MODEL)
    assert saved.read_bytes() == before
    umask = os.umask(0)
    os.umask(umask)
    assert saved.stat().st_mode & 0o777 == 0o666 & ~umask


def test_the_fingerprint_is_of_weights_and_characters() -> None:
    """Any other weight, any other letter gives another."""
    others = [make_model("abcdefgh\n", seed=1), make_model("abcdefgi\n")]
    assert len({fingerprint(MODEL), *map(fingerprint, others)}) == 3
    assert fingerprint(replace(MODEL, training={"steps": 1})) == fingerprint(MODEL)


def changed(path: Path, **tensors: np.ndarray | None) -> None:
    """Write the file again with other tensors."""
    description = json.dumps(SOUND)
    all_of_them = {**load_file(path), **tensors}
    kept = {name: tensor for name, tensor in all_of_them.items() if tensor is not None}
    save_file(kept, path, metadata={METADATA_KEY: description})


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"hidden": np.full((2, 8), np.nan, np.float32)}, "holds values"),
        ({"cell": np.full((2, 8), np.inf, np.float32)}, "holds values"),
        ({"features": np.full(8, np.nan, np.float32)}, "holds values"),
        ({"hidden": np.zeros((2, 9), np.float32)}, "hidden is F32 of shape (2, 9)"),
        ({"hidden": np.zeros((2, 8), np.float64)}, "hidden is F64"),
        ({"cell": None}, "cell"),
        ({"recent": np.array([9], np.uint32)}, "beyond the vocabulary"),
        ({"recent": np.zeros(70_000, np.uint32)}, "too long"),
        ({"recent": np.zeros((1, 1), np.uint32)}, "recent is U32 of shape"),
        ({"random": np.ones(624, np.uint32)}, "random is U32"),
        ({"random": np.full(625, 2**32 - 1, np.uint32)}, "no state of the generator"),
        ({"random": np.zeros(625, np.uint32)}, "no state of the generator"),
    ],
)
def test_tensors_that_cannot_be_are_refused(
    saved: Path, tensors: dict[str, np.ndarray | None], said: str
) -> None:
    """With the name of what is wrong."""
    changed(saved, **tensors)
    with pytest.raises(StateError, match=r"state: not a valid") as caught:
        load_state(saved, MODEL)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ({"format": 2}, "format 2"),
        ({"format": 1, "model": "0" * 64, "characters": 1}, "of another model"),
        ({**SOUND, "characters": -1}, "characters is -1"),
        ({**SOUND, "characters": 5}, "generated is 30"),
        ({"format": 1, "model": fingerprint(MODEL)}, "no 'characters'"),
        ({}, "no 'format'"),
    ],
)
def test_descriptions_that_cannot_be_are_refused(
    saved: Path, description: dict[str, Any], said: str
) -> None:
    """Among them those of another model and of another time."""
    save_file(load_file(saved), saved, metadata={METADATA_KEY: json.dumps(description)})
    with pytest.raises(StateError) as caught:
        load_state(saved, MODEL)
    assert said in str(caught.value)


def test_files_that_are_none_of_ours(saved: Path, tmp_path: Path) -> None:
    """Absent, empty, cut short, of another kind, a directory, a pipe, links to such."""
    data = saved.read_bytes()
    (tmp_path / "empty").touch()
    (tmp_path / "cut").write_bytes(data[:-9])
    (tmp_path / "long").write_bytes((1 << 40).to_bytes(8, "little") + data)
    (tmp_path / "text").write_text("to be or not to be")
    save_model(MODEL, tmp_path / "model")
    (tmp_path / "link").symlink_to("text")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dir").mkdir()
    os.mkfifo(tmp_path / "fifo")
    for name in ("absent", "empty", "cut", "long", "text", "model", "link", "loop", "dir", "fifo"):
        with pytest.raises(StateError, match=f"{name}: "):
            load_state(tmp_path / name, MODEL)
    for name in ("text", "model", "link", "loop", "dir", "fifo", "none/file"):
        with pytest.raises(StateError, match=name):
            check_target(tmp_path / name)
    for name in ("absent", "empty", "state"):
        check_target(tmp_path / name)


@settings(deadline=None)
@given(st.integers(0, 3600), st.binary(min_size=1, max_size=9))
def test_a_damaged_file_is_refused_or_harmless(
    tmp_path_factory: Any, offset: int, data: bytes
) -> None:
    """Whatever bytes are changed: a StateError, or a state to go on from; nothing else."""
    path = tmp_path_factory.mktemp("state") / "state"
    text = generate(MODEL, "abc", random_seed=1, length=3)
    list(text)
    save_state(text.state(), path, MODEL)
    sound = path.read_bytes()
    path.write_bytes(sound[:offset] + data + sound[offset + len(data) :])
    try:
        state = load_state(path, MODEL)
    except StateError:
        return
    assert len("".join(generate(MODEL, state=state, length=5))) == 5


def test_a_link_that_is_named_is_followed(tmp_path: Path) -> None:
    """The state is read from, and written to, the file that it leads to; the link stays one."""
    (tmp_path / "elsewhere").mkdir()
    link, target = tmp_path / "link", tmp_path / "elsewhere/state"
    link.symlink_to("elsewhere/state")
    first = generate(MODEL, random_seed=1, length=9)
    "".join(first)
    check_target(link)
    save_state(first.state(), link, MODEL)
    assert link.is_symlink()
    saved = target.read_bytes()
    assert [path.name for path in target.parent.iterdir()] == ["state"]
    second = generate(MODEL, random_seed=None, length=9, state=load_state(link, MODEL))
    "".join(second)
    check_target(link)
    save_state(second.state(), link, MODEL)
    assert link.is_symlink()
    assert target.read_bytes() != saved
