"""Characters a second of charlstm's training step, beside bare torch loops of the same sizes.

    python benchmarks/throughput.py TEXT --sizes 2x256 1x256 2x512

charlstm takes the precision that it chooses on the machine, without dropout and as its recipe does
it for more than a dozen epochs. The bare loops are embedding, ``nn.LSTM`` and output layer,
cross-entropy, clipped gradients and fused AdamW, with the state carried from window to window and
without dropout, in bf16 (autocast) and in fp32. Nobody evaluates or writes anything.

The text is read as in a run, on a GPU from its own memory. All loops live in one process and take
turns of 20 steps, so that a machine that slows down slows all alike. Figures are medians over the
rounds; a ratio is the median of the rounds' ratios.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from tables import median, table
from torch import nn
from torch.nn import functional as F

from charlstm.cli.process import set_up_training
from charlstm.text.dataset import load_dataset
from charlstm.text.decoding import TextOptions
from charlstm.text.vocabulary import Ids
from charlstm.training.batches import TrainingData
from charlstm.training.config import Settings, TrainConfig
from charlstm.training.device import for_this_machine, prepare_data
from charlstm.training.distributed import ALONE
from charlstm.training.recipe import Text, choose
from charlstm.training.trainer import Trainer

TURN = 20  # steps
HALFWAY = 0.5  # the progress of the run of which a step is done, which decides its learning rate
DROPOUTS = (0.3, 0.2)  # of values, of recurrent connections


def configuration(settings: Settings, train_characters: int, vocab_size: int) -> TrainConfig:
    """All that a trainer has to know; ``settings`` give the steps, so nothing is measured."""
    return choose(
        for_this_machine(settings),
        Text(train_characters, vocab_size, 1.0),
        measure=lambda config: None,
        seconds_spent=lambda: 0.0,
    )[0]


class Bare:
    """The shortest loop that trains the same sizes."""

    def __init__(self, config: TrainConfig, ids: Ids, *, bf16: bool) -> None:
        V, E = config.network.vocab_size, config.network.embedding_size
        H, L, B = config.network.hidden_size, config.network.num_layers, config.batch_size
        self.T, self.bf16, self.grad_clip = config.seq_length, bf16, config.grad_clip
        self.device = torch.device(config.device)
        rows = ids[: len(ids) // B * B].reshape(B, -1).T.astype("int64")
        self.text = torch.from_numpy(rows).to(self.device)  # (characters of a row, B)
        layers = nn.ModuleList([nn.Embedding(V, E), nn.LSTM(E, H, num_layers=L), nn.Linear(H, V)])
        self.layers = layers.to(self.device)
        self.optimizer = torch.optim.AdamW(
            self.layers.parameters(), lr=config.learning_rate, fused=True
        )
        self.place, self.state = 0, None

    def step(self) -> None:
        if self.place + self.T >= len(self.text):
            self.place, self.state = 0, None
        window = self.text[self.place : self.place + self.T + 1]  # (T + 1, B)
        self.place += self.T
        embedding, lstm, output = self.layers
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            hidden, (h, c) = lstm(embedding(window[:-1]), self.state)  # (T, B, H)
            logits = output(hidden)  # (T, B, V)
        self.state = h.detach(), c.detach()
        loss = F.cross_entropy(logits.float().flatten(0, 1), window[1:].flatten())
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.layers.parameters(), self.grad_clip)
        self.optimizer.step()


def turn(step: Callable[[], object], device: str) -> float:
    """The seconds of TURN steps."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    wait()
    before = time.perf_counter()
    for _ in range(TURN):
        step()
    wait()
    return time.perf_counter() - before


def measured(config: TrainConfig, data: TrainingData, repeats: int) -> list[list[float]]:
    """Characters a second of each round: charlstm, the same with dropout, bare bf16 and fp32."""
    dropout, weight_dropout = DROPOUTS
    regularised = replace(
        config, network=replace(config.network, dropout=dropout), weight_dropout=weight_dropout
    )
    steps = (
        partial(Trainer(config, data).step, HALFWAY),
        partial(Trainer(regularised, data).step, HALFWAY),
        Bare(config, data.train_ids, bf16=True).step,
        Bare(config, data.train_ids, bf16=False).step,
    )
    for step in steps:  # the first ones set things up
        turn(step, config.device)
    characters = TURN * config.batch_size * config.seq_length
    return [[characters / turn(step, config.device) for step in steps] for _ in range(repeats)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text")
    parser.add_argument("--sizes", nargs="+", default=["2x256", "1x256", "2x512"], metavar="LxH")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--window", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    set_up_training()  # as the command does
    dataset = load_dataset([arguments.text], TextOptions())
    data = prepare_data(dataset, 0.1, device=arguments.device, group=ALONE)
    rows = []
    for size in arguments.sizes:
        num_layers, hidden_size = map(int, size.split("x"))
        settings = Settings(
            steps=TURN * (arguments.repeats + 1),
            num_layers=num_layers,
            hidden_size=hidden_size,
            dropout=0.0,
            weight_dropout=0.0,
            batch_size=arguments.batch,
            seq_length=arguments.window,
            device=arguments.device,
        )
        config = configuration(settings, len(data.train_ids), len(dataset.vocabulary))
        rounds = measured(config, data, arguments.repeats)
        rows.append(
            (
                f"{num_layers} x {hidden_size}",
                config.precision,
                *(f"{median(speeds):,.0f}" for speeds in zip(*rounds, strict=True)),
                f"{median([ours / bf16 for ours, _, bf16, _ in rounds]):.2f}",
                f"{median([ours / bf16 for _, ours, bf16, _ in rounds]):.2f}",
                f"{median([ours / fp32 for ours, _, _, fp32 in rounds]):.2f}",
            )
        )
    header = (
        "sizes",
        "precision",
        "charlstm, characters/s",
        "with dropout",
        "bare bf16",
        "bare fp32",
        "charlstm / bare bf16",
        "with dropout / bare bf16",
        "charlstm / bare fp32",
    )
    print(table(header, rows))


if __name__ == "__main__":
    main()
