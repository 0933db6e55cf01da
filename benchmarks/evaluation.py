"""How fast a text is evaluated and scored, and how much memory that takes.

    python benchmarks/evaluation.py MODEL TEXT --megabytes 1 10

TEXT is repeated until it has so many million characters. The seconds and the peak memory are those
of whole processes, the seconds medians of several. "Segments" is the difference between the loss
of TEXT read in segments, as usual, and in one walk (``--exact``), in nats.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

from large_corpus import measured
from tables import CHARLSTM, ENVIRONMENT, median, table

COMMANDS = {
    "charlstm evaluate": ["evaluate", "--split", "all"],
    "charlstm score": ["score"],
    "charlstm score --lines": ["score", "--lines"],
}


def loss(model: str, text: str, *options: str) -> float:
    """The loss of a text, by ``charlstm evaluate``."""
    command = [CHARLSTM, "evaluate", "-m", model, text, "-q", "--json", "--split", "val", *options]
    done = subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT)
    return float(json.loads(done.stdout)["loss"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("text")
    parser.add_argument("--megabytes", type=int, nargs="+", default=[1])
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    text = Path(given.text).read_text(encoding="utf-8")
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        for megabytes in given.megabytes:
            characters = megabytes * 1_000_000
            file = Path(directory, f"{megabytes}.txt")
            file.write_text((text * (characters // len(text) + 1))[:characters], encoding="utf-8")
            for name, words in COMMANDS.items():
                command = [CHARLSTM, *words, "-m", given.model, "-q", str(file)]
                runs = [measured(command, ENVIRONMENT) for _ in range(given.repeats)]
                seconds = median([time for time, _ in runs])
                speed = f"{characters / seconds:,.0f}"
                peak = max(memory for _, memory in runs)
                rows.append((name, f"{characters:,}", f"{seconds:.1f}", speed, f"{peak:.0f}"))
    print(table(("command", "characters", "seconds", "characters/s", "peak MB"), rows))
    difference = abs(loss(given.model, given.text) - loss(given.model, given.text, "--exact"))
    print(f"\nSegments: {difference:.1e} nats")


if __name__ == "__main__":
    main()
