"""How good a model is after how long: ``charlstm train`` for several times, whole processes.

    python benchmarks/time_to_loss.py TEXT --times 6s 10s 1m 3m --random-seeds 0 1 2 --peer

Only runs that end by T + max(3 %, 0.3 s) count; a loss in brackets is that of one that did not.
Every loss is a mean over the last tenth of TEXT, which training never reads. "Best at" is the
part of the run after which the kept model came. ``--peer`` first runs
``benchmarks/small_transformer.py`` on the same text, once; its seconds are those of its whole
process but for its last walk, which charlstm's own process does as part of its work and the
peer's original does not do. What its loss means is said in that file. Run it on a machine that
does nothing else.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from tables import ENVIRONMENT, in_time, median, table, trained

from charlstm import checks

PEER = [sys.executable, str(Path(__file__).with_name("small_transformer.py")), "--json"]


def peer(text: str) -> tuple[str, ...]:
    """The row of the small transformer."""
    before = time.perf_counter()
    process = subprocess.run([*PEER, text], check=True, stdout=subprocess.PIPE, env=ENVIRONMENT)
    seconds = time.perf_counter() - before
    result = json.loads(process.stdout)
    return (
        f"small transformer, {result['steps']} steps",
        f"{seconds - result['walk_seconds']:.1f}",
        f"{result['val_loss']:.4f}",
        f"{result['val_loss']:.4f}",
        result["sizes"],
        "-",
    )


def charlstm(text: str, asked: str, seeds: list[str]) -> tuple[str, ...]:
    """The row of ``charlstm train --time``."""
    losses, shown, seconds, sizes, best = [], [], [], [], []
    for seed in seeds:
        card, spent = trained(text, "--time", asked, "--random-seed", seed)
        model, training = card["model"], card["training"]
        loss = training["val_loss"]
        counts = in_time(checks.seconds(asked), spent)
        losses += [loss] if counts else []
        shown.append(f"{loss:.4f}" if counts else f"({loss:.4f})")
        seconds.append(spent)
        sizes.append(f"{model['num_layers']} x {model['hidden_size']}")
        best.append(training["steps"] / training["planned_steps"])
    return (
        asked,
        " ".join(f"{spent:.1f}" for spent in seconds),
        f"{median(losses):.4f}" if losses else "-",
        " ".join(shown),
        ", ".join(dict.fromkeys(sizes)),
        f"{median(best):.2f}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text")
    parser.add_argument("--times", nargs="+", default=["6s", "10s", "1m", "3m"], metavar="T")
    parser.add_argument("--random-seeds", nargs="+", default=["0", "1", "2"], metavar="N")
    parser.add_argument("--peer", action="store_true", help="beside a small transformer")
    arguments = parser.parse_args()
    rows = [peer(arguments.text)] if arguments.peer else []
    for asked in arguments.times:
        rows.append(charlstm(arguments.text, asked, arguments.random_seeds))
    header = ("time", "seconds, whole process", "validation, nats", "each seed", "sizes", "best at")
    print(table(header, rows))


if __name__ == "__main__":
    main()
