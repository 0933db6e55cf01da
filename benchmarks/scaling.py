"""How the recipe grows with the text: one training on each of several beginnings of it.

    python benchmarks/scaling.py TEXT --sizes 1000 10000 100000 1000000 --time 1m

Lengths beyond that of TEXT are left out. Each beginning holds back its own last tenth, so losses
of two lines are means over different characters. The speed is that of the run up to the model
that was kept, evaluations included.
"""

import argparse
import tempfile
from pathlib import Path

from tables import table, trained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text")
    parser.add_argument("--sizes", nargs="+", type=int, default=[10**k for k in (3, 4, 5, 6)])
    parser.add_argument("--time", default="1m")
    arguments = parser.parse_args()
    text = Path(arguments.text).read_text(encoding="utf-8")
    rows = []
    for size in arguments.sizes:
        if size > len(text):
            continue
        with tempfile.TemporaryDirectory() as directory:
            beginning = Path(directory, f"{size}.txt")
            beginning.write_text(text[:size], encoding="utf-8")
            card, seconds = trained(str(beginning), "--time", arguments.time)
        model, training = card["model"], card["training"]
        rows.append(
            (
                f"{size:,}",
                f"{seconds:.1f}",
                f"{model['num_layers']} x {model['hidden_size']}",
                f"{training['characters_per_second']:,.0f}",
                f"{training['val_loss']:.4f}",
            )
        )
    print(table(("characters", "seconds", "sizes", "characters/s", "validation, nats"), rows))


if __name__ == "__main__":
    main()
