"""How fast a page writes in Chromium, how large it is, and how often its text is that of generate.

    python -m benchmarks.pages shakespeare runs/play

The same text is looked for with the weights that are in the page, rounded to float16. At
temperature 0 a text is compared up to the first place where the two best logits are closer than
1e-4. Run it on a machine that does nothing else.
"""

import argparse
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

import charlstm
from charlstm.language_model import LanguageModel
from charlstm.pages.page import coded_weights, write_page, writing_page
from tests.browsing import OpenPage, both_logits, started, with_engine

from .tables import median, table

LENGTH = 1000
TEXTS = 100
REPEATS = 5
LONG_TASKS = """
window.longTasks = [];
new PerformanceObserver((list) => longTasks.push(...list.getEntries().map((e) => e.duration)))
  .observe({ type: "longtask", buffered: true });
"""
# Press the button, and wait for the first character that is written and for the last.
WRITE = """(seed) => new Promise((resolve) => {
  byId("random-seed").value = seed;
  const start = performance.now();
  let first = null;
  byId("write").click();
  const look = () => {
    if (first === null && view.items.some((item) => !item.given)) first = performance.now() - start;
    if (phase === "over") resolve([first, performance.now() - start]);
    else setTimeout(look, 1);
  };
  look();
})"""
TEXT = """([sizes, weights, lineEnd, seeds, length, temperature]) => {
  const lstm = new LSTM(decodeWeights(weights), sizes);
  return seeds.map((seed) => {
    const numbers = new RandomNumbers(BigInt(seed)), state = lstm.empty();
    if (lineEnd >= 0) lstm.read(state, lineEnd);
    return Array.from({ length }, () => {
      const id = draw(lstm.logits(state), { temperature, topK: 0, minP: 0 }, numbers.next());
      lstm.read(state, id);
      return id;
    });
  });
}"""


def rounded(model: LanguageModel) -> LanguageModel:
    """The model with the weights of its page."""
    file = model.model_file
    weights = {n: w.astype(np.float16).astype(np.float32) for n, w in file.weights.items()}
    return LanguageModel(replace(file, weights=weights), model.path)


def speed(browser: Any, model: LanguageModel, directory: str) -> tuple[str, ...]:
    """Size, and medians of the times of a page, as cells of a row."""
    path = Path(directory, "page.html")
    write_page(model, writing_page(model), path)
    more = path.stat().st_size - len(coded_weights(model))
    rates, firsts, longest = [], [], 0.0
    for seed in range(REPEATS):
        page = OpenPage(browser, path, script=LONG_TASKS)
        page.get("byId('phrase').value = 'To be'")  # typed, it would ask for a proposal
        first, all_of_it = page.page.evaluate(WRITE, str(seed))
        firsts.append(first)
        rates.append(LENGTH / (all_of_it / 1000))
        longest = max([longest, *page.get("longTasks")])
        page.close()
    tasks = f"{longest:.0f} ms" if longest else "none"
    return f"{more:,} B", f"{median(rates):,.0f}", f"{median(firsts):.0f} ms", tasks


def same_texts(blank: Any, model: LanguageModel, temperature: float, count: int) -> list[int]:
    """How many characters of each text are the same before the first difference."""
    file = model.model_file
    line_end = file.vocabulary.characters.find("\n")
    seeds = list(range(count))
    asked = [asdict(file.config), coded_weights(model), line_end, seeds, LENGTH, temperature]
    agreed = []
    for seed, ids in zip(seeds, blank.evaluate(TEXT, asked), strict=True):
        how = {"length": LENGTH, "temperature": temperature, "random_seed": seed}
        expected = "".join(model.generate(**how))
        found = file.vocabulary.decode(ids)
        pairs = zip(found, expected, strict=True)
        agreed.append(next((i for i, (a, b) in enumerate(pairs) if a != b), LENGTH))
    return agreed


def near_tie(model: LanguageModel) -> int:
    """Before which character of the most probable text two logits are closer than 1e-4."""
    text = "".join(model.generate(length=LENGTH, temperature=0))
    for i, row in enumerate(np.sort(np.log(model.trace(text).probabilities), axis=1)):
        if row[-1] - row[-2] < 1e-4:
            return i
    return LENGTH


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL")
    models = {name: rounded(charlstm.load(name)) for name in parser.parse_args().models}
    rows = []
    with started() as browser, tempfile.TemporaryDirectory() as directory:
        for name, model in models.items():
            blank = with_engine(browser)
            drawn = same_texts(blank, model, 0.7, TEXTS)
            (greedy,) = same_texts(blank, model, 0.0, 1)
            text = "".join(model.generate(length=LENGTH, random_seed=0))
            ids = model.model_file.vocabulary.encode(text).tolist()
            page_logits, logits = both_logits(blank, model.model_file, ids)
            difference = f"{np.abs(page_logits - logits).max():.1e}"
            blank.close()
            config = model.model_file.config
            size = f"{config.num_layers} x {config.hidden_size}"
            whole = f"{sum(n == LENGTH for n in drawn)} of {TEXTS}"
            first = f"{greedy:,} (near tie at {near_tie(model):,})"
            agreement = (difference, whole, first)
            rows.append((name, size, *speed(browser, model, directory), *agreement))
    header = ("model", "sizes", "beside the weights", "characters/s", "first character")
    header += (
        "longest task above 50 ms",
        "difference of logits",
        "same texts at 0.7",
        "same characters at 0",
    )
    print(table(header, rows))


if __name__ == "__main__":
    main()
