"""From logits to an id: pure functions of logits, settings and a uniform number, nothing else.

Each works on one stream, logits (V,), or on a batch of them, (B, V), and gives a row of a batch
what it gives that row alone, bit by bit.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from charlstm.errors import ModelFileError, OptionError
from charlstm.options import check_record, require_integer

Logits = npt.NDArray[np.floating]
Weights = npt.NDArray[np.float64]
Ids = npt.NDArray[np.intp]
Recent = Sequence[int] | npt.NDArray[np.integer]

SMALL, LARGE = 1e-290, 1e290  # sums of exponentials between them need no care
LEAST_PLAIN = 0.1  # a temperature below it makes exponentials that are beyond all numbers
NO_ID = -1  # fills the place of a recent id where fewer characters were read


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next character is chosen; the fields act in this order.

    1. ``banned``: ids that are never drawn.
    2. ``repetition_penalty``: the probability of every character that occurred among the last
       ``repetition_window`` is divided by it. Its logarithm is taken from the logit; dividing
       the logit (Keskar et al. 2019, CTRL) would depend on where logits have their zero.
    3. ``temperature``: logits are divided by it. 0 is greedy: the most probable id, the lowest
       among equals, and nothing more is done.
    4. ``top_k``: only the k most probable stay, exactly k; among equals the lowest ids. 0: all.
    5. ``top_p``: of these only the nucleus, the fewest most probable whose probabilities add up
       to p or more (Holtzman et al. 2019). 1: all.
    6. ``min_p``: of these only what has min_p times the probability of the most probable, or
       more (Nguyen et al. 2024). 0: all.

    Probabilities add up to 1 again after each. Raises OptionError for values out of range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    repetition_window: int = 64
    banned: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_record(self)
        banned = tuple(require_integer("banned", i) for i in self.banned)
        object.__setattr__(self, "banned", banned)

    def check_vocabulary(self, size: int) -> None:
        """Raise OptionError where ``banned`` leaves none of ``size`` characters, or is beyond."""
        beyond = [i for i in self.banned if i >= size]
        if beyond:
            raise OptionError(f"banned id {beyond[0]} is not below the vocabulary's {size}")
        if len(set(self.banned)) == size:
            raise OptionError(
                f"all {size} characters that the model knows are banned; leave it one"
            )

    def banning(self, characters: str, vocabulary: str) -> "Sampling":
        """The same with ``characters`` banned; those beyond the vocabulary never come anyway.

        Raises OptionError where none is left.
        """
        banned = tuple(i for i, c in enumerate(vocabulary) if c in characters)
        sampling = replace(self, banned=banned)
        sampling.check_vocabulary(len(vocabulary))
        return sampling

    @cached_property
    def plain(self) -> bool:
        """Whether there is a usual temperature and nothing else."""
        return self.temperature >= LEAST_PLAIN and not self.adjusts and not self.narrows

    @cached_property
    def sharpness(self) -> float:
        """What logits are multiplied by; only where the temperature is above 0."""
        return 1 / self.temperature

    @cached_property
    def adjusts(self) -> bool:
        """Whether bans or a penalty change logits before the temperature does."""
        return bool(self.banned) or self.repetition_penalty != 1

    @cached_property
    def narrows(self) -> bool:
        """Whether top-k, top-p or min-p leave characters out."""
        return self.top_k > 0 or self.top_p < 1 or self.min_p > 0


PLAIN = Sampling()


def sample(logits: Logits, sampling: Sampling, *, uniform: float, recent: Recent = ()) -> int:
    """One id, drawn from ``probabilities(logits, sampling, recent)``; logits (V,).

    The draw is by inverse CDF: the first id at which the cumulated probability exceeds
    ``uniform``, a number in [0, 1). ``recent`` holds the ids last read, in any order.

    >>> sample(np.log([0.2, 0.3, 0.5]), Sampling(), uniform=0.4)
    1
    """
    if sampling.plain:  # half of the steps below, for what is drawn most
        cumulated = np.add.accumulate(_direct_weights(logits, sampling))
        total = float(cumulated[-1])
        if SMALL < total < LARGE:
            return int(cumulated.searchsorted(_below(uniform, total), "right"))
    # A tiny temperature may make -inf, which is as it should be; nan is found below.
    with np.errstate(over="ignore", invalid="ignore"):
        if sampling.temperature == 0:
            return int(_greedy(logits, sampling, recent))
        cumulated = np.add.accumulate(_weights(logits, sampling, recent))
    total = float(cumulated[-1])  # the likeliest alone adds 1
    if not total >= 1:
        raise _too_large()
    return int(cumulated.searchsorted(_below(uniform, total), "right"))


def sample_batch(
    logits: Logits,
    sampling: Sampling,
    *,
    uniforms: npt.NDArray[np.float64],
    recent: npt.NDArray[np.integer] | None = None,
) -> Ids:
    """One id for each stream, (B,): row b is ``sample(logits[b], ..., uniform=uniforms[b])``.

    logits (B, V), uniforms (B,), recent (B, W), where NO_ID stands for no character.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if sampling.temperature == 0:
            return _greedy(logits, sampling, recent)
        if sampling.plain:
            cumulated = _direct_weights(logits, sampling).cumsum(axis=-1)  # (B, V)
            beyond = ~((cumulated[:, -1] > SMALL) & (cumulated[:, -1] < LARGE))
            if beyond.any():  # what plain sampling never looks at is recent
                cumulated[beyond] = _weights(logits[beyond], sampling, None).cumsum(axis=-1)
        else:
            cumulated = _weights(logits, sampling, recent).cumsum(axis=-1)
    totals = cumulated[:, -1]
    if not (totals > SMALL).all():
        raise _too_large()
    places = np.minimum(uniforms * totals, np.nextafter(totals, 0))
    chosen: Ids = (cumulated <= places[:, None]).sum(axis=-1)
    return chosen


def probabilities(logits: Logits, sampling: Sampling, recent: Recent | None = None) -> Weights:
    """The probability of each next character, (..., V), as ``sample`` draws it.

    >>> probabilities(np.log([0.1, 0.2, 0.3, 0.4]), Sampling(top_k=2)).round(3).tolist()
    [0.0, 0.0, 0.429, 0.571]
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if sampling.temperature == 0:
            best = _greedy(logits, sampling, recent)[..., None]
            certain: Weights = (np.arange(logits.shape[-1]) == best).astype(np.float64)
            return certain
        weights = _weights(logits, sampling, recent)
    totals = weights.sum(axis=-1, keepdims=True)
    if not (totals >= 1).all():
        raise _too_large()
    shares: Weights = weights / totals
    return shares


def surprisal(logits: Logits, ids: int | Ids) -> Weights:
    """-log2 of the probability of ``ids``, (...), at temperature 1; logits (..., V).

    >>> float(surprisal(np.log([0.25, 0.75]), 0))
    2.0
    """
    scores = logits.astype(np.float64)
    scores -= scores.max(axis=-1, keepdims=True)
    chosen = np.take_along_axis(scores, np.asarray(ids)[..., None], axis=-1)[..., 0]
    bits: Weights = (np.log(np.exp(scores).sum(axis=-1)) - chosen) / math.log(2)
    return bits


def _greedy(logits: Logits, sampling: Sampling, recent: Recent | None) -> Ids:
    """The most probable id, the lowest among equals, of shape (...)."""
    adjusted = _adjusted(logits, sampling, recent)
    if not np.isfinite(adjusted.max(axis=-1)).all():
        raise _too_large()
    best: Ids = adjusted.argmax(axis=-1)
    return best


def _direct_weights(logits: Logits, sampling: Sampling) -> Weights:
    """``_weights`` of plain sampling, but for a factor that may be beyond all numbers, (..., V)."""
    weights: Weights = np.exp(np.multiply(logits, sampling.sharpness, dtype=np.float64))
    return weights


def _weights(logits: Logits, sampling: Sampling, recent: Recent | None) -> Weights:
    """What the probabilities are proportional to, (..., V): 1 for the most probable."""
    adjusted = _adjusted(logits, sampling, recent)
    if adjusted.ndim == 1:  # four times as fast as max(), which also would do
        adjusted -= adjusted[adjusted.argmax()]
    else:
        adjusted -= adjusted.max(axis=-1, keepdims=True)
    weights: Weights = np.exp(adjusted / sampling.temperature)
    return _narrowed(weights, adjusted, sampling) if sampling.narrows else weights


def _adjusted(logits: Logits, sampling: Sampling, recent: Recent | None) -> Weights:
    """The logits after bans and penalty, (..., V)."""
    adjusted = logits.astype(np.float64)
    if sampling.adjusts:
        if sampling.repetition_penalty != 1 and recent is not None and len(recent):
            ids = np.asarray(recent)  # (..., W)
            V = logits.shape[-1]
            penalty = np.zeros((*logits.shape[:-1], V + 1))  # the last, at NO_ID, is nobody's
            np.put_along_axis(penalty, ids, math.log(sampling.repetition_penalty), axis=-1)
            adjusted -= penalty[..., :V]
        if sampling.banned:
            adjusted[..., list(sampling.banned)] = -np.inf
    return adjusted


def _narrowed(weights: Weights, adjusted: Weights, sampling: Sampling) -> Weights:
    """``weights`` with 0 for what top-k, top-p and min-p leave out, (..., V)."""
    # By logits: their weights may be equal where they are not. Stable, so that of equals the
    # lowest ids come first.
    order = np.argsort(-adjusted, axis=-1, kind="stable")
    if order.ndim > 1:  # places in the whole array, which take and put count by
        order += np.arange(0, order.size, order.shape[-1])[:, None]
    ranked = weights.take(order)  # (..., V), falling
    if sampling.top_k:
        ranked[..., sampling.top_k :] = 0
    if sampling.top_p < 1:
        cumulated = ranked.cumsum(axis=-1)
        # The one that crosses is in: what counts is whether those before it have p already.
        reached = cumulated[..., :-1] >= sampling.top_p * cumulated[..., -1:]
        ranked[..., 1:][reached] = 0
    if sampling.min_p:
        ranked[ranked < sampling.min_p] = 0  # the most probable has 1
    kept = np.empty_like(weights)
    kept.put(order, ranked)
    return kept


def _below(uniform: float, total: float) -> float:
    """A share of ``total``, below it even where it rounds up, so that the id found has a share."""
    return min(uniform * total, math.nextafter(total, 0))


def _too_large() -> ModelFileError:
    return ModelFileError("the model's weights are too large to compute with; train it again")
