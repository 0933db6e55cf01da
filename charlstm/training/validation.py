"""The validation loss: the whole text read once, with the state carried, without gradients."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from charlstm.model.config import ModelConfig
from charlstm.model.lstm import Array
from charlstm.text.vocabulary import Ids
from charlstm.training.network import CharLSTM
from charlstm.training.threads import torch_threads

STREAMS = 64  # parts of the text that are read side by side
WARM_UP = 256  # characters that a stream reads before its own, so that its state is not empty
STREAM_LEAST = 512  # characters; a shorter stream would spend most of its time warming up
MEASURED_LENGTH = 64  # characters of each stream that are read to know the speed
MEASURED_TIMES = 4
BLOCK_LOGITS = 1 << 22  # logits in memory at a time


def stream_length(characters: int) -> int:
    """How many characters each stream reads; the time of an evaluation is proportional to it."""
    streams = _streams(characters)
    return -(-(characters - 1) // streams) + (WARM_UP if streams > 1 else 0)


def _streams(characters: int) -> int:
    return max(1, min(STREAMS, (characters - 1) // STREAM_LEAST))


def evaluate(model: CharLSTM, ids: Ids, *, device: torch.device, threads: int) -> float:
    """Mean cross-entropy, nats per character, of every character of ``ids`` but the first.

    For speed the text is read in several streams side by side. Each first reads the WARM_UP
    characters before its part, which brings the mean to within 0.0001 of reading the text from end
    to end in one stream (measured: 0.00001 and less, see ``benchmarks/README.md``). All is computed
    in fp32, as in the program that generates, whatever the precision of the run.
    """
    m = len(ids) - 1  # predictions
    B = _streams(len(ids))
    length, warm_up = -(-m // B), WARM_UP if B > 1 else 0  # nothing comes before a single stream

    def work(streams: npt.NDArray[np.int64]) -> float:
        return _walk(model, ids, streams * length, length, warm_up)

    totals = _shared(work, len(ids), threads if device.type == "cpu" else 1)
    return sum(totals) / m


def loss_of(
    config: ModelConfig, weights: dict[str, Array], ids: Ids, *, device: str, threads: int
) -> float:
    """The loss, nats per character, of a network with these weights on all of ``ids`` but one."""
    model = CharLSTM(config)  # on the device "meta" torch would import its compiler, for a second
    model.load_state_dict({k: torch.from_numpy(w) for k, w in weights.items()}, assign=True)
    model.to(device).eval()
    return evaluate(model, ids, device=torch.device(device), threads=threads)


def expected_seconds(
    model: CharLSTM, characters: int, *, device: torch.device, threads: int
) -> float:
    """About how long an evaluation of so many characters takes, from a part of it."""
    if characters < 2:
        return 0.0
    length = MEASURED_LENGTH
    ids = np.zeros(length + 1, np.uint8)
    shared_by = threads if device.type == "cpu" else 1
    seconds = []
    for _ in range(MEASURED_TIMES):  # the first one sets things up
        before = time.monotonic()
        _shared(lambda streams: _walk(model, ids, 0 * streams, length, 0), characters, shared_by)
        seconds.append(time.monotonic() - before)
    return min(seconds) * stream_length(characters) / length


def _shared(
    work: Callable[[npt.NDArray[np.int64]], float], characters: int, threads: int
) -> list[float]:
    """What ``work`` makes of the numbers of the streams, which are shared among the threads.

    A layer that is computed by several threads makes them wait for each other after each
    character. If another program takes one of the cores, that takes many times as long.
    """
    streams = np.arange(_streams(characters))
    shares = [share for share in np.array_split(streams, threads) if len(share)]
    with torch_threads(1):
        if len(shares) == 1:
            return [work(streams)]
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(work, shares))


@torch.no_grad()
def _walk(
    model: CharLSTM,
    ids: Ids,
    first: npt.NDArray[np.int64],
    length: int,
    warm_up: int,
) -> float:
    """The sum of the losses in streams that begin at the positions ``first``, each so long.

    Before, each reads ``warm_up`` characters that do not count.
    """
    m, B = len(ids) - 1, len(first)
    device = model.output.weight.device

    def block(start: int, size: int) -> torch.Tensor:
        """Characters ``start`` to ``start + size`` of every stream, (size, B)."""
        positions = first + np.arange(start, start + size)[:, None]
        inside = ids[positions.clip(0, m)].astype(np.int64)  # beyond the ends any character will do
        return torch.from_numpy(inside).to(device)

    total = 0.0
    state = model.zero_state(B)
    if warm_up:
        state = model(block(-warm_up, warm_up), state)[1]
    for h, c in state:
        h[:, first == 0] = c[:, first == 0] = 0  # nothing comes before the first stream
    size = max(1, min(length, BLOCK_LOGITS // (B * model.config.vocab_size)))
    for start in range(0, length, size):
        both = block(start, min(size, length - start) + 1)  # (T + 1, B)
        logits, state = model(both[:-1], state)
        losses = F.cross_entropy(logits.flatten(0, 1), both[1:].flatten(), reduction="none")
        positions = first + np.arange(start, start + len(both) - 1)[:, None]
        counted = torch.from_numpy(positions < m)
        # MPS has no float64.
        total += float(losses.view(-1, B).cpu()[counted].double().sum())
    return total
