"""Fuzzing: a few dozen inputs a target in every run of the tests, thousands by ``make torture``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .fuzzing import SECONDS, TARGETS, fuzz

EXAMPLES = 40
MEGABYTES = 500
# Of each target, inputs for a process and processes: what hypothesis remembers of its inputs
# must not count as memory that reading them took.
LONG = {
    "model": (1500, 4),
    "state": (1000, 4),
    "dataset": (1500, 4),
    "settings": (1500, 4),
    "corpus": (1500, 4),
    "metrics": (1500, 4),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("target", TARGETS)
def test_hostile_files_are_refused_or_used(target: str, tmp_path: Path) -> None:
    """Nothing but a CharLSTMError comes of them, in time."""
    figures = fuzz(target, EXAMPLES, tmp_path)
    assert figures["inputs"] >= EXAMPLES


@pytest.mark.torture
@pytest.mark.parametrize("target", TARGETS)
def test_thousands_of_hostile_files(
    target: str, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The same in processes of their own, whose memory is measured."""
    examples, processes = LONG[target]
    inputs, slowest, peak = 0, 0.0, 0
    for _ in range(processes):
        command = [sys.executable, "-W", "ignore", "-m", "tests.fuzzing", target, str(examples)]
        done = subprocess.run(
            command,
            cwd=Path(__file__).parents[1],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()[-5000:]
        figures = json.loads(done.stdout)
        inputs += figures["inputs"]
        slowest = max(slowest, figures["slowest_seconds"])
        peak = max(peak, figures["peak_megabytes"])
    with capsys.disabled():
        sys.stdout.write(f"\n{target}: {inputs:,} inputs, slowest {slowest} s, peak {peak} MB\n")
    assert inputs >= examples * processes
    assert slowest < SECONDS
    assert peak < MEGABYTES
