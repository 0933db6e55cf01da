"""The recipe's choice beside its neighbours: one training a value of an option, as a table.

    python benchmarks/sweep.py TEXT --vary learning-rate 0.01 0.02 0.03 -- --epochs 12

What follows ``--`` goes to every ``charlstm train``. Each run is a whole process, one after the
other; run it on a machine that does nothing else.
"""

import argparse
import sys

from tables import median, table, trained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text")
    parser.add_argument("--vary", nargs="+", metavar=("OPTION", "VALUE"), required=True)
    parser.add_argument("--random-seeds", nargs="+", default=["0"])
    words = sys.argv[1:]
    cut = words.index("--") if "--" in words else len(words)
    arguments, rest = parser.parse_args(words[:cut]), words[cut + 1 :]
    option, *values = arguments.vary
    rows = []
    for value in values:
        losses, kept, seconds = [], [], []
        for seed in arguments.random_seeds:
            options = (f"--{option}", value, "--random-seed", seed, *rest)
            card, spent = trained(arguments.text, *options)
            training = card["training"]
            losses.append(training["val_loss"])
            kept.append(training["steps"] / training["planned_steps"])
            seconds.append(spent)
        rows.append(
            (
                value,
                f"{median(losses):.4f}",
                " ".join(f"{loss:.4f}" for loss in losses),
                f"{median(kept):.2f}",
                f"{median(seconds):.0f}",
            )
        )
    print(table((option, "validation, nats", "each seed", "best at", "seconds"), rows))


if __name__ == "__main__":
    main()
