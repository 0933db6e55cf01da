"""Resume through the library: from any saved state to the same weights; bad states refused."""

import copy
import json
import math
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from charlstm.checkpoint import load_model
from charlstm.config import TextOptions
from charlstm.corpus import open_corpus
from charlstm.dataset import load_dataset, write_dataset
from charlstm.errors import (
    CharLSTMError,
    CorpusError,
    ModelFileError,
    OptionError,
    TrainingError,
)
from charlstm.training import loop
from charlstm.training.config import Settings
from charlstm.training.events import Evaluation, Event, Finished, Mended, Started, Step
from charlstm.training.learner import Learner
from charlstm.training.resume import resume
from charlstm.training.run import train

SETTINGS = Settings(
    steps=30,
    eval_every=7,
    hidden_size=12,
    embedding_size=4,
    dropout=0.3,
    device="cpu",
    threads=1,
    save_every=0.0,
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
def cut(play: Path, tmp_path: Path) -> Path:
    """A run that vanished after 20 steps, as if by a power cut, its state saved at every step."""
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


def learner_of(events: Iterator[Event]) -> Learner:
    """The learner inside a run that is going on."""
    run: loop.Run = events.gi_frame.f_locals["run"]  # type: ignore[attr-defined]
    return run.learner


def test_weights_that_broke_are_rolled_back(play: Path, tmp_path: Path) -> None:
    """The run says so, goes on at a lower rate from sound weights, and ends with a model."""
    events = begin(play, tmp_path / "run")
    seen: list[Event] = []
    for event in events:
        seen.append(event)
        if isinstance(event, Evaluation) and event.step == 7:
            with torch.no_grad():
                learner_of(events).model.output.bias[0] = torch.nan
    mended = [event for event in seen if isinstance(event, Mended) and event.rolled_back]
    assert len(mended) == 1
    assert mended[0].skipped >= 1
    assert isinstance(seen[-1], Finished)
    assert seen[-1].val_loss is not None
    assert seen[-1].best_step > 7
    steps = [event.step for event in seen if isinstance(event, Step | Evaluation)]
    assert steps == [*range(1, 31)]


def test_a_rate_beyond_all_bounds_ends_in_an_error(play: Path, tmp_path: Path) -> None:
    """Not before it was lowered a few times; the model kept before stays."""
    dataset = load_dataset([str(play)], TextOptions())
    settings = replace(SETTINGS, steps=100)
    events = train(dataset, settings, places=[str(play)], output=tmp_path / "run")
    next(event for event in events if isinstance(event, Evaluation))
    kept = (tmp_path / "run/model.safetensors").read_bytes()

    def break_weights_for_ever() -> None:
        for _ in events:
            with torch.no_grad():
                learner_of(events).model.output.bias[0] = torch.nan

    with pytest.raises(TrainingError, match="lower --learning-rate"):
        break_weights_for_ever()
    assert (tmp_path / "run/model.safetensors").read_bytes() == kept


def test_a_step_that_was_skipped_is_said(play: Path, tmp_path: Path) -> None:
    """Once in a while is no reason to roll back."""
    dataset = load_dataset([str(play)], TextOptions())
    settings = replace(SETTINGS, steps=400, eval_every=400)
    events = train(dataset, settings, places=[str(play)], output=tmp_path / "run")
    mended, poisoned = [], False
    for event in events:
        if isinstance(event, Step) and event.step >= 100 and not poisoned:
            learner = learner_of(events)
            poisoned = not learner.lanes.starts(event.step)
            learner.carried[0][0][:] = torch.inf
        if isinstance(event, Mended):
            mended.append(event)
    assert [(m.skipped, m.rolled_back) for m in mended] == [(1, False)]


def test_patience_ends_a_run(play: Path, tmp_path: Path) -> None:
    """After as many evaluations without a better one; it is then complete."""
    dataset = load_dataset([str(play)], TextOptions())
    settings = replace(SETTINGS, steps=4000, eval_every=20, patience=2, learning_rate=0.05)
    *events, last = train(dataset, settings, places=[str(play)], output=tmp_path / "run")
    assert isinstance(last, Finished)
    assert last.impatient
    assert not last.stopped
    evaluations = [event for event in events if isinstance(event, Evaluation)]
    assert [event.best for event in evaluations[-3:]] == [True, False, False]
    assert last.best_step == evaluations[-3].step
    assert last.step < 4000
    with pytest.raises(TrainingError, match="out of patience"):
        list(resume(tmp_path / "run"))


def test_a_dataset_of_other_characters_is_refused(cut: Path, play: Path, tmp_path: Path) -> None:
    """Its text has the same fingerprint, but its ids mean something else."""
    write_dataset(open_corpus([str(play)], TextOptions(min_count=10)), tmp_path / "data")
    with pytest.raises(CorpusError, match="read with other options"):
        list(resume(cut, places=[str(tmp_path / "data")]))


@pytest.mark.parametrize(
    ("more", "steps"), [({"steps": 45}, 45), ({"epochs": 12.0}, 48), ({"steps": 25}, 25)]
)
def test_a_run_can_be_given_another_length(cut: Path, more: dict[str, Any], steps: int) -> None:
    """The length is that of the whole run; the card says at which step it was given."""
    started, *_, finished = resume(cut, Settings(**more))
    assert isinstance(started, Started)
    assert isinstance(finished, Finished)
    assert started.config.steps == steps
    assert finished.step == steps
    lines = [json.loads(line) for line in (cut / "metrics.jsonl").read_text().splitlines()]
    found = [line["step"] for line in lines]
    assert found == [*range(1, steps + 1)]
    assert f"steps = {steps}\n" in (cut / "config.toml").read_text()
    summary = load_model(cut / "model.safetensors").training
    assert summary["planned_steps"] == steps
    assert summary["lengthened_at"] == "19"


def test_a_complete_run_can_be_given_more_time(play: Path, tmp_path: Path) -> None:
    """It goes on for what is left of the time; the best model of before stays until beaten."""
    run = tmp_path / "run"
    list(begin(play, run))
    with pytest.raises(TrainingError, match="or train it longer"):
        list(resume(run))
    with pytest.raises(OptionError, match="has taken"):
        list(resume(run, Settings(time=0.01)))
    with pytest.raises(OptionError, match="has done 30"):
        list(resume(run, Settings(steps=30)))
    before = torch.load(run / "state.pt", weights_only=True)["books"]
    finished = list(resume(run, Settings(time=before["seconds"] + 2)))[-1]
    assert isinstance(finished, Finished)
    assert finished.step > 30
    assert finished.seconds > before["seconds"]
    assert finished.val_loss is not None
    assert finished.val_loss <= before["best_loss"]


def test_a_longer_run_is_the_same_however_often_it_is_stopped(cut: Path, tmp_path: Path) -> None:
    """The new length counts from the moment it is given, also where the run dies at once."""
    other = tmp_path / "other"
    shutil.copytree(cut, other)
    list(resume(cut, Settings(steps=45)))
    for event in resume(other, Settings(steps=45)):
        if isinstance(event, Step):
            break
    assert isinstance(list(resume(other))[-1], Finished)
    assert weights_of(other) == weights_of(cut)


def test_what_was_settled_cannot_change(cut: Path) -> None:
    """Sizes, rates and the like are those that the run began with."""
    with pytest.raises(OptionError, match="hidden size cannot change"):
        list(resume(cut, Settings(hidden_size=5)))


def test_another_environment_is_allowed_and_said(cut: Path) -> None:
    """Threads, precision, torch and processor: the run goes on, and promises no bits."""
    state = torch.load(cut / "state.pt", weights_only=True)
    state["environment"].update(torch="1.0", processor="abacus")
    torch.save(state, cut / "state.pt")
    other = "fp32" if state["config"]["precision"] == "bf16" else "bf16"
    started, *_, finished = resume(cut, Settings(threads=2, precision=other))
    assert isinstance(started, Started)
    assert started.changes == (
        f"torch 1.0 -> {torch.__version__}",
        "another processor",
        f"precision {state['config']['precision']} -> {other}",
        "threads 1 -> 2",
    )
    assert isinstance(finished, Finished)


def test_the_same_environment_is_not_remarked_on(cut: Path) -> None:
    """Nothing is said where nothing changed."""
    started = next(resume(cut))
    assert isinstance(started, Started)
    assert started.changes == ()


def test_a_device_that_is_gone_is_replaced(cut: Path) -> None:
    """A run of a GPU goes on where there is none."""
    state = torch.load(cut / "state.pt", weights_only=True)
    gone = "cuda" if not torch.cuda.is_available() else "mps"
    state["config"]["device"] = state["environment"]["device"] = gone
    torch.save(state, cut / "state.pt")
    started, *_, finished = resume(cut)
    assert isinstance(started, Started)
    assert f"device {gone} -> {started.config.device}" in started.changes
    assert isinstance(finished, Finished)


def test_a_text_from_a_pipe_must_be_given_again(cut: Path, play: Path) -> None:
    """Whoever resumes is not left waiting at a terminal."""
    state = torch.load(cut / "state.pt", weights_only=True)
    state["places"] = state["places_given"] = ["-"]
    torch.save(state, cut / "state.pt")
    with pytest.raises(CorpusError, match="give it again"):
        list(resume(cut))
    assert isinstance(list(resume(cut, places=[str(play)]))[-1], Finished)


def test_a_run_has_a_state_from_its_first_moment(play: Path, tmp_path: Path, whole: Path) -> None:
    """One that dies before its first step can be resumed."""
    events = begin(play, tmp_path / "run")
    assert isinstance(next(events), Started)
    events.close()
    assert isinstance(list(resume(tmp_path / "run"))[-1], Finished)
    assert weights_of(tmp_path / "run") == weights_of(whole)


@pytest.mark.parametrize("end", ["", "\n", '{"step": 20', '{"step": 3}', "[" * 9999, "\0" * 99999])
def test_metrics_that_a_crash_cut_short(cut: Path, whole: Path, end: str) -> None:
    """Whatever stands at the end, the run writes its lines where they belong."""
    with (cut / "metrics.jsonl").open("a") as file:
        file.write(end)
    list(resume(cut))
    lines = [(run / "metrics.jsonl").read_text().splitlines() for run in (cut, whole)]
    steps = [[json.loads(line)["step"] for line in found] for found in lines]
    assert steps[0] == steps[1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps_done", -5),
        ("steps_done", math.inf),
        ("steps_done", "5"),
        ("rate_scale", math.nan),
        ("carried", []),
        ("sound", {}),
        ("averaged", {}),
        ("losses", torch.zeros(2)),
    ],
)
def test_a_learner_that_none_saved_is_refused(cut: Path, name: str, value: Any) -> None:
    """Before the first step, in one line."""
    state = torch.load(cut / "state.pt", weights_only=True)
    state["learner"][name] = value
    torch.save(state, cut / "state.pt")
    with pytest.raises(CharLSTMError, match=r"state\.pt"):
        list(resume(cut))


CHANGES: list[tuple[str, Any]] = [
    ("fingerprint", {}),
    ("config", {}),
    ("text", {"x": 1}),
    ("places", 7),
    ("learner", {}),
    ("books", {"x": 1}),
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


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a state and save it as torch would."""
    state = torch.load(path, weights_only=True)
    change(state)
    torch.save(state, path)


def put(*keys: Any) -> Callable[[dict[str, Any]], None]:
    """A change of a state: all but the last of ``keys`` lead to the place, the last goes there."""
    *way, last, value = keys

    def change(state: dict[str, Any]) -> None:
        for key in way:
            state = state[key]
        state[last] = value

    return change


def laughs() -> list[Any]:
    """Forty lists that hold each other twice: 2**40 of them to whoever walks through all."""
    part: list[Any] = []
    for _ in range(40):
        part = [part, part]
    return part


GIANT = torch.zeros(1).expand(1 << 40)
FIRST = ("learner", "optimizer", "state", 0)
GROUP = ("learner", "optimizer", "param_groups", 0)
MALFORMED: list[tuple[Any, ...]] = [
    ("format", torch.ones(2)),
    ("format", laughs()),
    ("config", "steps", None),
    ("config", "steps", laughs()),
    ("config", "device", "auto"),
    ("config", "precision", "fp16"),
    ("config", "seq_length", 1 << 20),
    ("config", "init_from", "\ud800"),
    ("places", []),
    ("places", ["a\0b"]),
    ("places", ["\ud800"]),
    ("places", [7]),
    ("places_given", laughs()),
    ("fingerprint", "name", "\ud800"),
    ("books", "seconds", math.nan),
    ("books", "best_step", -1),
    ("books", "best_loss", math.nan),
    ("books", "train_loss", GIANT),
    ("learner", "steps_done", 31),
    ("learner", "carried", GIANT),
    ("learner", "losses", GIANT),
    ("learner", "losses", torch.full((3,), torch.nan)),
    ("learner", "losses", torch.nn.Parameter(torch.zeros(3))),
    ("learner", "losses", torch._neg_view(torch.zeros(3))),
    ("learner", "rng", torch.zeros(5056)),
    ("learner", "rng", torch.zeros(16, dtype=torch.uint8)),
    ("learner", "cuda_rng", GIANT),
    ("learner", "model", GIANT),
    ("learner", "averaged", "output.bias", torch.zeros(31, dtype=torch.float64)),
    ("learner", "sound", "output.bias", torch.full((31,), torch.nan)),
    ("learner", "sound", "output.bias", torch.zeros(1).expand(31)),
    ("learner", "optimizer", "state", {0: {}}),
    ("learner", "optimizer", "param_groups", []),
    (*FIRST, "step", torch.tensor(-1.0)),
    (*FIRST, "step", torch.tensor(1e30)),
    (*FIRST, "step", 3.0),
    (*FIRST, "exp_avg", torch.zeros(31, 4, dtype=torch.float64)),
    (*FIRST, "max_exp_avg_sq", torch.zeros(31, 4)),
    (*GROUP, "params", GIANT),
    (*GROUP, "params", torch.zeros(2)),
    (*GROUP, "betas", (2.0, 2.0)),
    (*GROUP, "betas", (torch.zeros(2), 0.9)),
    (*GROUP, "fused", False),
    (*GROUP, "differentiable", True),
    (*GROUP, "lr", GIANT),
    (*GROUP, "weight_decay", math.nan),
]


@pytest.mark.parametrize(
    "keys", MALFORMED, ids=[f"{i}-{'-'.join(map(str, k[:-1]))}" for i, k in enumerate(MALFORMED)]
)
def test_a_state_with_a_part_of_another_kind_is_refused(cut: Path, keys: tuple[Any, ...]) -> None:
    """Before anything is begun: in no part may a wrong type, shape or number come later."""
    before = (cut / "metrics.jsonl").read_bytes()
    rewrite(cut / "state.pt", put(*keys))
    with pytest.raises(TrainingError, match=r"state\.pt") as caught:
        list(resume(cut))
    assert len(str(caught.value)) < 500
    assert (cut / "metrics.jsonl").read_bytes() == before


def test_carried_state_of_another_precision_is_refused(cut: Path) -> None:
    """The layers cannot compute with it."""

    def change(state: dict[str, Any]) -> None:
        state["config"]["precision"] = "fp32"
        carried = state["learner"]["carried"]
        state["learner"]["carried"] = [(h.bfloat16(), c.bfloat16()) for h, c in carried]

    rewrite(cut / "state.pt", change)
    with pytest.raises(TrainingError, match="carried state"):
        list(resume(cut))


def members_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archived(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


PICKLE = "archive/data.pkl"
PICKLES = [
    (b"\x80\2cbuiltins\nbytearray\n\x8a\5\0\0\0\0\x7f\x85R.", "calls upon builtins.bytearray"),
    (b"\x80\2cposix\nsystem\nX\4\0\0\0true\x85R.", "calls upon posix.system"),
    (b"\x80\2(" + b"]" * (1 << 20) + b"t.", "more than 1,048,576 operations"),
    (b"\x80\2X" + struct.pack("<I", 17 << 20) + bytes(17 << 20) + b".", "a pickle of 17,825,8"),
    (b"\x80\2]" * 40, "exhausted"),
]


@pytest.mark.parametrize(("pickled", "said"), PICKLES, ids=[said for _, said in PICKLES])
def test_a_pickle_that_is_no_state_is_refused(cut: Path, pickled: bytes, said: str) -> None:
    """Before torch reads it: calls that would fill the memory, and pickles too long."""
    archived(cut / "state.pt", {**members_of(cut / "state.pt"), PICKLE: pickled})
    with pytest.raises(TrainingError, match=said):
        list(resume(cut))


def test_an_archive_that_torch_would_not_write_is_refused(cut: Path) -> None:
    """Compressed, doubled in another case, crowded, damaged, of the old kind without an archive."""
    path = cut / "state.pt"
    whole, members = path.read_bytes(), members_of(path)
    assert PICKLE in members

    archived(path, {**members, "archive/zeros": bytes(1 << 28)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(TrainingError, match="members larger than the file"):
        list(resume(cut))
    archived(path, members, zipfile.ZIP_DEFLATED)
    with pytest.raises(TrainingError, match=r"compressed member|larger than the file"):
        list(resume(cut))
    archived(path, {**members, PICKLE.upper(): b"x"})
    with pytest.raises(TrainingError, match="two members of one name"):
        list(resume(cut))
    archived(path, {**members, **{f"archive/{i}": b"" for i in range(33_000)}})
    with pytest.raises(TrainingError, match=r"33,\d+ members"):
        list(resume(cut))
    _, data = max(members.items(), key=lambda member: len(member[1]))
    at = whole.index(data)
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises(TrainingError, match="CRC"):
        list(resume(cut))
    path.write_bytes(whole)
    torch.save(torch.load(path, weights_only=True), path, _use_new_zipfile_serialization=False)
    with pytest.raises(TrainingError, match="not an archive"):
        list(resume(cut))


def test_a_text_without_end_that_a_state_names_is_not_read(cut: Path) -> None:
    """A state from a stranger may name a device."""
    rewrite(cut / "state.pt", put("places", ["/dev/zero"]))
    with pytest.raises(CorpusError, match="/dev/zero: is a pipe or a device"):
        list(resume(cut))


@pytest.mark.parametrize("name", ["state.pt", "metrics.jsonl", "model.safetensors"])
def test_a_run_with_a_link_in_it_is_not_resumed(cut: Path, tmp_path: Path, name: str) -> None:
    """What it leads to stays as it is."""
    kept = (cut / name).read_bytes()
    (cut / name).rename(tmp_path / "elsewhere")
    (cut / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TrainingError, match="is a symbolic link"):
        list(resume(cut))
    assert (tmp_path / "elsewhere").read_bytes() == kept
