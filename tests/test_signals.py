"""How commands end when they are told to: by the signal itself, so that a shell's loop ends too."""

import signal
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from charlstm.model.model_file import save_model

from .test_streams import terminal
from .writing import make_model

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
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
        ("evaluate -m {run} {play} --exact " + "{play} " * 99, "not learn from"),
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
    """What was made is written, and stderr says nothing."""
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


def check_ended_without_a_trace(
    code: str, environment: dict[str, str], directory: Path, number: int
) -> None:
    """Run ``code``, which makes a dataset of t.txt and is ended by the signal: nothing is left."""
    (directory / "t.txt").write_text("some text\n" * 99)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=directory,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (-number, b"", b"")
    assert [path.name for path in directory.iterdir()] == ["t.txt"]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_command_cleans_up_before_it_ends(
    environment: dict[str, str], tmp_path: Path, number: int
) -> None:
    """Half a dataset is taken away, whichever signal it is."""
    code = (
        "import charlstm.text.dataset, os, signal\n"
        f"charlstm.text.dataset._encode = lambda *_: os.kill(os.getpid(), {number})\n"
        "from charlstm.cli.main import main\n"
        "main(['dataset', 't.txt', '-o', 'data'])\n"
    )
    check_ended_without_a_trace(code, environment, tmp_path, number)


# What drops an exception: ``asked`` lets the signal come.
LOSES = {
    "destructor": "type('Loses', (), {'__del__': asked})()",
    "callback": "weakref.ref(type('Loses', (), {})(), asked)",
    "library": "with contextlib.suppress(BaseException): asked()",
}


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("loses", LOSES)
def test_an_interruption_that_is_lost_comes_again(
    environment: dict[str, str], tmp_path: Path, number: int, loses: str
) -> None:
    """The command cleans up and ends as if nothing had been lost, and no traceback is written."""
    code = (
        "import charlstm.text.dataset, contextlib, os, time, weakref\n"
        "def asked(*_):\n"
        f"    os.kill(os.getpid(), {number})\n"
        "def encode(*_):\n"
        f"    {LOSES[loses]}\n"
        "    time.sleep(60)\n"
        "charlstm.text.dataset._encode = encode\n"
        "from charlstm.cli.main import main\n"
        "main(['dataset', 't.txt', '-o', 'data'])\n"
    )
    check_ended_without_a_trace(code, environment, tmp_path, number)


def test_a_long_clean_up_is_not_interrupted(environment: dict[str, str], tmp_path: Path) -> None:
    """Neither in a finally nor in an except is the interruption lost."""
    code = (
        "import charlstm.text.dataset, os, signal, time\n"
        "def encode(*_):\n"
        "    try:\n"
        "        try:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "        finally:\n"
        "            time.sleep(0.3)\n"
        "            print('a')\n"
        "    except BaseException:\n"
        "        time.sleep(0.3)\n"
        "        print('b')\n"
        "        raise\n"
        "charlstm.text.dataset._encode = encode\n"
        "from charlstm.cli.main import main\n"
        "main(['dataset', 't.txt', '-o', 'data'])\n"
    )
    (tmp_path / "t.txt").write_text("some text\n" * 99)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"a\nb\n", b"")


@pytest.mark.parametrize("how", ["import", "error"])
def test_a_signal_while_libraries_are_loaded(
    environment: dict[str, str], tmp_path: Path, how: str
) -> None:
    """Of typer before the program runs, of numpy while it does and as an error of its own."""
    library = "typer" if how == "import" else "numpy"
    (tmp_path / f"{library}.py").write_text(
        "import os, signal, time\n"
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(60)\n"
        "except KeyboardInterrupt:\n"
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


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("more", ["", "--samples 9999 --separator ,", "--save-state {new}/state"])
def test_on_a_terminal_the_last_line_is_ended(
    environment: dict[str, str], tmp_path: Path, number: int, more: str
) -> None:
    """What comes next, such as the prompt of a shell, begins a line."""
    save_model(make_model("ab"), tmp_path / "model")
    length = "-n 50" if "samples" in more else "-n 0"
    line = f"generate -q -m {tmp_path}/model {length} {more.format(new=tmp_path)}"
    child = terminal(line, environment)
    child.expect("[ab,]{300}")
    child.kill(number)
    shown = child.read()
    assert shown.endswith("\r\n")
    assert shown.count("\n") == 1


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
