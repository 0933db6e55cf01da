"""The validation loss: the whole text walked once, with the state carried, outside autograd."""

import numpy as np
import torch
from torch.nn import functional as F

from charlstm.text.vocabulary import Ids
from charlstm.training.network import CharLSTM

LANES = 64
WARM_UP = 256  # characters that a lane reads before its own, so that it does not start blind
LANE_LEAST = 512  # a lane shorter than this would spend most of its time warming up
BLOCK_LOGITS = 1 << 22  # logits in memory at a time


def walk_length(characters: int) -> int:
    """How many characters a walk reads in each lane; its time is in proportion."""
    lanes = _lanes(characters)
    return -(-(characters - 1) // lanes) + (WARM_UP if lanes > 1 else 0)


def _lanes(characters: int) -> int:
    return max(1, min(LANES, (characters - 1) // LANE_LEAST))


@torch.no_grad()
def evaluate(model: CharLSTM, ids: Ids, *, device: torch.device, bf16: bool) -> float:
    """Mean cross-entropy, nats per character, of every character of ``ids`` but the first.

    For speed the text is walked in lanes side by side. Each has read the WARM_UP characters
    before its part, which brings the mean to within 0.0001 of one walk from end to end (measured:
    0.00001 and less, see ``benchmarks/README.md``). The model's training mode and its carried
    states are left alone.
    """
    m = len(ids) - 1  # predictions
    lanes = _lanes(len(ids))
    length = -(-m // lanes)
    first = np.arange(lanes) * length  # character of each lane

    def block(start: int, size: int) -> torch.Tensor:
        """Characters start to start + size of every lane, (size, lanes); read here, not before."""
        places = first + np.arange(start, start + size)[:, None]
        there = ids[places.clip(0, m)].astype(np.int64)  # beyond the ends anything will do
        return torch.from_numpy(there).to(device)

    training = model.training
    model.eval()
    total = 0.0
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        state = model.zero_state(lanes)
        if lanes > 1:
            state = model(block(-WARM_UP, WARM_UP), state)[1]
        for h, c in state:
            h[:, 0] = c[:, 0] = 0  # the first lane has nothing before it
        size = max(1, min(length, BLOCK_LOGITS // (lanes * model.config.vocab_size)))
        for start in range(0, length, size):
            both = block(start, min(size, length - start) + 1)  # (T + 1, B)
            logits, state = model(both[:-1], state)
            losses = F.cross_entropy(
                logits.float().flatten(0, 1), both[1:].flatten(), reduction="none"
            ).view(-1, lanes)
            place = first + np.arange(start, start + len(losses))[:, None]
            inside = torch.from_numpy(place < m)
            total += float(losses.cpu()[inside].double().sum())  # MPS has no float64
    model.train(training)
    return total / m
