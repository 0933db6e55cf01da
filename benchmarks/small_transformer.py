"""The field's reference point: a small transformer on a CPU, with nanoGPT's published settings.

    python benchmarks/small_transformer.py TEXT

Plain torch, written for the comparison after the settings of nanoGPT's quick start for a CPU
(github.com/karpathy/nanoGPT): 4 layers, 4 heads, width 128, 64 characters of context, batches of
12, 2000 steps in fp32. Every 250 steps, before the first and after the last, it estimates its
losses on 20 random batches of each part, as the original does; that is in its seconds of
training. Checkpoints, which the original writes, are left out.

The last column is the mean loss of every character but the first of the last tenth of TEXT,
which training never reads: the same characters, ids and mean as charlstm's validation loss. The
tenth is cut into consecutive windows of 64 characters, and as in training each character is
predicted from those before it in its own window, 1 to 64 of them. charlstm carries its state on
and predicts from all that came before. Both do here what they do in their own training. This walk
is not in the seconds of training.
"""

import argparse
import json
import math
import time

import torch
from tables import table
from torch import Tensor, nn
from torch.nn import functional as F

from charlstm.text.dataset import load_dataset
from charlstm.text.decoding import TextOptions

LAYERS, HEADS, WIDTH, CONTEXT = 4, 4, 128, 64  # WIDTH is C below
BATCH, PEAK_RATE, LAST_RATE, WARM_UP = 12, 1e-3, 1e-4, 100
BETAS, WEIGHT_DECAY, GRAD_CLIP = (0.9, 0.99), 0.1, 1.0
EVAL_EVERY, EVAL_BATCHES, WALK_BATCH = 250, 20, 256


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inputs = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.residual = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:  # (B, T, C) -> (B, T, C)
        heads = self.inputs(x).unflatten(2, (3, HEADS, WIDTH // HEADS))  # (B, T, 3, heads, C/heads)
        q, k, v = heads.permute(2, 0, 3, 1, 4)  # each (B, heads, T, C/heads)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)  # (B, heads, T, C/heads)
        return self.residual(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(WIDTH, bias=False)
        self.attention = Attention()
        self.norm_2 = nn.LayerNorm(WIDTH, bias=False)
        self.expand = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.residual = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:  # (B, T, C) -> (B, T, C)
        x = x + self.attention(self.norm_1(x))
        return x + self.residual(F.gelu(self.expand(self.norm_2(x))))


class Transformer(nn.Module):
    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(vocab_size, WIDTH)  # and, transposed, the output layer
        self.positions = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(WIDTH, bias=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:  # layer norms stay at 1
                into_residual = name.endswith("residual.weight")
                std = 0.02 / math.sqrt(2 * LAYERS) if into_residual else 0.02
                nn.init.normal_(weight, std=std)

    def forward(self, ids: Tensor) -> Tensor:  # (B, T) -> (B, T, V)
        x = self.characters(ids) + self.positions.weight[: ids.shape[1]]  # (B, T, C)
        return F.linear(self.norm(self.blocks(x)), self.characters.weight)


def random_loss(model: Transformer, ids: Tensor) -> Tensor:
    """The mean loss of a batch of windows from anywhere in ``ids``."""
    starts = torch.randint(len(ids) - CONTEXT, (BATCH, 1))
    windows = ids[starts + torch.arange(CONTEXT + 1)]  # (B, T + 1)
    return F.cross_entropy(model(windows[:, :-1]).flatten(0, 1), windows[:, 1:].flatten())


@torch.no_grad()
def estimate(model: Transformer, ids: Tensor) -> float:
    """The mean loss of EVAL_BATCHES random batches."""
    return sum(float(random_loss(model, ids)) for _ in range(EVAL_BATCHES)) / EVAL_BATCHES


@torch.no_grad()
def walk(model: Transformer, ids: Tensor) -> float:
    """The mean loss of every character of ``ids`` but the first, in consecutive windows."""
    rest = -(len(ids) - 1) % CONTEXT
    inputs = F.pad(ids[:-1], (0, rest)).view(-1, CONTEXT)  # (windows, T)
    targets = F.pad(ids[1:], (0, rest), value=-100).view(-1, CONTEXT)  # -100 does not count
    total = 0.0
    for x, y in zip(inputs.split(WALK_BATCH), targets.split(WALK_BATCH), strict=True):
        total += float(F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum"))
    return total / (len(ids) - 1)


def learning_rate(step: int, steps: int) -> float:
    """A linear warm-up, then half a cosine down to LAST_RATE."""
    if step < WARM_UP:
        return PEAK_RATE * (step + 1) / WARM_UP
    done = (step - WARM_UP) / (steps - WARM_UP)
    return LAST_RATE + (PEAK_RATE - LAST_RATE) * (1 + math.cos(math.pi * done)) / 2


def train(model: Transformer, train_ids: Tensor, val_ids: Tensor, steps: int) -> float:
    """Train for ``steps``; the last estimate of the validation loss."""
    groups = [
        {"params": [p for p in model.parameters() if p.dim() == 2], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in model.parameters() if p.dim() != 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=PEAK_RATE, betas=BETAS)
    for step in range(steps):
        if step % EVAL_EVERY == 0:
            estimate(model, train_ids), estimate(model, val_ids)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps)
        loss = random_loss(model, train_ids)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), GRAD_CLIP)
        optimizer.step()
    estimate(model, train_ids)
    return estimate(model, val_ids)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--random-seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one line of JSON, no table")
    arguments = parser.parse_args()
    dataset = load_dataset([arguments.text], TextOptions())
    train_ids, val_ids = (torch.from_numpy(ids.astype("int64")) for ids in dataset.split(0.1))
    torch.manual_seed(arguments.random_seed)
    model = Transformer(len(dataset.vocabulary))
    started = time.perf_counter()
    estimated = train(model, train_ids, val_ids, arguments.steps)
    seconds = time.perf_counter() - started
    val_loss = walk(model, val_ids)
    result = {
        "sizes": f"{LAYERS} x {WIDTH}",
        "steps": arguments.steps,
        "seconds": seconds,
        "estimated_val_loss": estimated,
        "val_loss": val_loss,
        "walk_seconds": time.perf_counter() - started - seconds,
    }
    if arguments.json:
        print(json.dumps(result))
        return
    header = ("steps", "seconds of training", "validation, its own estimate", "whole last tenth")
    row = (arguments.steps, f"{seconds:.1f}", f"{estimated:.4f}", f"{val_loss:.4f}")
    print(table(header, [row]))


if __name__ == "__main__":
    main()
