"""How fast text is written, beside the machine's limits and beside torch.

    python benchmarks/generation.py

One stream, against the bare products of a vector with the same matrices and against plain torch
loops over the same model, with torch's own choice of threads; many texts at once, against the bare
products of matrices on all cores; a few texts at once, against a loop that writes one after the
other; and how seldom a text among many differs from the same text alone, whose products round
differently. The models are drawn, but for the last.
"""

import argparse
import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # numpy's, as the command has it; torch's are its own

import numpy as np
import torch
from tables import median, table

from charlstm import LanguageModel
from charlstm.model.config import ModelConfig
from charlstm.model.lstm import LSTM
from charlstm.model.model_file import ModelFile, load_model
from charlstm.text.corpus import Fingerprint
from charlstm.text.decoding import TextOptions
from charlstm.text.vocabulary import Vocabulary
from charlstm.training.network import CharLSTM

LETTERS = "\n" + "".join(chr(code) for code in range(33, 97))
REPEATS = 7


def drawn_model(num_layers: int, hidden_size: int) -> ModelFile:
    """A model of these sizes with weights as training begins with them."""
    config = ModelConfig(
        vocab_size=len(LETTERS), embedding_size=64, hidden_size=hidden_size, num_layers=num_layers
    )
    weights = {k: v.detach().numpy() for k, v in CharLSTM(config, seed=0).state_dict().items()}
    return ModelFile(
        config=config,
        weights=weights,
        vocabulary=Vocabulary(LETTERS),
        fingerprint=Fingerprint(name="drawn", sha256="", characters=1),
        text=TextOptions(),
        training={},
        command="",
    )


def rate(write: Callable[[int], None], characters: int) -> float:
    """Characters a second."""
    before = time.perf_counter()
    write(characters)
    return characters / (time.perf_counter() - before)


def products(lstm: LSTM, batch: int | None) -> Callable[[int], None]:
    """All products of so many steps and nothing else: what must be read of the weights, once."""
    matrices = [lstm.first, *lstm.later, lstm.output]
    shapes = [((batch,) if batch else ()) + (len(m),) for m in matrices]
    inputs = [np.ones(shape, np.float32) for shape in shapes]
    outputs = [np.dot(x, m) for x, m in zip(inputs, matrices, strict=True)]
    triples = list(zip(inputs, matrices, outputs, strict=True))

    def run(steps: int) -> None:
        for _ in range(steps // (batch or 1)):
            for x, m, out in triples:
                np.dot(x, m, out)

    return run


def stream(model: ModelFile) -> Callable[[int], None]:
    def run(characters: int) -> None:
        for _ in LanguageModel(model).generate(random_seed=0, length=characters):
            pass

    return run


def torch_lstm(model: ModelFile) -> Callable[[int], None]:
    """The usual loop: ``nn.LSTM``, one step a call."""
    module = CharLSTM(model.config).eval()
    module.load_state_dict({k: torch.from_numpy(w) for k, w in model.weights.items()})

    @torch.no_grad()
    def run(characters: int) -> None:
        state, i = module.zero_state(1), torch.zeros(1, 1, dtype=torch.int64)
        for _ in range(characters):
            logits, state = module(i, state)
            i = torch.multinomial(torch.softmax(logits[0] / 0.7, -1), 1)

    return run


def torch_cells(model: ModelFile) -> Callable[[int], None]:
    """The quicker loop: ``nn.LSTMCell`` for each layer."""
    module = CharLSTM(model.config)
    module.load_state_dict({k: torch.from_numpy(w) for k, w in model.weights.items()})
    cells = []
    for layer in module.layers:
        cell = torch.nn.LSTMCell(layer.input_size, layer.hidden_size)
        cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
        cells.append(cell)

    @torch.no_grad()
    def run(characters: int) -> None:
        H = model.config.hidden_size
        state = [(torch.zeros(1, H), torch.zeros(1, H)) for _ in cells]
        i = torch.zeros(1, dtype=torch.int64)
        for _ in range(characters):
            x = module.embedding(i)
            for n, cell in enumerate(cells):
                state[n] = cell(x, state[n])
                x = state[n][0] + x if n else state[n][0]
            i = torch.multinomial(torch.softmax(module.output(x) / 0.7, -1), 1)[0]

    return run


def on_all_cores(run: Callable[[int], Callable[[int], None]]) -> Callable[[int], None]:
    """The same work on each core at a time, a share of it each."""
    cores = len(os.sched_getaffinity(0))
    workers = [run(n) for n in range(cores)]

    def share(characters: int) -> None:
        with ThreadPoolExecutor(cores) as pool:
            list(pool.map(lambda work: work(characters // cores), workers))

    return share


def batch(model: ModelFile, count: int, length: int) -> Callable[[int], None]:
    def run(characters: int) -> None:
        assert characters == count * length
        for _ in LanguageModel(model).generate_many(samples=count, random_seed=0, length=length):
            pass

    return run


def one_stream() -> str:
    rows = []
    for num_layers, hidden_size in ((2, 128), (2, 256), (2, 512)):
        model = drawn_model(num_layers, hidden_size)
        ways = {
            "products": (products(model.lstm, None), 8000),
            "charlstm": (stream(model), 8000),
            "nn.LSTM": (torch_lstm(model), 300),
            "nn.LSTMCell": (torch_cells(model), 600),
        }
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(REPEATS):
            for name, (write, characters) in ways.items():
                rates[name].append(rate(write, characters))
        ours = rates["charlstm"]
        ratios = [
            median([a / b for a, b in zip(ours, others, strict=True)])
            for others in list(rates.values())[:1] + list(rates.values())[2:]
        ]
        rows.append(
            (
                f"{num_layers} x {hidden_size}",
                *(f"{median(found):,.0f}" for found in rates.values()),
                f"{ratios[0]:.2f}",
                f"{ratios[1]:.0f}",
                f"{ratios[2]:.1f}",
            )
        )
    header = ("one stream", "products alone", "charlstm", "nn.LSTM", "nn.LSTMCell")
    return table((*header, "of the limit", "times nn.LSTM", "times nn.LSTMCell"), rows)


def many_texts(count: int = 256) -> str:
    rows = []
    for num_layers, hidden_size, length in ((2, 256, 100), (2, 512, 40)):
        model = drawn_model(num_layers, hidden_size)
        limit = on_all_cores(lambda _: products(model.lstm, 128))  # noqa: B023 (used at once)
        ours = batch(model, count, length)
        pairs = [(rate(limit, count * length), rate(ours, count * length)) for _ in range(REPEATS)]
        rows.append(
            (
                f"{num_layers} x {hidden_size}",
                *(f"{median(found):,.0f}" for found in zip(*pairs, strict=True)),
                f"{median([ours / limit for limit, ours in pairs]):.2f}",
            )
        )
    return table((f"{count} texts", "products alone", "charlstm", "of the limit"), rows)


def few_texts(length: int = 200) -> str:
    rows = []
    for num_layers, hidden_size in ((2, 128), (2, 256), (2, 384), (2, 512)):
        model = drawn_model(num_layers, hidden_size)
        one = stream(model)
        for count in (2, 3, 4, 8, 16, 32):
            together = batch(model, count, length)
            pairs = []
            for _ in range(REPEATS):
                loop = sum(length / rate(one, length) for _ in range(count))
                pairs.append((loop, count * length / rate(together, count * length)))
            rows.append(
                (
                    f"{num_layers} x {hidden_size}",
                    count,
                    *(f"{1000 * median(found):.0f}" for found in zip(*pairs, strict=True)),
                    f"{median([ours / loop for loop, ours in pairs]):.2f}",
                )
            )
    return table(("sizes", "texts", "one after the other, ms", "together, ms", "ratio"), rows)


def same_alone(model: ModelFile, count: int = 256, length: int = 500) -> str:
    writer = LanguageModel(model)
    how = {"random_seed": random.Random(0).getrandbits(32), "length": length}
    many = [sample.text for sample in writer.generate_many(samples=count, **how)]
    alone = ["".join(writer.generate(sample=i, **how)) for i in range(count)]
    differing = sum(one != other for one, other in zip(many, alone, strict=True))
    return f"{count} texts of {length} characters: {differing} differ from the same written alone"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="for the comparison of texts, a trained one")
    arguments = parser.parse_args()
    print(one_stream(), end="\n\n")
    print(many_texts(), end="\n\n")
    print(few_texts(), end="\n\n")
    print(same_alone(load_model(arguments.model) if arguments.model else drawn_model(2, 256)))


if __name__ == "__main__":
    main()
