"""The examples of ``charlstm-export(1)`` and ``charlstm-report(1)``, each run in bash."""

import importlib.util
import sys
from pathlib import Path

import pytest

from .examples import ROOT, blocks_of, run

EXAMPLES = [
    block
    for name in ("export", "report")
    for block in blocks_of(ROOT / "man" / f"charlstm-{name}.1")
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split("\n")[0][:50])
def test_an_example_of_the_page_writes_what_it_says(
    environment: dict[str, str], desk: Path, example: str
) -> None:
    """A page for each path that is printed; the ONNX file is computed by another program."""
    if "onnxruntime" in example and importlib.util.find_spec("onnxruntime") is None:
        pytest.skip("onnxruntime is not installed")
    python = desk / "bin" / "python3"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (desk / "texts").mkdir(exist_ok=True)
    (desk / "texts" / "play.txt").write_bytes((desk / "play.txt").read_bytes())
    out = run(example, environment, desk)
    printed = [desk / line for line in out.splitlines()]
    pages = [path for path in printed if path.suffix == ".html"]
    assert all(page.read_text().startswith("<!doctype html>") for page in pages)
    assert pages or out.startswith("play.onnx\nTo be")
