"""How commands end when they are told to: by the signal itself, so that a shell's loop ends too."""

import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import pexpect
import pytest

from charlstm.model.model_file import save_model
from charlstm.training.checkpoint import load_checkpoint

from .test_streams import terminal
from .writing import make_model

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
ROOT = Path(__file__).parents[1]
KEYBOARD = "reading from the keyboard"


@pytest.mark.parametrize(
    ("command", "begun"),
    [
        ("generate -m {run} -q -n 0", r"\n.*\n.*\n"),
        ("generate -m {run} -q -n 0 --save-state {new}/state", r"\n.*\n.*\n"),
        ("generate -m {run} -q --samples 999 -n 2000", r"\n.*\n.*\n"),
        ("generate -m {run} --each-line", KEYBOARD),
        ("generate -m {run} --seed-file -", KEYBOARD),
        ("train {play} -o {new}/run --steps 99999 --hidden-size 24", r"\d%"),
        ("train -", KEYBOARD),
        ("vocab -", KEYBOARD),
        ("dataset - -o {new}/data", KEYBOARD),
        ("novelty {play}", KEYBOARD),
        ("evaluate -m {run} -", KEYBOARD),
        ("visualize -m {run} -q -n 0", r"\n.*\n.*\n"),
        ("visualize -m {run} --text-file -", KEYBOARD),
        ("visualize -m {run} -n 400000 --pattern '(.+)+Q'", "random seed"),
    ],
)
def test_ctrl_c_ends_a_loop_around_a_command(
    environment: dict[str, str], trained: Path, play: Path, tmp_path: Path, command: str, begun: str
) -> None:
    """In bash, on a terminal: the second turn never comes."""
    line = command.format(run=trained, play=play, new=tmp_path)
    script = f'for turn in 1 2; do echo "turn $turn"; "{sys.executable}" -m charlstm {line}; done'
    child = pexpect.spawn(
        "bash",
        ["-c", f"{script}; echo after the loop"],
        env={**environment, "TERM": "xterm-256color"},
        encoding="utf-8",
        timeout=60,
    )
    child.expect("turn 1")
    child.expect(begun)  # before that Python may be starting, and end without a signal
    child.sendintr()
    assert "turn 2" not in child.read()
    child.close()
    assert child.signalstatus == signal.SIGINT


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("more", [(), ("--save-state", "state")])
def test_a_text_ends_by_the_signal(
    environment: dict[str, str], trained: Path, tmp_path: Path, number: int, more: tuple[str, ...]
) -> None:
    """Stderr says nothing; what was to be saved is saved."""
    words = [sys.executable, "-m", "charlstm", "generate", "-q", "-m", str(trained), "-n", "0"]
    process = subprocess.Popen(
        [*words, *more],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stdout.readline()
    process.send_signal(number)
    assert process.communicate(timeout=60)[1] == b""
    assert process.returncode == -number
    assert (tmp_path / "state").exists() == bool(more)


@pytest.mark.parametrize("library", ["typer", "numpy"])
def test_a_signal_while_libraries_are_loaded(
    environment: dict[str, str], tmp_path: Path, library: str
) -> None:
    """It ends the program at once: no library can drop it, or make an error of it."""
    (tmp_path / f"{library}.py").write_text(
        "import os, signal, time\n"
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(60)\n"
        "except BaseException:\n"
        "    raise ImportError('failed to import')\n"
    )
    path = f"{tmp_path}:{environment.get('PYTHONPATH', '')}"
    done = subprocess.run(
        [sys.executable, "-m", "charlstm", "generate", "-n", "5"],
        env={**environment, "PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


HANDLERS = """
import signal, sys
import {module} as module

def told(*_, **__):
    print(*(signal.getsignal(number).name for number in (1, 2, 15)))
    raise SystemExit

module.{function} = told
from charlstm.__main__ import main
sys.argv = ["charlstm", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize(
    ("module", "function", "words"),
    [
        ("charlstm.text.dataset", "write_dataset", "dataset {play} -o data"),
        ("charlstm.training.start", "measured", "train {play}"),
        ("charlstm.language_model", "load", "generate --save-state state"),
    ],
)
@pytest.mark.parametrize(
    ("shell", "handlers"),
    [
        ("", "SIG_DFL SIG_DFL SIG_DFL\n"),
        ("trap '' INT HUP;", "SIG_IGN SIG_IGN SIG_DFL\n"),
    ],
    ids=["alone", "ignored"],
)
def test_a_command_with_nothing_to_save_has_no_handler(
    environment: dict[str, str],
    play: Path,
    tmp_path: Path,
    module: str,
    function: str,
    words: str,
    shell: str,
    handlers: str,
) -> None:
    """The system's own action is left in place, and what the shell made us ignore stays ignored."""
    (tmp_path / "code.py").write_text(HANDLERS.format(module=module, function=function))
    done = subprocess.run(
        ["bash", "-c", f"{shell} {sys.executable} code.py {words.format(play=play)}"],
        env={**environment, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == handlers, done.stderr


@pytest.mark.parametrize("number", SIGNALS)
def test_a_text_with_a_state_ends_its_last_line_on_a_terminal(
    environment: dict[str, str], tmp_path: Path, number: int
) -> None:
    """What comes next, such as the prompt of a shell, begins a line."""
    save_model(make_model("ab"), tmp_path / "model")
    line = f"generate -q -m {tmp_path}/model -n 0 --save-state {tmp_path}/state"
    child = terminal(line, environment)
    child.expect("[ab]{300}")
    child.kill(number)
    shown = child.read()
    assert shown.endswith("\r\n")
    assert shown.count("\n") == 1


def begun(words: list[str], **streams: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "charlstm", *words], **streams)


def filled(reader: int) -> None:
    """Wait until a pipe that nobody reads is full: of 64 kB, in pages that are not all full."""
    before = 0
    while (now := waiting_bytes(reader)) < 32_000 or now != before:
        before = now
        time.sleep(0.5)


def waiting_bytes(reader: int) -> int:
    """How many bytes of a pipe wait to be read."""
    return int.from_bytes(fcntl.ioctl(reader, termios.FIONREAD, bytes(4)), sys.byteorder)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_text_that_nobody_reads_is_ended(
    environment: dict[str, str], tmp_path: Path, number: int
) -> None:
    """No state is saved, since it would be ahead of the text."""
    save_model(make_model("ab\n"), tmp_path / "model")
    reader, writer = os.pipe()
    words = ["generate", "-q", "-m", "model", "-n", "0", "--save-state", "state"]
    process = begun(words, env=environment, cwd=tmp_path, stdout=writer)
    os.close(writer)
    filled(reader)
    process.send_signal(number)
    assert process.wait(60) == -number
    assert not (tmp_path / "state").exists()
    os.close(reader)


def test_a_training_whose_messages_nobody_reads_is_saved(
    environment: dict[str, str], play: Path, tmp_path: Path
) -> None:
    """A signal is seen though standard error and standard output take no more."""
    reader, writer = os.pipe()
    words = ["train", str(play), "-o", "run", "--steps", "9999", "--eval-every", "1"]
    words += ["--hidden-size", "8", "--batch-size", "1", "--seq-length", "8", "--threads", "1"]
    process = begun(words, env=environment, cwd=tmp_path, stdout=writer, stderr=writer)
    os.close(writer)
    filled(reader)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == -signal.SIGINT
    assert load_checkpoint(tmp_path / "run/state.safetensors").steps_done > 1
    assert (tmp_path / "run/model.safetensors").is_file()
    os.close(reader)


def test_a_text_of_rejected_lines_can_be_ended(environment: dict[str, str], tmp_path: Path) -> None:
    """No line is new, so none is written; the state is that of the text so far."""
    save_model(make_model("ab\n"), tmp_path / "model")
    (tmp_path / "corpus").write_text("ab\n")
    code = (
        "import charlstm.generation.text_stream as text_stream\n"
        "text_stream.TRIES = 10**9\n"
        "from charlstm.__main__ import main\n"
        "main()\n"
    )
    (tmp_path / "code.py").write_text(code)
    words = ["generate", "-q", "-m", "model", "-n", "0", "--novel", "1", "--corpus", "corpus"]
    process = subprocess.Popen(
        [sys.executable, "code.py", *words, "--save-state", "state", "ab"],
        env={**environment, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stdout.read(2) == b"ab"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[0] == b""
    assert process.returncode == -signal.SIGINT
    assert (tmp_path / "state").is_file()


def test_in_a_pipe_no_line_is_ended(environment: dict[str, str], tmp_path: Path) -> None:
    """The text is as it was when the signal came."""
    save_model(make_model("ab"), tmp_path / "model")
    process = subprocess.Popen(
        [sys.executable, "-m", "charlstm", "generate", "-q", "-m", "model", "-n", "0"],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
    )
    assert process.stdout
    begun = process.stdout.read(1)
    process.send_signal(signal.SIGINT)
    assert set(begun + process.communicate(timeout=60)[0]) <= set(b"ab")
