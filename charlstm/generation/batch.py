"""Many texts at once: the same steps as for one, in batches that the processor's cores share.

A text must not depend on how many others are made with it. Products of matrices of different
shapes round differently, so all have one shape: TILE texts side by side, text i always in row
i % TILE, and rows without a text compute nothing of use. What stands in the other rows does not
change a row: each sum goes over its own row alone, in an order that the shape decides. How many
tiles a core computes together changes no product.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Event

import numpy as np

from charlstm.generation.sampling import NO_ID, Sampling, sample_batch
from charlstm.generation.stopping import Ending
from charlstm.generation.stream import QUIET, Reading, bits_batch, random_numbers
from charlstm.model.lstm import TILE, Network, Recurrence

MOST_ROWS = 64  # texts that a core computes together; more are hardly faster, and finished later


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
    """Texts 0 to ``count`` - 1 and how each ended, in order; each core is one group ahead.

    Whatever ends the iteration, a KeyboardInterrupt too, ends the other threads after a step.
    """
    from concurrent.futures import ThreadPoolExecutor  # 5 ms that a single text need not wait

    tiles = -(-count // TILE)
    workers = min(tiles, _cores())
    size = min(MOST_ROWS, TILE * -(-tiles // workers))
    _ = batch.network.blocks  # made once, before several threads ask for them
    abandoned = Event()
    pool = ThreadPoolExecutor(workers)
    try:
        groups = (
            pool.submit(_group, batch, first, min(first + size, count), abandoned)
            for first in range(0, count, size)
        )
        waiting = list(islice(groups, workers))
        while waiting:
            texts = waiting.pop(0).result()
            waiting += islice(groups, 1)
            yield from texts
    finally:
        abandoned.set()
        pool.shutdown(cancel_futures=True)


def _group(batch: Batch, first: int, last: int, abandoned: Event) -> list[tuple[str, Ending]]:
    """Texts ``first`` to ``last`` - 1, computed together; none once ``abandoned`` is set."""
    sampling = batch.sampling
    numbers = [random_numbers(batch.random_seed, i) for i in range(first, last)]
    endings = [Ending(length=batch.length, stop=batch.stop, lines=batch.lines) for _ in numbers]
    texts: list[list[str]] = [[] for _ in numbers]
    rows = TILE * -(-len(numbers) // TILE)
    recurrence = Recurrence(batch.network, rows)
    recurrence.load(batch.reading.state, batch.reading.features)
    window = sampling.repetition_window if sampling.repetition_penalty != 1 else 0
    recent = np.full((rows, window), NO_ID)
    known = batch.reading.recent[-window:] if window else ()
    recent[:, window - len(known) :] = known
    uniforms, unmeasured = np.zeros(rows), np.zeros(rows)
    with np.errstate(**QUIET):
        while active := [row for row, ending in enumerate(endings) if ending.end is None]:
            if abandoned.is_set():
                return []
            logits = recurrence.logits()  # (rows, V)
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
