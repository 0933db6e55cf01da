"""What the benchmarks share: timing whole processes and trainings, and tables in Markdown."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Compiled bytecode is what users have; a benchmark of start-up must have it too.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
# A run begins from nothing, unless what it begins from is what a benchmark is about.
ENVIRONMENT["CHARLSTM_TRAIN_INIT_FROM"] = "none"
CHARLSTM = str(Path(sys.executable).with_name("charlstm"))


def process_seconds(command: Sequence[str], repeats: int) -> list[float]:
    """Wall-clock seconds of each of ``repeats`` runs of a command, after one that warms up."""
    times = []
    for run in range(repeats + 1):
        before = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT)
        if run:
            times.append(time.perf_counter() - before)
    return times


def trained(text: str, *options: str) -> tuple[dict[str, Any], float]:
    """The model card that ``charlstm train`` leaves, and its whole process's seconds."""
    with tempfile.TemporaryDirectory() as directory:
        run = str(Path(directory, "run"))
        train = [CHARLSTM, "train", text, "-q", "-o", run, *options]
        before = time.perf_counter()
        subprocess.run(train, check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
        seconds = time.perf_counter() - before
        inspect = [CHARLSTM, "inspect", "-m", run, "--json"]
        card = subprocess.run(inspect, check=True, stdout=subprocess.PIPE, env=ENVIRONMENT)
        return json.loads(card.stdout), seconds


def in_time(asked: float, seconds: float) -> bool:
    """Whether a run that was asked for so many seconds took no more than may be called that."""
    return seconds <= asked + max(0.03 * asked, 0.3)


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def median(values: Sequence[float]) -> float:
    """The middle value, which one slow run does not move."""
    return statistics.median(values)
