"""Real faults in real trainings: disks, directories, texts, memory, a second process, kills.

What each promises stands in the manual page ``charlstm-train``, under FAULTS.
"""

import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from charlstm.model.model_file import load_model
from charlstm.training.checkpoint import load_checkpoint

from . import warm
from .conftest import Run

SMALL = ["--hidden-size", "32", "--embedding-size", "8", "--threads", "1", "--dropout", "0.2"]
LONG = ["--steps", "700", "--eval-every", "100", *SMALL]

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits of other processes are Linux's")


class Training:
    """A ``charlstm train`` that is going on, and what it says."""

    def __init__(self, environment: dict[str, str], *words: object) -> None:
        self.process = warm.start("train", *words, env=environment)
        self.said: list[str] = []

    def until(self, words: str) -> str:
        """The first line with these words in it, waited for."""
        assert self.process.stderr is not None
        for line in map(bytes.decode, self.process.stderr):
            self.said.append(line)
            if words in line:
                return line
        pytest.fail(f"the run ended without {words!r}: {''.join(self.said)}")

    def end(self) -> tuple[int, str]:
        """Exit status and all that was said."""
        rest = self.process.communicate(timeout=120)[1]
        return self.process.returncode, "".join(self.said) + rest.decode()


Start = Callable[..., Training]


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    """Start trainings, none of which outlives its test."""
    started: list[Training] = []

    def begin(*words: object) -> Training:
        started.append(Training(environment, *words))
        return started[-1]

    yield begin
    for training in started:
        training.process.kill()
        training.process.wait()


@pytest.fixture(scope="module")
def whole(play: Path, charlstm: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nothing disturbs."""
    run = tmp_path_factory.mktemp("whole") / "run"
    done = charlstm("train", play, *LONG, "-o", run)
    assert done.returncode == 0, done.stderr.decode()
    return run


def assert_same(run: Path, whole: Path) -> None:
    """The same weights to the bit, and the same steps in the metrics."""
    weights, others = (load_model(r / "model.safetensors").weights for r in (run, whole))
    assert all((weights[name] == others[name]).all() for name in others)
    lines = [
        [line.split(",")[0] for line in (r / "metrics.jsonl").read_text().splitlines()]
        for r in (run, whole)
    ]
    assert lines[0] == lines[1]


def assert_sound(run: Path) -> None:
    """What is there can be read: the last model, and the last state."""
    load_model(run / "model.safetensors")
    load_checkpoint(run / "state.safetensors")


def limit(training: Training, size: int) -> None:
    """Files of the training may have so many bytes, as on a disk with no more room."""
    hard = resource.prlimit(training.process.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(training.process.pid, resource.RLIMIT_FSIZE, (size, hard))


@linux
def test_a_disk_that_is_full_for_a_while(
    start: Start, play: Path, whole: Path, tmp_path: Path
) -> None:
    """The run goes on, says so, and has written everything once there is room again."""
    training = start(play, *LONG, "--save-every", "0.1s", "-o", tmp_path / "run")
    training.until("step 200/")
    limit(training, 10_000)
    assert str(tmp_path / "run") in training.until("not saved")
    assert_sound(tmp_path / "run")
    limit(training, resource.RLIM_INFINITY)
    training.until("all is saved again")
    status, said = training.end()
    assert (status, said.count("saved again")) == (0, 1)
    assert_same(tmp_path / "run", whole)


@linux
def test_a_disk_that_stays_full(
    start: Start, charlstm: Run, play: Path, whole: Path, tmp_path: Path
) -> None:
    """At the end that is an error, with the way to go on; what was kept is sound."""
    run = tmp_path / "run"
    training = start(play, *LONG, "--save-every", "0.1s", "-o", run)
    training.until("step 200/")
    limit(training, 10_000)
    status, said = training.end()
    assert status == 1
    last = said.splitlines()[-1]
    assert last.startswith("charlstm: error: ")
    assert f"charlstm train --resume {run}" in last
    assert not list(run.glob(".*.tmp"))
    assert_sound(run)
    assert charlstm("train", "--resume", run).returncode == 0
    assert_same(run, whole)


def test_a_disk_that_is_full_from_the_start(charlstm: Run, play: Path, tmp_path: Path) -> None:
    """One line after that on the text, before the first step, and nothing is left."""

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    done = charlstm("train", play, *LONG, "-o", tmp_path / "run", preexec_fn=no_room)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines()[1:] == [
        f"charlstm: error: {tmp_path}/run/state.safetensors: File too large; free some space or "
        f"write to another directory"
    ]
    assert not list(tmp_path.iterdir())


def test_no_room_for_the_encoded_text(charlstm: Run, play: Path, tmp_path: Path) -> None:
    """The error names the directory for temporary files, which can be another."""

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    done = charlstm("train", play, "-o", tmp_path / "run", preexec_fn=no_room)
    assert done.returncode == 1
    assert b"TMPDIR" in done.stderr
    assert done.stderr.count(b"\n") == 1
    assert not list(tmp_path.iterdir())


def mount(*words: object) -> bool:
    """Whether the system let us mount what these words say."""
    if shutil.which("mount") is None:
        return False
    command = ["mount", *map(str, words)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB of its own, in memory; skips where none can be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=4m", "tmpfs", place):
        pytest.skip("nothing can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_small_disk_that_fills_up(start: Start, charlstm: Run, play: Path, disk: Path) -> None:
    """With a real file system: said, survived, and resumed once there is room."""
    run = disk / "run"
    training = start(play, *LONG, "--save-every", "0.2s", "-o", run)
    training.until("step 100/")
    room = shutil.disk_usage(disk).free
    filler = disk / "filler"
    with suppress(OSError):  # the training may have taken some of it in the meantime
        filler.write_bytes(bytes(room))
    assert "No space left" in training.until("not saved")
    assert_sound(run)
    filler.unlink()
    training.until("all is saved again")
    assert training.end()[0] == 0
    assert_sound(run)


def test_a_directory_that_becomes_read_only(
    start: Start, charlstm: Run, play: Path, whole: Path, disk: Path
) -> None:
    """What was kept is sound; written to again, the run goes on from it."""
    run = disk / "run"
    training = start(play, *LONG, "--save-every", "0.1s", "-o", run)
    training.until("step 200/")
    assert mount("--bind", run, run)
    assert mount("-o", "remount,bind,ro", run)
    assert "Read-only file system" in training.until("not saved")
    assert training.end()[0] == 1
    assert_sound(run)
    done = charlstm("train", "--resume", run)
    assert done.returncode == 1
    assert b"Read-only file system" in done.stderr
    assert done.stderr.count(b"\n") == 1
    subprocess.run(["umount", str(run)], check=True)
    assert charlstm("train", "--resume", run).returncode == 0
    assert_same(run, whole)


def test_a_directory_that_goes_away_for_a_while(
    start: Start, play: Path, whole: Path, tmp_path: Path
) -> None:
    """As where a network's disk is lost and comes back."""
    training = start(play, *LONG, "--save-every", "0.1s", "-o", tmp_path / "run")
    training.until("step 200/")
    (tmp_path / "run").rename(tmp_path / "elsewhere")
    assert "No such file" in training.until("not saved")
    (tmp_path / "elsewhere").rename(tmp_path / "run")
    training.until("all is saved again")
    assert training.end()[0] == 0
    assert_same(tmp_path / "run", whole)


def test_a_text_that_vanishes(
    start: Start, charlstm: Run, play: Path, whole: Path, tmp_path: Path
) -> None:
    """A run that is going on does not need it; a resumed one says what it misses."""
    text, run = tmp_path / "text.txt", tmp_path / "run"
    text.write_bytes(play.read_bytes())
    training = start(text, *LONG, "-o", run)
    training.until("step 100/")
    text.unlink()
    training.until("step 200/")
    training.process.send_signal(signal.SIGTERM)
    assert training.end()[0] == -signal.SIGTERM
    done = charlstm("train", "--resume", run)
    assert done.returncode == 1
    assert f"{text}: no such file".encode() in done.stderr
    assert f"charlstm train CORPUS --resume {run}".encode() in done.stderr
    assert charlstm("train", play, "--resume", run).returncode == 0
    assert_same(run, whole)


def test_two_trainings_in_one_directory(
    start: Start, charlstm: Run, play: Path, tmp_path: Path
) -> None:
    """The second is refused, new or resumed, and the first is not disturbed."""
    run = tmp_path / "run"
    training = start(play, *LONG, "-o", run)
    training.until("step 100/")
    resumed = charlstm("train", "--resume", run)
    assert (resumed.returncode, resumed.stderr.count(b"\n")) == (1, 1)
    assert b"another training is at work here" in resumed.stderr
    new = charlstm("train", play, *LONG, "-o", run)
    assert (new.returncode, new.stderr.count(b"\n")) == (2, 1)
    assert training.end()[0] == 0


@linux
def test_memory_that_runs_out(charlstm: Run, play: Path, tmp_path: Path) -> None:
    """One line that says what to lower, and nothing is left."""

    def little() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))

    words = ["--hidden-size", 30_000, "--steps", 5, "--threads", 1, "-o", tmp_path / "run"]
    done = charlstm("train", play, *words, "-q", preexec_fn=little)
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"out of memory on cpu with 2 x 30000 units" in done.stderr
    assert b"lower --hidden-size" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT])
def test_a_training_that_is_killed(
    number: signal.Signals, start: Start, charlstm: Run, play: Path, whole: Path, tmp_path: Path
) -> None:
    """It goes on from its last state; a beginning that had none can begin again."""
    run = tmp_path / "run"
    training = start(play, *LONG, "--save-every", "0.2s", "-o", run)
    training.until("step 200/")
    training.process.send_signal(number)
    assert training.end()[0] == -number
    assert_sound(run)
    assert charlstm("train", "--resume", run).returncode == 0
    assert_same(run, whole)


def test_a_second_ctrl_c_stops_at_once(
    start: Start, charlstm: Run, play: Path, whole: Path, tmp_path: Path
) -> None:
    """Wherever it was: the files are intact, and the run goes on from them."""
    run = tmp_path / "run"
    training = start(play, *LONG, "--save-every", "0s", "-o", run)
    training.until("step 200/")
    training.process.send_signal(signal.SIGINT)
    while training.process.poll() is None:
        training.process.send_signal(signal.SIGINT)
        time.sleep(0.001)
    assert training.process.returncode == -signal.SIGINT
    assert_sound(run)
    assert charlstm("train", "--resume", run).returncode == 0
    assert_same(run, whole)


def test_the_table_of_faults_names_real_tests() -> None:
    """What FAULTS.md says was seen, a test asserts."""
    here = Path(__file__).parent
    table = (here / "FAULTS.md").read_text(encoding="utf-8")
    sources = {path.name: path.read_text(encoding="utf-8") for path in here.glob("test_*.py")}
    assert set(re.findall(r"test_\w+\.py", table)) <= sources.keys()
    named = set(re.findall(r"::(test_\w+)", table))
    assert len(named) > 10
    for name in named:
        assert any(f"def {name}(" in source for source in sources.values()), name
