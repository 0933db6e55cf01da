"""How long ``charlstm novelty`` takes, in whole processes, and its index for single lines.

    python benchmarks/novelty.py CORPUS TEXT...

The corpus is compared with itself, of which every character is copied, with its own words in an
order that is drawn, the same each time, and with each TEXT. MB are millions of bytes.
"""

import argparse
import random
import subprocess
import tempfile
import time
from pathlib import Path

from large_corpus import measured
from tables import CHARLSTM, ENVIRONMENT, median, table

LINES = 1000
COPIED = 40  # characters that make a copy


def compared(corpus: str, text: str, repeats: int) -> tuple[str, ...]:
    """Characters, median seconds, peak MB, and the first and last of what is found."""
    command = [CHARLSTM, "novelty", corpus, text, "-q"]
    runs = [measured(command, ENVIRONMENT) for _ in range(repeats)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT)
    found = dict(line.split("\t")[:2] for line in done.stdout.split("\n\n")[0].splitlines())
    return (
        f"{int(found['characters']):,}",
        f"{median([seconds for seconds, _ in runs]):.2f}",
        f"{max(peak for _, peak in runs):.0f}",
        found["longest passage"],
        found["16-grams in corpus"],
    )


def index_rows(corpus: str) -> list[tuple[str, str]]:
    """What the index costs to make, and a question about a line of the corpus's own words."""
    from charlstm.analysis.novelty import SuffixIndex

    text = Path(corpus).read_text(encoding="utf-8")
    before = time.perf_counter()
    index = SuffixIndex(text)
    made = time.perf_counter() - before
    words = text.split()
    drawn = random.Random(0)
    lines = [" ".join(drawn.choices(words, k=12)) for _ in range(LINES)]
    rows = [(f"made, {len(text):,} characters", f"{1e3 * made:.0f} ms")]
    size = sum(map(len, lines)) / LINES
    before = time.perf_counter()
    for line in lines:
        for start in range(len(line) - COPIED + 1):
            _ = line[start : start + COPIED] in index
    each = (time.perf_counter() - before) / LINES
    rows.append((f"{COPIED} characters copied?, a line of {size:.0f}", f"{1e3 * each:.2f} ms"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", help="a file in UTF-8")
    parser.add_argument("texts", nargs="*")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    corpus = arguments.corpus
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        shuffled = Path(directory, "shuffled.txt")
        words = Path(corpus).read_text(encoding="utf-8").split(" ")
        random.Random(0).shuffle(words)
        shuffled.write_text(" ".join(words), encoding="utf-8")
        del words
        for name, text in (
            ("itself", corpus),
            ("its words in a drawn order", str(shuffled)),
            *((Path(text).name, text) for text in arguments.texts),
        ):
            rows.append((name, *compared(corpus, text, arguments.repeats)))
    header = ("compared with", "characters", "seconds", "peak MB", "longest", "16-grams in corpus")
    print(f"charlstm novelty {Path(corpus).name} TEXT:\n")
    print(table(header, rows))
    print("\nIts index, in this process:\n")
    print(table(("index", "time"), index_rows(corpus)))


if __name__ == "__main__":
    main()
