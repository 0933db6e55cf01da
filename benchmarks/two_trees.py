"""Whether a change made the program slower: two checkouts, measured in turn.

    python benchmarks/two_trees.py OLD NEW TEXT

Runs the commands of both, each in a process of its own, and prints the median of each measure, and
the median of the ratios. Both train the same model, and both write with the model of OLD.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tables import median, table

TRAINING = ("--steps", "300", "--num-layers", "2", "--hidden-size", "256", "--precision", "fp32")
CHARACTERS, TEXTS, LENGTH = 50_000, 256, 200


def call(tree: Path, *words: object) -> tuple[float, bytes]:
    """The seconds that a command of ``tree`` takes, and what it writes."""
    settings = {"PYTHONPATH": str(tree), "XDG_CONFIG_HOME": "/nonexistent"}
    environment = {**os.environ, **settings}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # start-up is measured with bytecode
    command = [sys.executable, "-m", "charlstm", *map(str, words), "--quiet"]
    before = time.perf_counter()
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
    return time.perf_counter() - before, done.stdout


def measured(tree: Path, model: Path, text: Path, directory: Path) -> dict[str, float]:
    """The measures of one checkout."""
    run = directory / f"run-{time.monotonic_ns()}"
    call(tree, "train", text, "-o", run, *TRAINING)
    training = json.loads(call(tree, "inspect", "-m", run, "--json")[1])["training"]
    first, _ = call(tree, "generate", "-m", model, "-n", 1, "a")
    how = ("-m", model, "--random-seed", 1)
    stream, _ = call(tree, "generate", *how, "-n", CHARACTERS, "a")
    many, _ = call(tree, "generate", *how, "-n", LENGTH, "--samples", TEXTS, "a")
    return {
        "training, characters/s": training["characters_per_second"],
        "training, validation loss": training["val_loss"],
        "first character, ms": 1000 * first,
        "one stream, characters/s": CHARACTERS / (stream - first),
        f"{TEXTS} texts, characters/s": TEXTS * LENGTH / (many - first),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    text = arguments.text.absolute()
    trees = {"old": arguments.old.absolute(), "new": arguments.new.absolute()}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in trees}
    with tempfile.TemporaryDirectory() as directory:
        model = Path(directory, "model")
        call(trees["old"], "train", text, "-o", model, *TRAINING)
        for tree in trees.values():  # once before, so that bytecode is there
            call(tree, "generate", "-m", model, "-n", 1)
        for _ in range(arguments.repeats):
            for name, tree in trees.items():
                found[name].append(measured(tree, model, text, Path(directory)))
    rows = []
    for measure in found["old"][0]:
        old, new = ([one[measure] for one in found[name]] for name in trees)
        ratio = median([b / a for a, b in zip(old, new, strict=True)])
        rows.append((measure, f"{median(old):,.4g}", f"{median(new):,.4g}", f"{ratio:.3f}"))
    print(table(("measure", "old", "new", "new / old"), rows))


if __name__ == "__main__":
    main()
