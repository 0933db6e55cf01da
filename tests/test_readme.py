"""The examples in Python that the README has, run in their order as they stand there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .examples import ROOT

SHORT = 'steps=3, hidden_size=8, init_from="none", output="runs/library"'


def test_the_examples_in_python_run(environment: dict[str, str], desk: Path) -> None:
    """They use no name that they have not imported or set; the training is shortened."""
    pytest.importorskip("onnx")
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("### In Python\n")[1]
    code = "\n".join(re.findall(r"^    (.*)|^$", section.split("\n### ")[0], re.MULTILINE))
    assert code.count('time="1m"') == 1
    done = subprocess.run(
        [sys.executable, "-c", code.replace('time="1m"', SHORT)],
        env=environment,
        cwd=desk,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout) > 400
    assert done.stdout.endswith("runs/library/model.safetensors\n")
    assert (desk / "play.html").is_file()
    assert (desk / "play.onnx").is_file()
