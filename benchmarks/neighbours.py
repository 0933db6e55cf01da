"""The recipe's own choice for each text, beside what lies on both sides of it.

    python benchmarks/neighbours.py TEXT... --time 1m

The recipe trains first. Then one value of its choice is halved or doubled: hidden size, learning
rate, dropout (at most 0.8; from 0 there is only 0.1). Layers, hidden size and window are otherwise
kept as the recipe chose them, and the rest stays its own to choose. All have the same time, as
whole processes, one after the other; run it on a machine that does nothing else.
"""

import argparse
import subprocess

from tables import table, trained

MOST_DROPOUT, LEAST_DROPOUT = 0.8, 0.1


def neighbours(hidden_size: int, learning_rate: float, dropout: float) -> list[tuple[str, str]]:
    """Options of ``charlstm train`` and the values they get, one change a training."""
    dropouts = {dropout / 2, min(2 * dropout, MOST_DROPOUT)} if dropout else {LEAST_DROPOUT}
    return [
        ("hidden-size", f"{hidden_size // 2}"),
        ("hidden-size", f"{hidden_size * 2}"),
        ("learning-rate", f"{learning_rate / 2:g}"),
        ("learning-rate", f"{learning_rate * 2:g}"),
        *(("dropout", f"{value:g}") for value in sorted(dropouts - {dropout})),
    ]


def compare(text: str, *options: str) -> str:
    """The table of one text, and its best neighbour's gain."""
    card, seconds = trained(text, *options)
    model, training = card["model"], card["training"]
    hidden_size, learning_rate = model["hidden_size"], training["learning_rate"]
    recipe, dropout = training["val_loss"], model["dropout"]
    values = f"{model['num_layers']} x {hidden_size}, {learning_rate:g}, {dropout:g}"
    sizes = [
        *("--hidden-size", str(hidden_size), "--num-layers", str(model["num_layers"])),
        *("--seq-length", str(training["seq_length"])),
    ]
    rows = [("none (size, rate, dropout)", values, f"{recipe:.4f}", "", f"{seconds:.0f}")]
    gains = []
    for option, value in neighbours(hidden_size, learning_rate, dropout):
        try:
            card, seconds = trained(text, *options, *sizes, f"--{option}", value)
        except subprocess.CalledProcessError:  # it has said why; the others are still of interest
            rows.append((option, value, "failed", "", ""))
            continue
        loss = card["training"]["val_loss"]
        change = 100 * (loss / recipe - 1)
        rows.append((option, value, f"{loss:.4f}", f"{change:+.1f}", f"{seconds:.0f}"))
        gains.append((-change, f"{option} {value}"))
    header = ("change", "value", "validation, nats", "of the recipe's, %", "seconds")
    gain, best = max(gains, default=(0.0, "none"))
    return f"{text}\n\n{table(header, rows)}\n\nbest neighbour's gain: {gain:.1f} % ({best})\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument("--time", default="1m")
    parser.add_argument("--random-seed", default="0")
    arguments = parser.parse_args()
    for text in arguments.texts:
        options = ("--time", arguments.time, "--random-seed", arguments.random_seed)
        print(compare(text, *options), flush=True)


if __name__ == "__main__":
    main()
