"""A training that is killed and resumed: a few times, and by ``make torture`` hundreds of times."""

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
