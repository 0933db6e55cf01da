"""Many texts from one seed phrase, computed side by side on all cores of the processor.

A text must not depend on how many others are written with it. Products of matrices of different
shapes round differently, so all have one shape: TILE texts in a tile, and text i always in row
i % TILE. Rows without a text are computed too. The other rows do not change a row, because each sum
is over its own row alone, in an order that only depends on the shape. The number of tiles that a
core computes together changes no product.
"""

from collections.abc import Iterator
from itertools import islice
from threading import Event

import numpy as np

from charlstm.generation.sampling import NO_ID, sample_batch, surprisal
from charlstm.generation.saved_state import SavedState
from charlstm.generation.stopping import TextEnd
from charlstm.generation.text_stream import GenerationConfig, Sample, random_numbers, read
from charlstm.model.lstm import TILE, LSTMState
from charlstm.model.model_file import ModelFile
from charlstm.parallel import computed, cores

MOST_ROWS = 64  # texts that a core computes together; more are hardly faster, and finish later


def write_batch(
    model: ModelFile, seed: str, config: GenerationConfig, random_seed: int, count: int
) -> Iterator[Sample]:
    """Texts 0 to ``count`` - 1, in order; each core computes one group of them at a time.

    ``config`` has no line filter: a rejected line would keep the other texts waiting.
    """
    start = read(model, seed, config, numbers=random_numbers(random_seed))
    size = min(MOST_ROWS, TILE * -(-count // (TILE * cores())))
    groups = (range(i, min(i + size, count)) for i in range(0, count, size))
    _ = model.lstm.blocks  # computed once, before several threads use them

    def work(numbers: range, abandoned: Event) -> list[Sample]:
        return _group(model, config, start, random_seed, numbers, abandoned)

    while together := list(islice(groups, cores())):
        for samples in computed(work, together):
            yield from samples


def _group(
    model: ModelFile,
    config: GenerationConfig,
    start: SavedState,
    random_seed: int,
    numbers: range,
    abandoned: Event,
) -> list[Sample]:
    """The texts with these numbers, computed together; none once ``abandoned`` is set."""
    sampling, characters = config.sampling, model.vocabulary.characters
    generators = [random_numbers(random_seed, number) for number in numbers]
    ends = [TextEnd(config.stop_rule) for _ in numbers]
    texts: list[list[str]] = [[] for _ in numbers]
    rows = TILE * -(-len(numbers) // TILE)
    lstm = LSTMState(model.lstm, rows)
    lstm.load(start.lstm.hidden, start.lstm.cell, start.lstm.features)
    window = sampling.repetition_window if sampling.repetition_penalty != 1 else 0
    recent = np.full((rows, window), NO_ID)
    known = start.recent[-window:] if window else ()
    recent[:, window - len(known) :] = known
    uniforms, bits = np.zeros(rows), np.zeros(rows)
    with np.errstate(all="ignore"):  # too large weights become an error in sample_batch
        while active := [row for row, end in enumerate(ends) if end.reason is None]:
            if abandoned.is_set():
                return []
            logits = lstm.logits()  # (rows, V)
            for row in active:
                uniforms[row] = generators[row].random()
            ids = sample_batch(logits, sampling, uniforms=uniforms, recent=recent)
            if config.measure:
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
            bits_per_char=end.bits_per_char if config.measure else None,
            end=end.reason,
            stop=end.stop,
        )
        for number, text, end in zip(numbers, texts, ends, strict=True)
    ]
