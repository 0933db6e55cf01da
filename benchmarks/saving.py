"""What it costs to be able to resume: the time that saved states take, of the time of a run.

    python benchmarks/saving.py TEXT

First the seconds that one state takes to make and to write, for several sizes, beside the interval
at which ``charlstm train`` writes them by default. Then whole runs of the same steps, in turn with
a state every second and with none but the first and the last.
"""

import argparse
import tempfile
import time
from pathlib import Path

from tables import median, table, trained

from charlstm.training import train
from charlstm.training.events import Started, Step, TextRead
from charlstm.training.run_directory import SAVE_SECONDS, SAVE_SHARE

SIZES = ((1, 128), (2, 256), (2, 512), (2, 1024), (4, 2048))
REPEATS = 5


def seconds_of_a_state(text: str, num_layers: int, hidden_size: int) -> tuple[float, float, int]:
    """Median and largest seconds of writing a state, and its bytes, in a run that goes on."""
    sizes = {"num_layers": num_layers, "hidden_size": hidden_size}
    with tempfile.TemporaryDirectory(dir=".") as directory:
        output = Path(directory, "run")
        events = train(text, output=output, steps=10**6, **sizes)
        assert isinstance(next(events), TextRead)
        assert isinstance(next(events), Started)
        assert isinstance(next(events), Step)  # the optimizer has its moments from here on
        run = events.gi_frame.f_locals["run"]
        times = []
        for _ in range(REPEATS):
            before = time.perf_counter()
            run.directory.write(run.checkpoint())
            times.append(time.perf_counter() - before)
        events.close()
        return median(times), max(times), (output / "state.safetensors").stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text")
    parser.add_argument("--steps", default="400", help="of the whole runs")
    arguments = parser.parse_args()
    rows = []
    for num_layers, hidden_size in SIZES:
        middle, longest, size = seconds_of_a_state(arguments.text, num_layers, hidden_size)
        interval = max(SAVE_SECONDS, middle / SAVE_SHARE)
        rows.append(
            (
                f"{num_layers} x {hidden_size}",
                f"{size / 1e6:.1f}",
                f"{1e3 * middle:.0f}",
                f"{1e3 * longest:.0f}",
                f"{interval:.0f}",
                f"{middle / interval:.2%}",
            )
        )
    header = ("sizes", "MB", "median ms", "longest ms", "every, s", "of the time")
    print(table(header, rows), end="\n\n")

    found: dict[str, list[float]] = {"1s": [], "1h": []}
    for _ in range(REPEATS):
        for interval, seconds in found.items():
            options = ("--steps", arguments.steps, "--save-every", interval)
            seconds.append(trained(arguments.text, *options)[1])
    slower = median(found["1s"]) / median(found["1h"]) - 1
    rows = [(k, f"{median(v):.1f}", " ".join(f"{s:.1f}" for s in v)) for k, v in found.items()]
    print(table(("--save-every", "seconds, median", "each"), rows))
    print(f"\na state every second: {slower:+.1%}; every minute, a sixtieth of that")


if __name__ == "__main__":
    main()
