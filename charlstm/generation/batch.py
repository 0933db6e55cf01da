"""Many texts from one seed phrase, computed side by side on all cores of the processor.

A text must not depend on how many others are made with it. Products of matrices of different
shapes round differently, so all have one shape: TILE texts side by side, text i always in row
i % TILE. Rows without a text are computed all the same. What stands in the other rows does not
change a row: each sum goes over its own row alone, in an order that the shape decides. How many
tiles a core computes together changes no product.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from threading import Event

import numpy as np

from charlstm.generation.sampling import NO_ID, sample_batch, surprisal
from charlstm.generation.saved_state import SavedState
from charlstm.generation.stopping import TextEnd
from charlstm.generation.text_stream import (
    GenerationConfig,
    Sample,
    TextStream,
    random_numbers,
    read,
)
from charlstm.model.lstm import TILE, LSTMState
from charlstm.model.model_file import ModelFile

MOST_ROWS = 64  # texts that a core computes together; more are hardly faster, and finished later


@dataclass(frozen=True)
class Batch:
    """What the texts of a batch have in common."""

    model: ModelFile
    seed: str
    config: GenerationConfig
    random_seed: int


def write_batch(batch: Batch, count: int) -> Iterator[Sample]:
    """Texts 0 to ``count`` - 1, in order; each core is one group of texts ahead.

    Whatever ends the iteration, a KeyboardInterrupt too, ends the other threads after a step.
    Raises OptionError and UnknownCharacterError at once.
    """
    batch.config.check(batch.model)
    start = read(batch.model, batch.seed, batch.config, numbers=random_numbers(batch.random_seed))
    if batch.config.line_filter:
        return _one_by_one(batch, count)
    return _side_by_side(batch, start, count)


def _one_by_one(batch: Batch, count: int) -> Iterator[Sample]:
    """The texts one after another: lines that are refused would leave the others waiting."""
    for number in range(count):
        numbers = random_numbers(batch.random_seed, number)
        state = read(batch.model, batch.seed, batch.config, numbers=numbers)
        yield TextStream(batch.model, state, batch.config).finish(number)


def _side_by_side(batch: Batch, start: SavedState, count: int) -> Iterator[Sample]:
    from concurrent.futures import ThreadPoolExecutor  # 5 ms that a single text need not wait

    tiles = -(-count // TILE)
    workers = min(tiles, _cores())
    size = min(MOST_ROWS, TILE * -(-tiles // workers))
    _ = batch.model.lstm.blocks  # made once, before several threads ask for them
    abandoned = Event()
    pool = ThreadPoolExecutor(workers)
    try:
        groups = (
            pool.submit(_group, batch, start, range(first, min(first + size, count)), abandoned)
            for first in range(0, count, size)
        )
        waiting = list(islice(groups, workers))
        while waiting:
            samples = waiting.pop(0).result()
            waiting += islice(groups, 1)
            yield from samples
    finally:
        abandoned.set()
        pool.shutdown(cancel_futures=True)


def _group(batch: Batch, start: SavedState, numbers: range, abandoned: Event) -> list[Sample]:
    """The texts of these numbers, computed together; none once ``abandoned`` is set."""
    sampling, characters = batch.config.sampling, batch.model.vocabulary.characters
    generators = [random_numbers(batch.random_seed, number) for number in numbers]
    ends = [TextEnd(batch.config.stop_rule) for _ in numbers]
    texts: list[list[str]] = [[] for _ in numbers]
    rows = TILE * -(-len(numbers) // TILE)
    lstm = LSTMState(batch.model.lstm, rows)
    lstm.load(start.lstm.hidden, start.lstm.cell, start.lstm.features)
    window = sampling.repetition_window if sampling.repetition_penalty != 1 else 0
    recent = np.full((rows, window), NO_ID)
    known = start.recent[-window:] if window else ()
    recent[:, window - len(known) :] = known
    uniforms, bits = np.zeros(rows), np.zeros(rows)
    with np.errstate(all="ignore"):  # weights too large are found when a character is drawn
        while active := [row for row, end in enumerate(ends) if end.reason is None]:
            if abandoned.is_set():
                return []
            logits = lstm.logits()  # (rows, V)
            for row in active:
                uniforms[row] = generators[row].random()
            ids = sample_batch(logits, sampling, uniforms=uniforms, recent=recent)
            if batch.config.measure:
                bits = surprisal(logits, ids)
            for row in active:
                texts[row].append(ends[row].feed(characters[ids[row]], float(bits[row])))
            if window:
                recent = np.concatenate((recent[:, 1:], ids[:, None]), axis=1)
            lstm.read(ids)
    return [
        Sample(
            number=number,
            text="".join(text),
            bits_per_char=end.bits_per_char if batch.config.measure else None,
            end=end.reason,
        )
        for number, text, end in zip(numbers, texts, ends, strict=True)
    ]


def _cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
