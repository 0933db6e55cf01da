"""A corpus of a gigabyte: how fast it is encoded, and how much memory each process ever held.

    python benchmarks/large_corpus.py --megabytes 1000 --time 30s

The corpus is drawn, the same each time: words of random letters as often as Zipf's law has it, in
lines that are sentences, all ASCII; a few megabytes of it in ever new order. The peak of a process
counts the pages of mapped files that it has in memory. "Above torch" is what training holds beyond
a process that does one tiny LSTM step in bf16; both use the CPU alone. MB are millions of bytes.
"""

import argparse
import itertools
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tables import CHARLSTM, ENVIRONMENT, table

MB = 10**6
WORDS, SENTENCES = 20_000, 50_000
LETTERS = "eeeeeetttttaaaaooooiiiinnnnssshhhrrrddllccuummwwffggyyppbvk"
TINY_STEP = """
import torch
lstm = torch.nn.LSTM(8, 8)
with torch.autocast("cpu", torch.bfloat16):
    hidden, _ = lstm(torch.zeros(4, 1, 8))
hidden.float().sum().backward()
"""


def write_corpus(path: Path, size: int) -> None:
    """Write ``size`` bytes of English-like text: the same SENTENCES in another order each time."""
    rng = random.Random(0)
    words = ["".join(rng.choices(LETTERS, k=rng.randint(1, 9))) for _ in range(WORDS)]
    zipf = list(itertools.accumulate(1 / rank for rank in range(1, WORDS + 1)))
    sentences = []
    for _ in range(SENTENCES):
        chosen = rng.choices(words, cum_weights=zipf, k=rng.randint(4, 16))
        chosen[rng.randrange(3)] += rng.choice(("", "", ",", ";"))
        sentences.append(" ".join(chosen).capitalize() + rng.choice("....?!") + "\n")
    with path.open("wb") as file:
        while size > 0:
            rng.shuffle(sentences)
            size -= file.write("".join(sentences).encode()[:size])


def measured(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """The wall-clock seconds of a command and its peak resident memory in MB.

    No child's peak is below its parent's, so this process keeps small: it imports no numpy.
    """
    before = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - before
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, bytes
    return seconds, usage.ru_maxrss * unit / MB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--time", default="30s", help="of training")
    parser.add_argument("--directory", help="where to work, on a disk with room for thrice as much")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        corpus, run = str(Path(directory, "corpus.txt")), str(Path(directory, "run"))
        write_corpus(Path(corpus), arguments.megabytes * MB)
        environment = {**ENVIRONMENT, "TMPDIR": directory}  # a run keeps its encoded text there
        one_thread = {**environment, "OPENBLAS_NUM_THREADS": "1"}  # numpy's threads take memory

        data = str(Path(directory, "out.data"))
        seconds, peak = measured([CHARLSTM, "dataset", corpus, "-o", data, "-q"], one_thread)
        speed = f"{arguments.megabytes / seconds:.0f}"
        rows.append(("charlstm dataset", f"{seconds:.1f}", speed, f"{peak:.0f}", ""))

        torch_seconds, torch_peak = measured([sys.executable, "-c", TINY_STEP], environment)
        train = [CHARLSTM, "train", corpus, "-q", "-o", run, "--device", "cpu"]
        seconds, peak = measured([*train, "--time", arguments.time], environment)
        name = f"charlstm train --time {arguments.time}"
        rows.append((name, f"{seconds:.1f}", "", f"{peak:.0f}", f"{peak - torch_peak:.0f}"))
        rows.append(("one tiny LSTM step", f"{torch_seconds:.1f}", "", f"{torch_peak:.0f}", "0"))

        seconds, peak = measured([sys.executable, "-c", "import torch"], environment)
        above = f"{peak - torch_peak:.0f}"
        rows.append(('python -c "import torch"', f"{seconds:.1f}", "", f"{peak:.0f}", above))
    header = (f"{arguments.megabytes:,} MB", "seconds", "MB/s", "peak MB", "above torch, MB")
    print(table(header, rows))


if __name__ == "__main__":
    main()
