"""Which cells of a model tell properties of a text, compared with networks that were not trained.

    python benchmarks/cells.py MODEL TEXT... [--pattern REGEX]...

TEXT is what the model has not learned from. A score is a correlation on the second half of the
text; "accuracy" is the balanced accuracy there. Untrained networks have the sizes of the model
and the weights that a training begins with; of several, the best one at each property is listed.
"""

import argparse
import dataclasses

from tables import table

import charlstm
from charlstm.text.corpus import open_corpus
from charlstm.text.decoding import TextOptions
from charlstm.training.network import CharLSTM

MOST_CHARACTERS = 400_000


def untrained(model: charlstm.LanguageModel, seed: int) -> charlstm.LanguageModel:
    """A network of the same sizes, as it is before its first step."""
    file = model._model
    network = CharLSTM(file.config, seed=seed)
    weights = {name: weight.detach().numpy() for name, weight in network.state_dict().items()}
    return charlstm.LanguageModel(dataclasses.replace(file, weights=weights))


def accuracy(cell: charlstm.FoundCell) -> str:
    return "" if cell.accuracy is None else f"{100 * cell.accuracy:.1f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument("--pattern", action="append", default=[])
    parser.add_argument("--networks", type=int, default=3, help="untrained ones")
    given = parser.parse_args()
    model = charlstm.load(given.model)
    corpus = open_corpus(given.texts, TextOptions())
    text = "".join(corpus.chunks())[:MOST_CHARACTERS]
    how = {"pattern": given.pattern, "unknown": "skip"}
    others: dict[str, charlstm.FoundCell] = {}
    for seed in range(given.networks):
        for cell in untrained(model, seed).find_cells(text, **how):
            before = others.setdefault(cell.property_name, cell)
            if cell.score > before.score:
                others[cell.property_name] = cell
    rows = []
    for cell in model.find_cells(text, **how):
        other = others[cell.property_name]
        rows.append(
            (
                cell.property_name,
                f"{cell.layer}:{cell.unit}" if cell.found else "no cell",
                f"{cell.score:.2f}",
                f"{cell.chance:.2f}",
                accuracy(cell),
                f"{other.score:.2f}",
                accuracy(other),
            )
        )
    print(f"{len(text):,} characters\n")
    header = ("property", "cell", "score", "chance", "accuracy")
    print(table((*header, "untrained: score", "untrained: accuracy"), rows))


if __name__ == "__main__":
    main()
