"""Whether runs end in their time: ``charlstm train --time`` many times, as whole processes.

    python benchmarks/on_time.py TEXT --times 5s 10s 20s 1m --repeats 5 --neighbour

A run is in time if it ends by T + max(3 %, 0.3 s) and not before 0.95 T. With ``--neighbour`` each
run is done once more while another process takes one of the cores for a third of the time, a second
in every three. Then the machine has five sixths of its time left for the run on two cores, and
maybe less, since the threads of a run wait for each other.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tables import in_time, median, table, trained

from charlstm.checks import seconds

BUSY = (
    "import time\nwhile True:\n t = time.time()\n while time.time() < t + 1: pass\n time.sleep(2)"
)


@contextmanager
def neighbour(there: bool) -> Iterator[None]:
    """Another process that takes a core for a third of the time."""
    process = subprocess.Popen([sys.executable, "-c", BUSY]) if there else None
    try:
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()


def row(text: str, asked: str, repeats: int, *, busy: bool) -> tuple[str, ...]:
    """The row of so many runs with the random seeds 0, 1, 2 and so on."""
    T = seconds(asked, "time")
    spent, losses, good = [], [], 0
    for seed in range(repeats):
        with neighbour(busy):
            card, took = trained(text, "--time", asked, "--random-seed", str(seed))
        spent.append(took)
        losses.append(card["training"]["val_loss"])
        good += in_time(T, took) and took >= 0.95 * T
    return (
        asked,
        "a third of one core" if busy else "none",
        f"{good} of {repeats}",
        f"{min(spent):.2f} to {max(spent):.2f}",
        f"{median(losses):.4f}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text")
    parser.add_argument("--times", nargs="+", default=["5s", "10s", "20s", "1m"], metavar="T")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--neighbour", action="store_true")
    arguments = parser.parse_args()
    rows = [
        row(arguments.text, asked, arguments.repeats, busy=busy)
        for asked in arguments.times
        for busy in ([False, True] if arguments.neighbour else [False])
    ]
    print(table(("time", "neighbour", "in time", "seconds", "validation, nats"), rows))


if __name__ == "__main__":
    main()
