"""The recipe of the classic tutorials beside ``charlstm train``, for as many seconds each.

    python benchmarks/classic_tutorial.py TEXT --time 60

The tutorial's recipe, in plain torch: the text in lower case, every window of 50 characters as
one sample, ids scaled to 0..1 as its only feature, one label a window, an LSTM of 300 units with
dropout 0.2, softmax, Adam at 0.001, batches of 128 drawn at random. Both hold back the last tenth
of the text, and both losses are means over all of it. charlstm also runs on the lower-cased text,
so that one line predicts the very characters that the tutorial's does.
"""

import argparse
import json
import math
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from tables import CHARLSTM, ENVIRONMENT, table
from torch import nn
from torch.nn import functional as F

from charlstm.text.corpus import open_corpus
from charlstm.text.decoding import TextOptions
from charlstm.text.windows import write_npz

WINDOW, UNITS, BATCH = 50, 300, 128


class Tutorial(nn.Module):
    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, UNITS)
        self.dropout = nn.Dropout(0.2)
        self.output = nn.Linear(UNITS, vocab_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (B, T, 1) -> (B, V)
        hidden, _ = self.lstm(x.transpose(0, 1))
        return self.output(self.dropout(hidden[-1]))


def tutorial(text: str, seconds: float) -> tuple[float, int]:
    """The validation loss after ``seconds`` of training, and the steps done in them."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "windows.npz")
        corpus = open_corpus([text], TextOptions(lowercase=True))
        write_npz(corpus, path, window=WINDOW, normalize=True)
        with np.load(path) as data:
            X, y = torch.from_numpy(data["X"]), torch.from_numpy(data["y"].astype(np.int64))
            vocab_size = len(data["characters"])
    held_back = int((len(y) + WINDOW) * 0.1)  # the last tenth of the characters as labels
    train = len(y) - held_back
    torch.manual_seed(0)
    model = Tutorial(vocab_size)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    started, steps = time.monotonic(), 0
    while time.monotonic() - started < seconds:
        chosen = torch.randint(train, (BATCH,))
        loss = F.cross_entropy(model(X[chosen]), y[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps += 1
    model.eval()
    with torch.no_grad():
        losses = [
            F.cross_entropy(model(X[i : i + 512]), y[i : i + 512], reduction="sum")
            for i in range(train, len(y), 512)
        ]
    return float(sum(losses)) / held_back, steps


def charlstm(text: str, seconds: float, *options: str) -> tuple[float, int, float]:
    """The validation loss of ``charlstm train``, its steps, and the whole process's seconds."""
    with tempfile.TemporaryDirectory() as directory:
        run = str(Path(directory, "run"))
        started = time.monotonic()
        subprocess.run(
            [CHARLSTM, "train", text, "--time", f"{seconds}s", "-o", run, "-q", *options],
            check=True,
            capture_output=True,
            env=ENVIRONMENT,
        )
        spent = time.monotonic() - started
        card = subprocess.run(
            [CHARLSTM, "inspect", "-m", run, "--json"],
            check=True,
            capture_output=True,
            env=ENVIRONMENT,
        )
        training = json.loads(card.stdout)["training"]
        return training["val_loss"], training["steps"], spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text")
    parser.add_argument("--time", type=float, default=60, help="seconds")
    arguments = parser.parse_args()
    rows = []
    for name, options in (("charlstm train", []), ("charlstm train --lowercase", ["--lowercase"])):
        loss, steps, spent = charlstm(arguments.text, arguments.time, *options)
        rows.append((name, f"{spent:.0f}", steps, f"{loss:.3f}", f"{loss / math.log(2):.3f}"))
    loss, steps = tutorial(arguments.text, arguments.time)
    name = f"classic tutorial, LSTM {UNITS}, lower case"
    rows.append((name, f"{arguments.time:.0f}", steps, f"{loss:.3f}", f"{loss / math.log(2):.3f}"))
    print(table(("recipe", "seconds", "steps", "validation, nats", "bits"), rows))


if __name__ == "__main__":
    main()
