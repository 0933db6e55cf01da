"""Resume through the library: from any saved state to the same weights; bad states refused."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from charlstm.checkpoint import load_model
from charlstm.config import TextOptions
from charlstm.dataset import load_dataset
from charlstm.errors import CharLSTMError, CorpusError, ModelFileError, TrainingError
from charlstm.training import loop
from charlstm.training.config import Settings
from charlstm.training.events import Evaluation, Event, Finished, Started, Step
from charlstm.training.run import resume, train

SETTINGS = Settings(
    steps=30, eval_every=7, hidden_size=12, embedding_size=4, dropout=0.3, device="cpu", threads=1
)


def begin(play: Path, run: Path) -> Iterator[Event]:
    return train(load_dataset([str(play)], TextOptions()), SETTINGS, places=[str(play)], output=run)


def weights_of(run: Path) -> dict[str, Any]:
    return {name: w.tolist() for name, w in load_model(run / "model.safetensors").weights.items()}


@pytest.fixture(scope="module")
def whole(play: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody stopped."""
    run = tmp_path_factory.mktemp("whole") / "run"
    assert isinstance(list(begin(play, run))[-1], Finished)
    return run


@pytest.fixture
def cut(play: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that vanished after 20 steps, as if by a power cut, its state saved at every step."""
    monkeypatch.setattr(loop, "SAVE_SECONDS", 0.0)
    for event in begin(play, tmp_path / "run"):
        if isinstance(event, Step) and event.step == 20:
            break
    return tmp_path / "run"


def test_events_come_in_order(whole: Path, play: Path, tmp_path: Path) -> None:
    """Started, one event a step, Finished."""
    first, *steps, last = begin(play, tmp_path / "run")
    assert isinstance(first, Started)
    assert isinstance(last, Finished)
    assert [event.step for event in steps if isinstance(event, Step | Evaluation)] == [
        *range(1, 31)
    ]
    assert weights_of(tmp_path / "run") == weights_of(whole)


def test_a_run_that_vanished_goes_on_from_its_last_state(whole: Path, cut: Path) -> None:
    """Same weights, same metrics, though lines were written after the state was."""
    state = torch.load(cut / "state.pt", weights_only=True)
    assert state["learner"]["steps_done"] == 19
    with (cut / "metrics.jsonl").open("a") as file:
        file.write('{"step": 29, "loss": 1.0}\n{"step": 30, "lo')
    assert isinstance(list(resume(cut))[-1], Finished)
    assert weights_of(cut) == weights_of(whole)
    lines = [
        [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        for run in (whole, cut)
    ]
    for key in ("step", "loss", "val_loss"):
        assert [line.get(key) for line in lines[0]] == [line.get(key) for line in lines[1]]


def test_a_run_goes_on_only_with_its_own_text(cut: Path, play: Path, tmp_path: Path) -> None:
    """Another text is refused; the same one in another place is as good."""
    other = tmp_path / "other.txt"
    other.write_text(play.read_text() + "x")
    with pytest.raises(CorpusError, match="not the text this run began with"):
        list(resume(cut, places=[str(other)]))
    other.write_text(play.read_text())
    assert isinstance(list(resume(cut, places=[str(other)]))[-1], Finished)


def test_a_model_that_was_removed_is_made_again(cut: Path) -> None:
    """What the run says it kept is there."""
    (cut / "model.safetensors").unlink()
    finished = list(resume(cut))[-1]
    assert isinstance(finished, Finished)
    assert load_model(finished.model).training["steps"] == finished.best_step


def test_weights_that_broke_never_replace_the_kept_model(play: Path, tmp_path: Path) -> None:
    """A validation loss of nan ends the run, and the best model before it stays."""
    events = begin(play, tmp_path / "run")
    for event in events:
        if isinstance(event, Evaluation):
            break
    kept = (tmp_path / "run/model.safetensors").read_bytes()
    frame = events.gi_frame.f_locals  # type: ignore[attr-defined]
    with torch.no_grad():
        frame["run"].learner.model.output.bias[0] = torch.nan
    with pytest.raises(TrainingError, match="nan"):
        list(events)
    assert (tmp_path / "run/model.safetensors").read_bytes() == kept


CHANGES: list[tuple[str, Any]] = [
    ("fingerprint", {}),
    ("config", {}),
    ("text", {"x": 1}),
    ("places", 7),
    ("learner", {}),
    ("means", []),
]


@pytest.mark.parametrize(("key", "value"), CHANGES, ids=[key for key, _ in CHANGES])
def test_a_state_with_a_part_that_is_none_is_refused(cut: Path, key: str, value: Any) -> None:
    """In one line, before anything is changed."""
    state = torch.load(cut / "state.pt", weights_only=True)
    torch.save({**state, key: value}, cut / "state.pt")
    with pytest.raises(CharLSTMError, match=r"state\.pt"):
        list(resume(cut))


@pytest.mark.parametrize(
    "change", [{"hidden_size": 1 << 15}, {"num_layers": 1 << 9}, {"vocab_size": 10**9}]
)
def test_a_state_that_promises_other_sizes_is_refused(cut: Path, change: dict[str, int]) -> None:
    """Before memory is asked for."""
    state = torch.load(cut / "state.pt", weights_only=True)
    changed = copy.deepcopy(state)
    changed["config"]["model"].update(change)
    torch.save(changed, cut / "state.pt")
    with pytest.raises(TrainingError, match="other sizes"):
        list(resume(cut))


@pytest.mark.parametrize("keep", [0, 10, 1000, 5000])
def test_a_state_cut_short_is_refused(cut: Path, keep: int) -> None:
    """The model beside it can still be used."""
    data = (cut / "state.pt").read_bytes()
    (cut / "state.pt").write_bytes(data[:keep])
    with pytest.raises(TrainingError, match="can still be used"):
        list(resume(cut))
    try:
        load_model(cut / "model.safetensors")
    except ModelFileError:
        pytest.fail("the model was harmed")


def test_no_pickle_is_executed(cut: Path, tmp_path: Path) -> None:
    """A state that would run a command when unpickled is refused unread."""

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"format": 1, "trap": Trap()}, cut / "state.pt")
    with pytest.raises(TrainingError):
        list(resume(cut))
    assert not (tmp_path / "sprung").exists()
