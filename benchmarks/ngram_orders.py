"""How many characters an n-gram should look back: its loss on the last tenth of texts.

    python benchmarks/ngram_orders.py TEXT...

A text is a file, or FILE:CHARACTERS for its beginning.
"""

import argparse
from pathlib import Path

from tables import table

from charlstm.text.ngram import NGram
from charlstm.text.vocabulary import Vocabulary

ORDERS = (2, 3, 4, 5, 6, 7, 8)


def losses(text: str) -> list[float]:
    vocabulary = Vocabulary("".join(sorted(set(text))))
    ids, V = vocabulary.encode(text), len(vocabulary)
    cut = int(0.9 * len(ids))
    return [NGram(ids[:cut], V, order).measure(ids[cut:])[0] for order in ORDERS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("texts", metavar="TEXT", nargs="+")
    rows = []
    for name in parser.parse_args().texts:
        path, _, characters = name.partition(":")
        text = Path(path).read_text("utf-8-sig")[: int(characters) if characters else None]
        found = losses(text)
        best = 100 * (found[ORDERS.index(6)] / min(found) - 1)
        rows.append(
            (Path(path).name, f"{len(text):,}", *(f"{x:.4f}" for x in found), f"{best:.1f} %")
        )
    print(table(("text", "characters", *map(str, ORDERS), "6 beside the best"), rows))


if __name__ == "__main__":
    main()
