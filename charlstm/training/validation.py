"""The validation loss: the whole text read once, with the state carried, without gradients."""

import time

import numpy as np
import torch
from torch.nn import functional as F

from charlstm.text.vocabulary import Ids
from charlstm.training.network import CharLSTM

STREAMS = 64  # parts of the text that are read side by side
WARM_UP = 256  # characters that a stream reads before its own, so that its state is not empty
STREAM_LEAST = 512  # characters; a shorter stream would spend most of its time warming up
MEASURED_LENGTH = 32  # characters of each stream that are read to know the speed
BLOCK_LOGITS = 1 << 22  # logits in memory at a time


def stream_length(characters: int) -> int:
    """How many characters each stream reads; the time of an evaluation is proportional to it."""
    streams = _streams(characters)
    return -(-(characters - 1) // streams) + (WARM_UP if streams > 1 else 0)


def _streams(characters: int) -> int:
    return max(1, min(STREAMS, (characters - 1) // STREAM_LEAST))


@torch.no_grad()
def evaluate(model: CharLSTM, ids: Ids, *, device: torch.device) -> float:
    """Mean cross-entropy, nats per character, of every character of ``ids`` but the first.

    For speed the text is read in several streams side by side. Each first reads the WARM_UP
    characters before its part, which brings the mean to within 0.0001 of reading the text from end
    to end in one stream (measured: 0.00001 and less, see ``benchmarks/README.md``). All is computed
    in fp32, as in the program that generates, whatever the precision of the run.
    """
    m = len(ids) - 1  # predictions
    B = _streams(len(ids))
    length = -(-m // B)
    first = np.arange(B) * length  # position of the first character of each stream

    def block(start: int, size: int) -> torch.Tensor:
        """Characters ``start`` to ``start + size`` of every stream, (size, B)."""
        positions = first + np.arange(start, start + size)[:, None]
        inside = ids[positions.clip(0, m)].astype(np.int64)  # beyond the ends any character will do
        return torch.from_numpy(inside).to(device)

    total = 0.0
    state = model.zero_state(B)
    if B > 1:
        state = model(block(-WARM_UP, WARM_UP), state)[1]
    for h, c in state:
        h[:, 0] = c[:, 0] = 0  # nothing comes before the first stream
    size = max(1, min(length, BLOCK_LOGITS // (B * model.config.vocab_size)))
    for start in range(0, length, size):
        both = block(start, min(size, length - start) + 1)  # (T + 1, B)
        logits, state = model(both[:-1], state)
        losses = F.cross_entropy(logits.flatten(0, 1), both[1:].flatten(), reduction="none").view(
            -1, B
        )
        positions = first + np.arange(start, start + len(losses))[:, None]
        counted = torch.from_numpy(positions < m)
        total += float(losses.cpu()[counted].double().sum())  # MPS has no float64
    return total / m


@torch.no_grad()
def expected_seconds(model: CharLSTM, characters: int, device: torch.device) -> float:
    """About how long an evaluation of so many characters takes, from a part of it."""
    if characters < 2:
        return 0.0
    B = _streams(characters)
    ids = torch.zeros((MEASURED_LENGTH, B), dtype=torch.int64, device=device)
    model.eval()
    seconds = []
    for _ in range(2):  # the first one sets things up
        before = time.monotonic()
        logits, _ = model(ids, model.zero_state(B))
        logits[-1].cpu()  # waits for the device
        seconds.append(time.monotonic() - before)
    model.train()
    return min(seconds) * stream_length(characters) / MEASURED_LENGTH
