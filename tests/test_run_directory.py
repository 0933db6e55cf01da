"""Run directories: new names, one training in each, and what a killed one leaves behind."""

import fcntl
import os
import threading
from pathlib import Path

import pytest

from charlstm.cli.hints import explained
from charlstm.errors import CharLSTMError, OptionError, TrainingError
from charlstm.training.lock import LOCK_FILE, LOCK_SECONDS, is_at_work, locked
from charlstm.training.output import check_output, clear, new_run


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are relative to where one is."""
    monkeypatch.chdir(tmp_path)


def made(output: Path | None, name: str, *, state: bool = False) -> str:
    """A directory for a run, which gets a state, or is left as by a training that was killed."""
    with new_run(output, name) as directory:
        if state:
            (directory / "state.safetensors").touch()
        return str(directory)


def test_runs_are_numbered_and_never_written_over() -> None:
    """The corpus's name, then -2, -3."""
    found = [made(None, "hamlet", state=True) for _ in range(3)]
    assert found == ["runs/hamlet", "runs/hamlet-2", "runs/hamlet-3"]


@pytest.mark.parametrize(
    ("name", "directory"),
    [("a/b", "runs/a-b"), ("..", "runs/corpus"), ("a\x1b[1m\n", "runs/a-[1m-")],
)
def test_a_corpus_name_stays_below_runs(name: str, directory: str) -> None:
    """Whatever characters it has."""
    assert made(None, name) == directory


def test_an_output_that_holds_anything_is_refused() -> None:
    """An empty directory may be used; a full one names the way to resume."""
    Path("mine").mkdir()
    assert made(Path("mine"), "x") == "mine"
    Path("mine/model.safetensors").touch()
    with pytest.raises(OptionError, match=r"mine: exists and is not empty$"):
        made(Path("mine"), "x")
    Path("mine/state.safetensors").touch()
    with pytest.raises(OptionError) as caught:
        made(Path("mine"), "x")
    assert "charlstm train --resume mine" in explained(caught.value)


def test_a_directory_that_cannot_be_made_is_refused() -> None:
    """A file where a directory must be."""
    Path("file").touch()
    for name in ("file", "file/run"):
        with pytest.raises(CharLSTMError, match="cannot"):
            made(Path(name), "x")
    Path("runs").touch()
    with pytest.raises(CharLSTMError, match="runs"):
        made(None, "x")


def test_one_training_at_a_time() -> None:
    """A second one is refused, and leaves the first its lock."""
    with new_run(Path("mine"), "x"):
        for _ in range(2):
            with pytest.raises(TrainingError, match="another training is at work"):
                made(Path("mine"), "x")
    assert made(Path("mine"), "x") == "mine"


def test_a_link_is_no_lock(tmp_path: Path) -> None:
    """What a run directory of unknown origin points to is not opened."""
    Path("mine").mkdir()
    Path("precious").write_text("precious")
    Path("mine/.lock").symlink_to(tmp_path / "precious")
    with pytest.raises(CharLSTMError, match="cannot be locked"), locked(Path("mine")):
        pass
    assert Path("precious").read_text() == "precious"


@pytest.mark.parametrize("there", [True, False])
def test_a_beginning_that_fails_leaves_no_trace(there: bool) -> None:
    """A directory that was there stays, one that was made goes."""
    if there:
        Path("mine").mkdir()

    def fail() -> None:
        with new_run(Path("mine"), "x"):
            raise RuntimeError("too large")

    with pytest.raises(RuntimeError):
        fail()
    assert sorted(Path().rglob("*")) == ([Path("mine")] if there else [])


def test_what_a_killed_training_left_is_cleared() -> None:
    """Its unfinished files, and nothing else; before it had a state, its directory is as new."""
    Path("mine").mkdir()
    for name in (".lock", ".state.safetensors.00112233.tmp", ".model.safetensors.deadbeef.tmp"):
        Path("mine", name).touch()
    check_output(Path("mine"))
    Path("mine/.other.x.tmp").touch()
    with pytest.raises(OptionError):
        check_output(Path("mine"))
    clear(Path("mine"))
    assert {path.name for path in Path("mine").iterdir()} == {".lock", ".other.x.tmp"}


def test_a_directory_without_a_state_is_used_again(tmp_path: Path) -> None:
    """By the next run of that name; not if it is a link or a file, and not while it is locked."""
    assert [made(None, "hamlet") for _ in range(2)] == ["runs/hamlet"] * 2
    Path("runs/hamlet/.state.safetensors.deadbeef.tmp").touch()
    with new_run(None, "hamlet") as directory:
        assert [path.name for path in directory.iterdir()] == [".lock"]
        Path("runs/hamlet-2").touch()
        Path("elsewhere").mkdir()
        Path("runs/hamlet-3").symlink_to(tmp_path / "elsewhere")
        assert made(None, "hamlet") == "runs/hamlet-4"


def test_it_can_be_seen_whether_a_training_is_at_work() -> None:
    """By its lock; nothing is made or changed for this, and a link is not followed."""
    run = Path("run")
    run.mkdir()
    assert not is_at_work(run)
    assert list(run.iterdir()) == []
    with locked(run):
        assert is_at_work(run)
        assert is_at_work(run)
    assert not is_at_work(run)
    with locked(run):
        Path("other").mkdir()
        Path("other", LOCK_FILE).symlink_to(Path("run", LOCK_FILE).absolute())
        assert not is_at_work(Path("other"))
    os.mkfifo("other/pipe")
    Path("other", LOCK_FILE).unlink()
    Path("other/pipe").rename(Path("other", LOCK_FILE))
    assert not is_at_work(Path("other"))


def test_who_looks_at_a_run_does_not_keep_a_training_out() -> None:
    """The lock that a look takes is gone before a training gives up."""
    Path("run").mkdir()
    with Path("run", LOCK_FILE).open("w") as looked_at:
        fcntl.flock(looked_at, fcntl.LOCK_SH)
        timer = threading.Timer(LOCK_SECONDS / 3, fcntl.flock, [looked_at, fcntl.LOCK_UN])
        timer.start()
        with locked(Path("run")):
            pass
        timer.join()
