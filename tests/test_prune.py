"""``charlstm models --prune``: what finished runs no longer need goes, and nothing else."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pexpect
import pytest

from charlstm.cli.main import main
from charlstm.training import resume_run, run_directory
from charlstm.training.lock import locked

from .conftest import Run
from .hostile import read_state, state_bytes
from .test_models import rows
from .test_rooms import HEAVY, modules_after
from .test_streams import terminal
from .test_train_command import SMALL


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are relative to where one is."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def finished(trained: Path) -> Path:
    """A run that did all of its 60 steps."""
    return copied(trained, "done")


def copied(trained: Path, name: str) -> Path:
    """A copy of a run below ``runs/``."""
    directory = Path("runs", name)
    shutil.copytree(trained, directory)
    return directory


def files(directory: Path) -> dict[str, bytes]:
    """All files of a run but its lock, with what is in them."""
    return {p.name: p.read_bytes() for p in directory.iterdir() if p.name != ".lock"}


def change_state(directory: Path, part: str = "", **changes: Any) -> None:
    """Let the state of a run say something else, or one of its parts."""
    path = directory / "state.safetensors"
    state = read_state(path)
    (state[part] if part else state).update(changes)
    path.write_bytes(state_bytes(state))


def pruned(charlstm: Run, *words: str) -> subprocess.CompletedProcess[bytes]:
    """What ``--prune --yes`` says; nobody may be asked."""
    return charlstm("models", "--prune", "--yes", *words)


def test_off_a_terminal_it_is_only_said_what_would_go(charlstm: Run, finished: Path) -> None:
    """Files and bytes on stdout; how to remove them on stderr."""
    before = files(finished)
    done = charlstm("models", "--prune")
    size = len(before["state.safetensors"])
    assert rows(done.stdout) == [["file", "size"], ["runs/done/state.safetensors", str(size)]]
    assert done.returncode == 0
    assert b"nothing was removed" in done.stderr
    assert b"--yes" in done.stderr
    assert files(finished) == before


def test_the_state_of_a_finished_run_is_removed_and_nothing_else(
    charlstm: Run, finished: Path
) -> None:
    """The model is as it was and writes as before."""
    before = files(finished)
    (finished / ".state.safetensors.deadbeef.tmp").write_bytes(b"x" * 99)
    done = pruned(charlstm)
    assert done.returncode == 0
    assert [row[0] for row in rows(done.stdout)[1:]] == [
        "runs/done/state.safetensors",
        "runs/done/.state.safetensors.deadbeef.tmp",
    ]
    assert b"removed 2 files" in done.stderr
    del before["state.safetensors"]
    assert files(finished) == before
    assert charlstm("generate", "-m", finished, "-n", 9).returncode == 0
    again = pruned(charlstm)
    assert (again.returncode, again.stdout) == (0, b"file\tsize\n")
    assert b"nothing to remove" in again.stderr


def test_a_pruned_run_says_what_it_lacks(charlstm: Run, finished: Path) -> None:
    """And that its model is sound, if it is."""
    pruned(charlstm)
    done = charlstm("train", "--resume", finished)
    assert (done.returncode, done.stdout) == (1, b"")
    said = done.stderr.decode()
    for words in ("state.safetensors", "--prune", "its model is sound", "generate -m runs/done"):
        assert words in said
    (finished / "model.safetensors").write_bytes(b"")
    assert b"it is empty" in charlstm("train", "--resume", finished).stderr


def test_a_run_that_was_stopped_or_made_longer_is_kept(
    charlstm: Run, trained: Path, finished: Path
) -> None:
    """Its state is all that it can go on from."""
    stopped = copied(trained, "stopped")
    change_state(stopped, "progress", steps_done=59)
    state = (stopped / "state.safetensors").read_bytes()
    change_state(finished, pace="0:0:90")
    done = pruned(charlstm)
    assert rows(done.stdout) == [["file", "size"]]
    assert b"kept: runs/stopped: step 59 of 60" in done.stderr
    assert b"kept: runs/done: step 60 of 90" in done.stderr
    assert (stopped / "state.safetensors").read_bytes() == state
    assert charlstm("train", "--resume", finished, "--steps", 62).returncode == 0
    assert b"state.safetensors" in pruned(charlstm).stdout


def test_a_run_that_lost_its_patience_is_finished(charlstm: Run, play: Path) -> None:
    """Unless it was given more patience since."""
    run = Path("runs/impatient")
    words = ["--steps", 400, "--eval-every", 4, "--patience", 2, "--learning-rate", 3]
    done = charlstm("train", play, "-o", run, *words, *SMALL)
    assert b"ended " in done.stderr, done.stderr
    change_state(run, "config", patience=3)
    assert rows(pruned(charlstm).stdout) == [["file", "size"]]
    change_state(run, "config", patience=2)
    assert rows(pruned(charlstm).stdout)[1][0] == "runs/impatient/state.safetensors"


def test_a_run_that_is_being_trained_is_kept(charlstm: Run, finished: Path) -> None:
    """Whatever its files say."""
    with locked(finished):
        done = pruned(charlstm)
    assert rows(done.stdout) == [["file", "size"]]
    assert b"kept: runs/done: a training is at work in it" in done.stderr
    assert (finished / "state.safetensors").exists()


@pytest.mark.parametrize("link", ["runs", "runs/done", "runs/done/state.safetensors"])
def test_nothing_is_removed_through_a_link(charlstm: Run, finished: Path, link: str) -> None:
    """It may lead anywhere; neither the link goes nor what it leads to."""
    Path(link).rename("elsewhere")
    Path(link).symlink_to(Path("elsewhere").absolute())
    done = pruned(charlstm)
    assert rows(done.stdout) == [["file", "size"]]
    assert f"kept: {link.replace('done/', 'done: ')}: ".encode() in done.stderr
    assert b"symbolic link" in done.stderr
    assert Path("runs/done/state.safetensors").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", b""),
        ("model.safetensors", None),
        ("state.safetensors", b""),
        ("state.safetensors", b"x" * 99),
    ],
)
def test_where_files_do_not_say_that_a_run_is_finished_it_is_kept(
    charlstm: Run, finished: Path, name: str, content: bytes | None
) -> None:
    """Damaged, absent, of another kind: then the state may be needed."""
    (finished / name).unlink()
    if content is not None:
        (finished / name).write_bytes(content)
    done = pruned(charlstm)
    assert (done.returncode, rows(done.stdout)) == (0, [["file", "size"]])
    assert done.stderr.startswith(b"kept: runs/done: ")
    assert name.encode() in done.stderr
    assert (finished / "state.safetensors").exists()


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("progress", {"steps_done": "60"}),
        ("progress", {"steps_done": True}),
        ("progress", {"steps_done": 61}),
        ("config", {"steps": 0}),
        ("config", {"steps": None}),
        ("config", {"patience": True}),
        ("history", {"evaluations_since_best": -1}),
        ("history", {"evaluations_since_best": [[]]}),
    ],
)
def test_where_a_state_does_not_say_that_a_run_is_finished_it_is_kept(
    charlstm: Run, finished: Path, part: str, changes: dict[str, Any]
) -> None:
    """A value that no run writes says nothing."""
    change_state(finished, part, **changes)
    done = pruned(charlstm)
    assert (done.returncode, rows(done.stdout)) == (0, [["file", "size"]])
    assert b"not a valid training state" in done.stderr
    assert (finished / "state.safetensors").exists()


@pytest.mark.parametrize(
    ("answer", "goes"), [("y", True), ("yes", True), ("n", False), ("", False), ("\x04", False)]
)
def test_on_a_terminal_it_asks(
    environment: dict[str, str], finished: Path, answer: str, goes: bool
) -> None:
    """After it has said what and how much; only yes is yes."""
    child = terminal("models --prune", environment)
    child.expect("runs/done/state.safetensors")
    child.expect(r"remove 1 file, [\d.]+ kB\? \[y/N\] ")
    child.sendline(answer) if answer != "\x04" else child.sendeof()
    child.expect("removed 1 file" if goes else "nothing was removed")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert (finished / "state.safetensors").exists() is not goes


def test_what_cannot_be_removed_is_said(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], trained: Path
) -> None:
    """The rest goes all the same, and the status is 1."""
    for name in ("a", "b"):
        copied(trained, name)
    unlink = Path.unlink

    def refusing(path: Path) -> None:
        if path == Path("runs/a/state.safetensors"):
            raise PermissionError(13, "Permission denied", str(path))
        unlink(path)

    monkeypatch.setattr(Path, "unlink", refusing)
    assert main(["models", "--prune", "--yes"]) == 1
    said = capfd.readouterr().err
    assert "runs/a/state.safetensors: Permission denied" in said
    assert "removed 1 file" in said
    assert not Path("runs/b/state.safetensors").exists()


@pytest.mark.parametrize(
    ("words", "said"), [(["--yes"], b"--yes needs --prune"), (["--prune", "--json"], b"--json")]
)
def test_options_that_would_be_ignored_are_refused(
    charlstm: Run, words: list[str], said: bytes
) -> None:
    """Nobody should wait for what does not come."""
    done = charlstm("models", *words)
    assert (done.returncode, done.stdout) == (2, b"")
    assert said in done.stderr


def test_pruning_loads_no_torch(finished: Path) -> None:
    """It reads the records of a run, not its state."""
    loaded = modules_after(
        "from charlstm.cli.main import main; main(['models', '--prune', '--yes'])"
    )
    assert "numpy" in loaded
    assert not HEAVY & loaded
    assert not (finished / "state.safetensors").exists()


def test_a_resumed_run_has_its_new_length_in_its_state_from_the_start(
    charlstm: Run, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the first step, it must not count as finished: its state would be removed."""

    def killed(*_: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(run_directory, "config_toml", killed)
    with pytest.raises(RuntimeError, match="killed"):
        list(resume_run(finished, steps=90))
    assert b"kept: runs/done: step 60 of 90" in pruned(charlstm).stderr
