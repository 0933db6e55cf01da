"""Press Ctrl-C at random moments of every command, alone or beside busy processes.

    python -m tests.interruptions --times 30 --busy 2

Each command is in an endless loop of bash on a terminal. What counts is how long it takes from the
key to the end of the loop, whether there is a traceback, whether a file is half written, and
whether a temporary name is left that the same command does not sweep the next time.

The key is pressed once Python has started and given the program its word. In the hundredths of a
second before that, Python itself may answer it with a traceback.
"""

import argparse
import http.server
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pexpect
from safetensors.numpy import load_file

from charlstm.model.model_file import load_model
from charlstm.text.dataset import open_dataset
from charlstm.training.checkpoint import load_checkpoint

from .conftest import VERSE

COMMANDS = {
    "--version": "",
    "--help": "",
    "models": "",
    "inspect": "-m {run}",
    "corpus list": "",
    "corpus get": "macbeth --url {url}",
    "vocab": "-",
    "generate": "-m {run} -n 0",
    "generate --save-state": "{new}/state -m {run} -n {endless}",
    "generate --samples": "999 -m {run} -n 2000",
    "generate --each-line": "-m {run}",
    "predict": "-m {run} The",
    "score": "-m {run} {book}",
    "evaluate": "-m {run} {book} --exact",
    "novelty": "{book}",
    "visualize": "-m {run} -n 0",
    "dataset": "{book} -o {new}/data",
    "dataset --window": "9 {book} -o {new}/data.npz",
    "export": "-m {run} -o {new}/page.html",
    "report": "{run} -o {new}/page.html",
    "history": "{run}",
    "history --plot": "{new}/losses.svg {run}",
    "train -": "-o {new}/run",
    "train": "{book} -o {new}/run --steps {endless} --hidden-size 24 --save-every 0.1s",
}
# Seconds from there to the key, at most.
USUAL = 2.0
LONGEST = {"train": 6.0, "train -": 6.0, "--version": 0.1, "--help": 0.1, "corpus list": 0.2}
LONGEST |= dict.fromkeys(("models", "inspect", "predict", "history"), 0.3)
TOO_LONG = 30.0  # seconds after which a command counts as lost


@dataclass
class Tally:
    """What was seen of one command."""

    tried: int = 0
    slowest: float = 0.0  # seconds from the key to the end of the loop
    too_late: int = 0  # it had just ended by itself; then bash goes on with its loop
    lost: int = 0  # keys that ended nothing
    tracebacks: int = 0
    half_written: int = 0
    leftovers: int = 0  # names of temporary files and directories
    not_swept: int = 0


class Slow(http.server.BaseHTTPRequestHandler):
    """A mirror of the catalogue that sends megabytes, a little at a time."""

    def do_GET(self) -> None:
        """Send what is never complete."""
        self.send_response(200)
        self.end_headers()
        for _ in range(30):
            try:
                self.wfile.write(b"x" * 1000)
            except OSError:
                return
            time.sleep(0.1)

    def log_message(self, *_: object) -> None:
        """Nothing is to be seen."""


@dataclass
class Bench:
    """A directory with a text and a run, in which commands are interrupted."""

    directory: Path
    url: str
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("CHARLSTM_")},
            "CHARLSTM_TRAIN_DEVICE": "cpu",
            "CHARLSTM_TRAIN_THREADS": "1",
            "CHARLSTM_TRAIN_INIT_FROM": "none",
            "XDG_CACHE_HOME": str(self.directory / "new"),
            "TERM": "xterm-256color",
        }
        (self.directory / "book").write_text(VERSE * 3000)
        self.call("train {book} -o {run} --steps 40 --hidden-size 24 -q")

    def line(self, command: str, endless: int = 10**9) -> str:
        """The command with its places and numbers."""
        names = {name: self.directory / name for name in ("book", "run", "new")}
        return command.format(**names, url=self.url, endless=endless)

    def call(self, command: str) -> None:
        """Run the command to its end, however that is."""
        words = [sys.executable, "-m", "charlstm", *self.line(command, 2).split()]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        subprocess.run(words, env=self.environment, stderr=subprocess.DEVNULL, check=False, **quiet)

    def interrupted(self, command: str, moment: Callable[[], float], tally: Tally) -> None:
        """Press the key once, and add what is seen to the tally."""
        new = self.directory / "new"
        program = Path(sys.executable).with_name("charlstm")
        turn = f"rm -rf {new}; mkdir {new}; {program} {self.line(command)}"
        child = pexpect.spawn(
            "bash", ["-c", f"while :; do {turn}; done"], env=self.environment, timeout=TOO_LONG
        )
        shown = bytearray()
        reader = threading.Thread(target=drain, args=(child, shown))
        reader.start()
        begun: set[str] = set()
        until_it_begins(child.pid, begun)
        time.sleep(moment())
        program_pressed = until_it_begins(child.pid, begun)  # perhaps in another turn of the loop
        pressed = time.monotonic()
        child.sendintr()
        reader.join(TOO_LONG)
        tally.tried += 1
        if reader.is_alive():
            # The signal had its default action or was seen by a handler: a program that is gone was
            # ending already. One that is there has ignored it.
            gone = not Path(f"/proc/{program_pressed}").exists()
            tally.too_late += gone
            tally.lost += not gone
            child.kill(signal.SIGKILL)
            reader.join()
        else:
            tally.slowest = max(tally.slowest, round(time.monotonic() - pressed, 2))
        child.close(force=True)
        tally.tracebacks += any(word in shown for word in (b"Traceback", b"Exception ignored"))
        tally.half_written += not is_whole(new)
        found = len(leftovers(new))
        if found:
            tally.leftovers += found
            self.call(command)
            tally.not_swept += len(leftovers(new))


def drain(child: pexpect.spawn, shown: bytearray) -> None:
    """Read a terminal to its end."""
    try:
        while True:
            shown += child.read_nonblocking(1 << 16, timeout=None)
    except pexpect.EOF:
        pass


def until_it_begins(shell: int, begun: set[str]) -> str:
    """Wait until the shell runs a program that has ``begun``, past Python's start; its number.

    Python begins by catching the signal of the key, and the program by no longer doing so.
    """
    limit, caught = time.monotonic() + TOO_LONG, set()
    while time.monotonic() < limit:
        try:
            (number,) = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
            status = Path(f"/proc/{number}/status").read_text()
        except (OSError, ValueError):
            continue  # nothing runs
        if int(status.partition("SigCgt:")[2].split()[0], 16) >> (signal.SIGINT - 1) & 1:
            caught.add(number)
        elif number in caught:
            begun.add(number)
        if number in begun:
            return number
        time.sleep(0.0005)
    raise TimeoutError("no program has begun")


def leftovers(new: Path) -> list[Path]:
    """All temporary names below a directory."""
    return [path for path in new.rglob(".*.tmp") if not path.parent.name.endswith(".tmp")]


def is_whole(new: Path) -> bool:
    """Whether every file with a name of its own can be read to its end."""
    readers: dict[str, Callable[[Path], object]] = {
        "state": load_file,
        "data": open_dataset,
        "data.npz": lambda path: dict(np.load(path)),
        "page.html": lambda path: read_to(path, "</html>"),
        "losses.svg": lambda path: read_to(path, "</svg>"),
        "run/model.safetensors": load_model,
        "run/state.safetensors": load_checkpoint,
    }
    try:
        for name, read in readers.items():
            if (new / name).exists():
                read(new / name)
    except Exception:
        return False
    return not list(new.rglob("macbeth.txt"))  # the mirror has no such text


def read_to(path: Path, end: str) -> None:
    """Raise ValueError if a text does not end like this."""
    if not path.read_text().rstrip().endswith(end):
        raise ValueError(path)


def interrupt(bench: Bench, name: str, times: int, draw: random.Random) -> Tally:
    """Press the key so many times in one command."""
    tally, command = Tally(), f"{name} {COMMANDS[name]}"
    for _ in range(times):
        shutil.rmtree(bench.directory / "new", ignore_errors=True)
        bench.interrupted(command, lambda: draw.uniform(0, LONGEST.get(name, USUAL)), tally)
    return tally


def main() -> None:
    """Interrupt, and print a line of JSON for each command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--random-seed", type=int, default=0)
    parser.add_argument("names", nargs="*", default=[], metavar="COMMAND")
    arguments = parser.parse_args()
    draw = random.Random(arguments.random_seed)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(arguments.busy)
    ]
    try:
        with tempfile.TemporaryDirectory() as directory:
            bench = Bench(Path(directory), f"http://127.0.0.1:{server.server_port}")
            for name in arguments.names or COMMANDS:
                tally = interrupt(bench, name, arguments.times, draw)
                print(json.dumps({"command": name, **asdict(tally)}), flush=True)
    finally:
        for process in busy:
            process.kill()


if __name__ == "__main__":
    main()
