"""Kill a training again and again, resume it each time, and compare it with one left in peace.

    python -m tests.torture --kills 200

Three ways to die, in turn: SIGKILL from outside at a random moment; SIGKILL at a random line of
the code that writes files; and the kernel's SIGXFSZ in the middle of a write, at a random byte.
After each death every file that is there must be sound. A run that comes to its end must have the
weights, the state and the metrics of the run that nobody killed.
"""

import argparse
import hashlib
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import charlstm.training.loop
import charlstm.training.resume  # noqa: F401 (loads all of torch that a training needs)
from charlstm.cli.main import main as charlstm_main
from charlstm.model.model_file import load_model
from charlstm.training.checkpoint import load_checkpoint

from .conftest import VERSE

WAYS = ("at a random moment", "at a line that writes", "in the middle of a write")
WRITERS = ("files.py", "run_directory.py", "checkpoint.py")
OPTIONS = (
    "--steps", "240", "--eval-every", "20", "--hidden-size", "24", "--embedding-size", "8",
    "--batch-size", "6", "--seq-length", "16", "--dropout", "0.3", "--weight-dropout", "0.2",
    "--device", "cpu", "--threads", "1", "--save-every", "0.02s", "--quiet",
)  # fmt: skip


def start(words: list[str], way: str | None, draw: random.Random, sizes: list[int]) -> int:
    """A child process that runs ``charlstm`` with these words, to die in this way; its number."""
    number = os.fork()
    if number:
        return number
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    if way == "at a line that writes":
        sys.settrace(dying_at(draw.randrange(400)))
    elif way == "in the middle of a write":
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        limit = draw.randrange(max(sizes) + 1)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os._exit(charlstm_main(words))


def dying_at(line: int) -> Any:
    """A trace function that kills its process at this line, counted in the code that writes."""
    left = line

    def inside(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        left -= event == "line"
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return inside

    def entering(frame: FrameType, event: str, argument: Any) -> Any:
        return inside if Path(frame.f_code.co_filename).name in WRITERS else None

    return entering


def inspect(run: Path) -> None:
    """Raise an error if a file of the run cannot be read, or only in part."""
    if (run / "model.safetensors").exists():
        load_model(run / "model.safetensors")
    if (run / "state.safetensors").exists():
        load_checkpoint(run / "state.safetensors")


def summary(run: Path) -> dict[str, Any]:
    """What two runs must have in common: weights, last state and metrics, without the clock's."""
    weights = hashlib.sha256()
    for name, weight in sorted(load_model(run / "model.safetensors").weights.items()):
        weights.update(name.encode() + weight.tobytes())
    state = hashlib.sha256()
    saved = load_checkpoint(run / "state.safetensors")
    for name, value in flat({"progress": saved.progress, "tensors": saved.tensors}):
        state.update(f"{name}{value.tolist() if hasattr(value, 'tolist') else value}".encode())
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    kept = ("step", "epoch", "loss", "val_loss", "learning_rate")
    return {
        "weights": weights.hexdigest(),
        "state": state.hexdigest(),
        "metrics": [{key: line.get(key) for key in kept} for line in lines],
    }


def flat(value: Any, name: str = "") -> list[tuple[str, Any]]:
    """The leaves of nested dictionaries and lists, with their places."""
    if isinstance(value, dict):
        return [leaf for key in value for leaf in flat(value[key], f"{name}.{key}")]
    if isinstance(value, list | tuple):
        return [leaf for i, item in enumerate(value) for leaf in flat(item, f"{name}.{i}")]
    return [(name, value)]


def wait(number: int, seconds: float | None) -> int:
    """The exit status of a child as ``os.waitpid`` has it, once it ended or is killed in time."""
    deadline = time.monotonic() + (600 if seconds is None else seconds)
    while True:
        done, status = os.waitpid(number, os.WNOHANG)
        if done:
            return status
        if time.monotonic() > deadline:
            os.kill(number, signal.SIGKILL)
            return os.waitpid(number, 0)[1]
        time.sleep(0.001)


def torture(directory: Path, kills: int, random_seed: int) -> dict[str, Any]:
    """Kill as often as asked, in as many runs as that takes; say how it went.

    Raises AssertionError where a run was harmed.
    """
    draw = random.Random(random_seed)
    text = directory / "verse.txt"
    text.write_text(VERSE * 8)
    began = time.monotonic()
    new = ["train", str(text), *OPTIONS, "--output"]
    status = wait(start([*new, str(directory / "whole")], None, draw, []), None)
    assert status == 0, f"the run that nobody killed ended with status {status >> 8}"
    whole_seconds = time.monotonic() - began
    whole = summary(directory / "whole")
    sizes = [path.stat().st_size for path in (directory / "whole").iterdir()]

    deaths: Counter[str] = Counter()
    resumed = begun_again = no_room = runs = 0
    while sum(deaths.values()) < kills:
        runs += 1
        run = directory / f"run-{runs}"
        while True:
            enough = sum(deaths.values()) >= kills
            way = None if enough else WAYS[sum(deaths.values()) % len(WAYS)]
            goes_on = (run / "state.safetensors").exists()
            words = ["train", "--quiet", "--resume", str(run)] if goes_on else [*new, str(run)]
            resumed += goes_on
            begun_again += run.exists() and not goes_on
            child = start(words, way, random.Random(draw.random()), sizes)
            status = wait(child, None if enough else draw.uniform(0, whole_seconds / 2))
            inspect(run)
            if os.WIFSIGNALED(status):
                name = signal.Signals(os.WTERMSIG(status)).name
                assert name in ("SIGKILL", "SIGXFSZ"), name
                deaths[f"{name} {way}"] += 1
                continue
            if way == WAYS[2] and os.WEXITSTATUS(status) == 1:
                no_room += 1  # a write that found some room ends short, and without a signal
                continue
            # A run that was killed after its last state is complete, and is not resumed.
            complete = goes_on and load_checkpoint(run / "state.safetensors").finished
            done = os.WEXITSTATUS(status) == 0 or (os.WEXITSTATUS(status) == 1 and complete)
            assert done, f"{words} ended with status {status >> 8}"
            break
        assert summary(run) == whole, f"{run} differs from the run that nobody killed"
        left = [path.name for path in run.iterdir() if path.name.endswith(".tmp")]
        assert not left, f"{run} keeps {left}"
    return {
        "kills": sum(deaths.values()),
        "resumed": resumed,
        "begun again": begun_again,
        "ended for want of room": no_room,
        "runs": runs,
        "weights": whole["weights"],
        "seconds": round(time.monotonic() - began),
        "deaths": dict(deaths),
    }


def main() -> NoReturn:
    """Torture, and print what came of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--random-seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        print(
            json.dumps(torture(Path(directory), arguments.kills, arguments.random_seed), indent=1)
        )
    sys.exit()


if __name__ == "__main__":
    main()
