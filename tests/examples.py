"""The examples of the documents: how they are found, and how they are run in bash."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLAY = ROOT / "corpora" / "a-bell-for-cold-hythe.txt"
NAMES = "Anna\nBerta\nClara\nDora\nEmma\nFrieda\nGreta\nHanna\nIda\nJohanna\nKlara\nLina\n"
ESCAPES = {r"\-": "-", r"\(aq": "'", r"\e": "\\", r"\&": ""}


def blocks_of(page: Path) -> list[str]:
    """The literal blocks of the section EXAMPLES of a manual page, as a reader sees them."""
    section = page.read_text(encoding="utf-8").split("\n.Sh EXAMPLES\n")[1].split("\n.Sh ")[0]
    blocks = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", section, re.DOTALL | re.MULTILINE)
    return [re.sub(r"\\(?:-|\(aq|e|&)", lambda m: ESCAPES[m[0]], block) for block in blocks]


def readme_lines(command: str) -> list[str]:
    """The command lines in the README's section of a command."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split(f"### charlstm {command}\n")[1]
    lines = section.split("\n### ")[0].splitlines()
    return [line.strip() for line in lines if line.startswith("    ")]


def run(example: str, environment: dict[str, str], desk: Path) -> str:
    """What an example writes, once it did so without an error; skips where a program is missing."""
    if "jq " in example and not shutil.which("jq"):
        pytest.skip("jq is not installed")
    done = subprocess.run(
        ["bash", "-c", example],
        cwd=desk,
        env={
            **environment,
            "PATH": f"{desk / 'bin'}:{environment['PATH']}",
            "LC_ALL": "C",
            "CHARLSTM_TRAIN_STEPS": "30",
            "CHARLSTM_TRAIN_HIDDEN_SIZE": "24",
            "CHARLSTM_TRAIN_QUIET": "1",
        },
        capture_output=True,
        timeout=120,
        check=False,
    )
    said = done.stderr.decode()
    assert "error" not in said, said
    return done.stdout.decode()
