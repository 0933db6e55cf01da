"""Trainings that are killed, and commands that are interrupted.

In the tests a few times, and by ``make torture`` hundreds of times.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def tortured(kills: int, environment: dict[str, str]) -> dict[str, object]:
    """What ``tests/torture.py`` tells, which ends with an error where a run was harmed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.torture", "--kills", str(kills)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_a_training_survives_kills(environment: dict[str, str]) -> None:
    """At any moment, and inside writes; it ends in the very weights, state and metrics."""
    found = tortured(15, environment)
    assert found["kills"] == 15


@pytest.mark.torture
def test_a_training_survives_hundreds_of_kills(environment: dict[str, str]) -> None:
    """The same, at length."""
    found = tortured(500, environment)
    print(json.dumps(found, indent=1))
    assert found["kills"] == 500


def interrupted(environment: dict[str, str], *words: object) -> dict[str, dict[str, object]]:
    """What ``tests/interruptions.py`` tells of each command."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.interruptions", *map(str, words)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line.pop("command"): line for line in lines}


def assert_all_ended(found: dict[str, dict[str, object]], times: int) -> None:
    """Each time, without a traceback, and with nothing left that stays."""
    for command, tally in found.items():
        assert tally["tried"] == times, command
        for fault in ("lost", "tracebacks", "half_written", "not_swept"):
            assert tally[fault] == 0, (command, tally)


linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")


@linux
def test_ctrl_c_at_a_random_moment(environment: dict[str, str]) -> None:
    """The loop of a shell around a command ends, and no file is half written."""
    names = ["corpus get", "generate --save-state", "dataset", "export", "train"]
    found = interrupted(environment, "--times", 1, *names)
    assert list(found) == names
    assert_all_ended(found, 1)


@linux
@pytest.mark.torture
@pytest.mark.parametrize("busy", [0, 2])
def test_ctrl_c_at_many_moments_of_every_command(environment: dict[str, str], busy: int) -> None:
    """Alone, and beside two busy processes."""
    found = interrupted(environment, "--times", 30, "--busy", busy)
    print(json.dumps(found, indent=1))
    assert len(found) > 20
    assert_all_ended(found, 30)
