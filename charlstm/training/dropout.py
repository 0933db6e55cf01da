"""Dropout: the masks that say what a training step leaves out.

The masks of a step come from the random seed of the run and the number of the step alone. So a
resumed run needs no state of a random number generator.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from charlstm.training.config import TrainConfig
from charlstm.training.distributed import ALONE, Group


@dataclass(frozen=True, eq=False)
class Masks:
    """What is dropped in one step: a mask is 0 there, and elsewhere what keeps the mean.

    In all rows of ``connections`` are the units that a connection leads to, in the columns those
    that it comes from. All four gates have the same mask.
    """

    values: Tensor | None = None  # (L, T, B, H), for the rows of this process
    connections: Tensor | None = None  # (L, H, H), of fp32 like the weights


KEEP_ALL = Masks()


def masks_of(
    config: TrainConfig,
    step: int,
    *,
    device: torch.device,
    dtype: torch.dtype,
    group: Group = ALONE,
) -> Masks:
    """The masks of ``step`` (from 0); those of the values have the type ``dtype``.

    All random bytes are drawn at once, for the whole batch, so that processes that share a batch
    agree. A byte decides on one value or connection. So the share that is dropped is rounded to a
    256th.
    """
    network, B, T = config.network, config.batch_size, config.seq_length
    L, H = network.num_layers, network.hidden_size
    values = (L if network.dropout else 0, T, B, H)
    connections = (L if config.weight_dropout else 0, H, H)
    n = math.prod(values)
    if not n + math.prod(connections):
        return KEEP_ALL
    sequence = np.random.SeedSequence((config.random_seed, step))
    drawn = _random_bytes(n + math.prod(connections), sequence, device)

    def mask(some: Tensor, dropout: float, dtype: torch.dtype) -> Tensor | None:
        return _mask(some, dropout, dtype).to(device) if dropout else None

    return Masks(
        mask(group.share(drawn[:n].view(values)), network.dropout, dtype),
        mask(drawn[n:].view(connections), config.weight_dropout, torch.float32),
    )


def _random_bytes(n: int, sequence: np.random.SeedSequence, device: torch.device) -> Tensor:
    """So many random bytes, on a CUDA device if ``device`` is one, else in memory.

    Eight are drawn at a time. What ``random_raw`` gives is the same in every numpy.
    """
    words = -(-n // 8)
    if device.type == "cuda":  # drawn there, so that nothing is copied and nobody waits
        generator = torch.Generator(device)
        generator.manual_seed(int(sequence.generate_state(1, np.uint64)[0]))
        there = torch.empty(words, dtype=torch.int64, device=device)
        there.random_(-(1 << 63), None, generator=generator)  # every bit random
        return there.view(torch.uint8)[:n]
    return torch.from_numpy(np.random.SFC64(sequence).random_raw(words).view(np.uint8)[:n])


def _mask(drawn: Tensor, dropout: float, dtype: torch.dtype) -> Tensor:
    """0 for the lowest of the random bytes, a share of ``dropout``, else what keeps the mean."""
    dropped = min(255, round(256 * dropout))
    factor = torch.tensor(256 / (256 - dropped), dtype=dtype)
    if drawn.is_cuda:
        return (drawn >= dropped).to(dtype).mul_(factor)
    # On a CPU numpy is ten times as fast here. It has no bf16, so the bits of the factor are taken.
    bits = factor.view(torch.int16 if dtype == torch.bfloat16 else torch.int32).numpy()
    kept = drawn.numpy() >= dropped
    return torch.from_numpy(np.multiply(kept, bits, dtype=bits.dtype)).view(dtype)
