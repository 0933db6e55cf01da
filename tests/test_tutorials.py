"""``docs/tutorials.md``, from its first example to its last."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from .examples import ROOT, run

PAGE = ROOT / "docs" / "tutorials.md"


def examples() -> list[tuple[str, str]]:
    """The examples of the page in its order, each with its language."""
    text = PAGE.read_text(encoding="utf-8")
    found = []
    for part in re.finditer(r"^```python\n((?s:.*?))^```|^    (charlstm .*)$", text, re.MULTILINE):
        found.append(("python", part[1]) if part[1] else ("bash", part[2]))
    return found


def test_the_page_does_what_it_says(environment: dict[str, str], desk: Path) -> None:
    """A reader can follow it from the top: each example finds what those before it made."""
    shutil.rmtree(desk / "runs")
    assert {language for language, _ in examples()} == {"python", "bash"}
    for language, example in examples():
        if "| jq " in example and not shutil.which("jq"):
            continue
        if language == "bash":
            run(example.replace("--epochs 2", "--epochs 0.1"), environment, desk)
            continue
        small = example.replace("epochs=1", "steps=10, hidden_size=16")
        done = subprocess.run(
            [sys.executable, "-c", small],
            cwd=desk, env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), example
    assert (desk / "losses.svg").read_text().startswith("<?xml")
    assert (desk / "play.npz").exists()


def test_the_page_has_the_steps_of_a_tutorial() -> None:
    """They come in the order of a notebook, each under its own heading."""
    titles = re.findall(r"^## (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    steps = ("vocabulary", "one-hot", "fit", "summary", "history", "evaluate", "predict")
    found = [next(i for i, title in enumerate(titles) if step in title.lower()) for step in steps]
    assert found == sorted(found)


def test_the_page_names_modules_that_exist() -> None:
    """Each link leads to a module of the program."""
    links = re.findall(r"\]\((\.\./[^)]+)\)", PAGE.read_text(encoding="utf-8"))
    assert len(links) >= 10
    for link in links:
        assert (PAGE.parent / link).exists(), link
