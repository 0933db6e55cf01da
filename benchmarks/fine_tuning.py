"""What a run from the bundled model reaches, beside one from nothing, and what ``auto`` decides.

    python benchmarks/fine_tuning.py play.txt@20s novel.txt:40000@15s --random-seeds 0 1 2

A case is a text, perhaps only so many of its first characters, and a time. Both runs are whole
processes. "Regret" is how much worse than the better one that which ``auto`` chose is. Run it on
a machine that does nothing else.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from tables import median, table, trained

OPPOSITE = {"english": "none", "none": "english"}


def cut(case: str, directory: str) -> tuple[str, str, str]:
    """The file, the name and the time of a case."""
    text, asked = case.rsplit("@", 1)
    name, _, characters = text.partition(":")
    if not characters:
        return name, Path(name).stem, asked
    path = Path(directory, f"{Path(name).stem}-{characters}.txt")
    path.write_text(Path(name).read_text(encoding="utf-8")[: int(characters)], encoding="utf-8")
    return str(path), f"{Path(name).stem}, first {int(characters):,} characters", asked


def both(text: str, asked: str, seed: str) -> tuple[str, dict[str, dict[str, Any]], float]:
    """What ``auto`` chose, the training of either beginning, and the longest time that one took."""
    found: dict[str, dict[str, Any]] = {}
    options = ("--time", asked, "--random-seed", seed)
    card, longest = trained(text, *options, "--init-from", "auto")
    chosen = card["training"]["init_from"]
    found[chosen] = card["training"]
    card, seconds = trained(text, *options, "--init-from", OPPOSITE[chosen])
    found[OPPOSITE[chosen]] = card["training"]
    return chosen, found, max(longest, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="+", metavar="TEXT[:CHARACTERS]@TIME")
    parser.add_argument("--random-seeds", nargs="+", default=["0"])
    arguments = parser.parse_args()
    header = ("text", "time", "from nothing", "from english", "auto", "regret", "longest run")
    print(table(header, []), flush=True)
    with tempfile.TemporaryDirectory() as directory:
        for case in arguments.cases:
            text, name, asked = cut(case, directory)
            runs = [both(text, asked, seed) for seed in arguments.random_seeds]
            losses = {
                base: median([found[base]["val_loss"] for _, found, _ in runs]) for base in OPPOSITE
            }
            chosen = runs[0][0]
            regret = losses[chosen] / min(losses.values()) - 1
            numbers = (f"{losses['none']:.3f}", f"{losses['english']:.3f}", chosen)
            longest = max(seconds for _, _, seconds in runs)
            row = (name, asked, *numbers, f"{100 * regret:.1f} %", f"{longest:.1f} s")
            print(table(row, []).splitlines()[0], flush=True)


if __name__ == "__main__":
    main()
