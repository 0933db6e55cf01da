"""Whether a text without end takes no more memory as it grows.

    python benchmarks/endless.py --millions 10

Reads so many million characters from ``charlstm generate -n 0`` and prints the memory of its
process on the way (Linux). The model is small, 1 x 64, since its size is not what is asked.
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

from tables import CHARLSTM, ENVIRONMENT, table

MILLION = 1_000_000


def resident(process: int) -> float:
    """The megabytes of a process that are in memory."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=int, default=10)
    millions = parser.parse_args().millions
    with tempfile.TemporaryDirectory() as directory:
        text, run = Path(directory, "text.txt"), str(Path(directory, "run"))
        text.write_text("It was the best of times, it was the worst of times,\n" * 40)
        sizes = ["--hidden-size", "64", "--num-layers", "1", "--steps", "100"]
        train = [CHARLSTM, "train", str(text), "-q", "-o", run, *sizes]
        subprocess.run(train, check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
        generate = [CHARLSTM, "generate", "-m", run, "-q", "-n", "0", "--random-seed", "1"]
        began = time.monotonic()
        process = subprocess.Popen(generate, stdout=subprocess.PIPE, env=ENVIRONMENT)
        assert process.stdout is not None
        rows = []
        for reached in (0.01, *range(1, millions + 1)):
            missing = int(reached * MILLION) - (int(rows[-1][0] * MILLION) if rows else 0)
            while missing:
                missing -= len(process.stdout.read(min(missing, 1 << 16)))
            rows.append(
                (reached, f"{resident(process.pid):.1f}", f"{time.monotonic() - began:.0f}")
            )
        process.kill()
        process.wait()
    print(table(("million characters", "MB", "seconds"), rows))


if __name__ == "__main__":
    main()
