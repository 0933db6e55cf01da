"""Many texts at once: the same steps as for one, in batches that the processor's cores share.

A text must not depend on how many others are made with it. Products of matrices of different
shapes round differently, so all have one shape: TILE texts side by side, text i always in row
i % TILE, and rows without a text compute nothing of use. What stands in the other rows does not
change a row: each sum goes over its own row alone, in an order that the shape decides.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from charlstm.ending import Ending
from charlstm.lstm import Network, Recurrence
from charlstm.sampling import NO_ID, Sampling, sample_batch
from charlstm.stream import QUIET, Reading, bits_batch, random_numbers

TILE = 64  # texts; more would be wasted where few are asked for, fewer read the weights too often


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What all texts of a batch have in common; ``letters`` are the vocabulary's characters."""

    network: Network
    letters: str
    reading: Reading  # of the seed phrase
    random_seed: int
    sampling: Sampling
    length: int | None
    stop: Sequence[str]
    lines: int | None
    measure: bool


def written(batch: Batch, count: int) -> Iterator[tuple[str, Ending]]:
    """Texts 0 to ``count`` - 1 and how each ended, in order; at most one tile a core is ahead."""
    from concurrent.futures import ThreadPoolExecutor  # 5 ms that a single text need not wait

    tiles = range(0, count, TILE)
    workers = min(len(tiles), _cores())
    with ThreadPoolExecutor(workers) as pool:
        waiting = [pool.submit(_tile, batch, t, count) for t in tiles[:workers]]
        following = iter(tiles[workers:])
        while waiting:
            texts = waiting.pop(0).result()
            for first in following:
                waiting.append(pool.submit(_tile, batch, first, count))
                break
            yield from texts


def _tile(batch: Batch, first: int, count: int) -> list[tuple[str, Ending]]:
    """Texts ``first`` to ``first`` + TILE - 1, as far as they are wanted."""
    sampling = batch.sampling
    numbers = [random_numbers(batch.random_seed, i) for i in range(first, min(first + TILE, count))]
    endings = [Ending(length=batch.length, stop=batch.stop, lines=batch.lines) for _ in numbers]
    texts: list[list[str]] = [[] for _ in numbers]
    recurrence = Recurrence(batch.network, TILE)
    recurrence.load(batch.reading.state, batch.reading.features)
    window = sampling.repetition_window if sampling.repetition_penalty != 1 else 0
    recent = np.full((TILE, window), NO_ID)
    known = batch.reading.recent[-window:] if window else ()
    recent[:, window - len(known) :] = known
    uniforms, unmeasured = np.zeros(TILE), np.zeros(TILE)
    with np.errstate(**QUIET):
        while active := [row for row, ending in enumerate(endings) if ending.end is None]:
            logits = recurrence.logits()  # (TILE, V)
            for row in active:
                uniforms[row] = numbers[row].random()
            ids = sample_batch(logits, sampling, uniforms=uniforms, recent=recent)
            surprises = bits_batch(logits, ids) if batch.measure else unmeasured
            for row in active:
                character, surprise = batch.letters[ids[row]], float(surprises[row])
                texts[row].append(endings[row].feed(character, surprise))
            if window:
                recent = np.concatenate((recent[:, 1:], ids[:, None]), axis=1)
            recurrence.read(ids)
    return [("".join(text), ending) for text, ending in zip(texts, endings, strict=True)]


def _cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
