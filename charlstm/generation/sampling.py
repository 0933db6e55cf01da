"""From logits to an id: pure functions of logits, settings and a uniform random number.

Each takes the logits of one text, (V,), or of a batch, (B, V). The result for a row of a batch is
the same, bit by bit, as for that row alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from charlstm.errors import ModelFileError, OptionError
from charlstm.options import check_record

Logits = npt.NDArray[np.floating]
Weights = npt.NDArray[np.float64]
Ids = npt.NDArray[np.intp]
Recent = Sequence[int] | npt.NDArray[np.integer]

SMALL, LARGE = 1e-290, 1e290  # a sum of exponentials between them did not overflow or underflow
LEAST_PLAIN = 0.1  # below this temperature exponentials usually overflow
NO_ID = -1  # fills up a row of recent ids if fewer characters were read


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next character is chosen.

    The fields are applied in this order:

    1. ``banned``: these ids are never drawn.
    2. ``repetition_penalty``: the probability of each character among the last
       ``repetition_window`` characters is divided by it. That is, its logarithm is subtracted from
       the logit; to divide the logit (Keskar et al. 2019, CTRL) would give another result if a
       constant were added to all logits.
    3. ``temperature``: logits are divided by it. 0 is greedy: the most probable id, the lowest
       among equals, and the steps below are not done.
    4. ``top_k``: exactly the k most probable ids stay; among equals the lowest. 0: all stay.
    5. ``top_p``: of these the smallest set of most probable ids stays whose probabilities add up
       to p or more, the nucleus (Holtzman et al. 2019). 1: all stay.
    6. ``min_p``: of these the ids stay that have at least min_p times the highest probability
       (Nguyen et al. 2024). 0: all stay.

    After each step probabilities add up to 1 again. Raises OptionError for values out of range.
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

    def banning(self, characters: str, vocabulary: str) -> "Sampling":
        """The same settings with ``characters`` banned; unknown ones are never drawn anyway.

        Raises OptionError if no character is left.
        """
        banned = tuple(i for i, c in enumerate(vocabulary) if c in characters)
        if len(banned) == len(vocabulary):
            raise OptionError(
                f"all {len(vocabulary)} characters of the model are banned; allow at least one"
            )
        return replace(self, banned=banned)

    @cached_property
    def plain(self) -> bool:
        """Whether only the temperature is set, and to a usual value."""
        adjusted = self.banned or self.repetition_penalty != 1
        return self.temperature >= LEAST_PLAIN and not adjusted and not self.narrows

    @cached_property
    def narrows(self) -> bool:
        """Whether top-k, top-p or min-p may remove ids."""
        return self.top_k > 0 or self.top_p < 1 or self.min_p > 0


def sample(logits: Logits, sampling: Sampling, *, uniform: float, recent: Recent = ()) -> int:
    """One id, drawn from ``probabilities(logits, sampling, recent)``; logits (V,).

    The id is the first at which the cumulated probability is greater than ``uniform``, a number
    in [0, 1) (inverse transform sampling). ``recent`` holds the last ids, in any order.

    >>> sample(np.log([0.2, 0.3, 0.5]), Sampling(), uniform=0.4)
    1
    """
    if sampling.plain:  # the usual case, with half of the steps below
        cumulated = np.add.accumulate(_direct_weights(logits, sampling))
        total = float(cumulated[-1])
        if SMALL < total < LARGE:
            return int(cumulated.searchsorted(_below(uniform, total), "right"))
    # A tiny temperature may give -inf, which is correct; nan is found below.
    with np.errstate(over="ignore", invalid="ignore"):
        if sampling.temperature == 0:
            return int(_greedy(logits, sampling, recent))
        cumulated = np.add.accumulate(_weights(logits, sampling, recent))
    total = float(cumulated[-1])  # the most probable id alone has weight 1
    if not total >= 1:
        raise too_large()
    return int(cumulated.searchsorted(_below(uniform, total), "right"))


def sample_batch(
    logits: Logits,
    sampling: Sampling,
    *,
    uniforms: npt.NDArray[np.float64],
    recent: npt.NDArray[np.integer] | None = None,
) -> Ids:
    """One id for each text, (B,): row b is ``sample(logits[b], ..., uniform=uniforms[b])``.

    logits (B, V), uniforms (B,), recent (B, W) with NO_ID for no character.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if sampling.temperature == 0:
            return _greedy(logits, sampling, recent)
        if sampling.plain:
            cumulated = _direct_weights(logits, sampling).cumsum(axis=-1)  # (B, V)
            beyond = ~((cumulated[:, -1] > SMALL) & (cumulated[:, -1] < LARGE))
            if beyond.any():  # plain sampling does not use recent ids
                cumulated[beyond] = _weights(logits[beyond], sampling, None).cumsum(axis=-1)
        else:
            cumulated = _weights(logits, sampling, recent).cumsum(axis=-1)
    totals = cumulated[:, -1]
    if not (totals > SMALL).all():
        raise too_large()
    points = np.minimum(uniforms * totals, np.nextafter(totals, 0))  # as _below
    chosen: Ids = (cumulated <= points[:, None]).sum(axis=-1)
    return chosen


def probabilities(logits: Logits, sampling: Sampling, recent: Recent | None = None) -> Weights:
    """The probability with which ``sample`` draws each id, (..., V).

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
        raise too_large()
    shares: Weights = weights / totals
    return shares


def surprisal(logits: Logits, ids: int | npt.NDArray[np.integer]) -> Weights:
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
    """The most probable id, the lowest among equals, (...)."""
    adjusted = _adjusted(logits, sampling, recent)
    if not np.isfinite(adjusted.max(axis=-1)).all():
        raise too_large()
    best: Ids = adjusted.argmax(axis=-1)
    return best


def _direct_weights(logits: Logits, sampling: Sampling) -> Weights:
    """``_weights`` of plain sampling times a factor, which may overflow or underflow, (..., V)."""
    weights: Weights = np.exp(np.multiply(logits, 1 / sampling.temperature, dtype=np.float64))
    return weights


def _weights(logits: Logits, sampling: Sampling, recent: Recent | None) -> Weights:
    """Probabilities up to a factor, (..., V): the most probable id has 1."""
    adjusted = _adjusted(logits, sampling, recent)
    if adjusted.ndim == 1:  # argmax is four times as fast as max
        adjusted -= adjusted[adjusted.argmax()]
    else:
        adjusted -= adjusted.max(axis=-1, keepdims=True)
    weights: Weights = np.exp(adjusted / sampling.temperature)
    return _narrowed(weights, adjusted, sampling) if sampling.narrows else weights


def _adjusted(logits: Logits, sampling: Sampling, recent: Recent | None) -> Weights:
    """The logits after bans and penalty, (..., V)."""
    adjusted = logits.astype(np.float64)
    if sampling.repetition_penalty != 1 and recent is not None and len(recent):
        ids = np.asarray(recent)  # (..., W)
        V = logits.shape[-1]
        penalty = np.zeros((*logits.shape[:-1], V + 1))  # the last entry is that of NO_ID
        np.put_along_axis(penalty, ids, math.log(sampling.repetition_penalty), axis=-1)
        adjusted -= penalty[..., :V]
    if sampling.banned:
        adjusted[..., list(sampling.banned)] = -np.inf
    return adjusted


def _narrowed(weights: Weights, adjusted: Weights, sampling: Sampling) -> Weights:
    """``weights`` with 0 for the ids that top-k, top-p and min-p remove, (..., V)."""
    # Sorted by logits, because different logits may have equal weights; and stably, so that of
    # equal ids the lowest come first.
    order = np.argsort(-adjusted, axis=-1, kind="stable")
    if order.ndim > 1:  # take and put need indices into the flat array
        order += np.arange(0, order.size, order.shape[-1])[:, None]
    ranked = weights.take(order)  # (..., V), falling
    if sampling.top_k:
        ranked[..., sampling.top_k :] = 0
    if sampling.top_p < 1:
        cumulated = ranked.cumsum(axis=-1)
        # An id is removed if those before it already have p; the one that reaches p stays.
        reached = cumulated[..., :-1] >= sampling.top_p * cumulated[..., -1:]
        ranked[..., 1:][reached] = 0
    if sampling.min_p:
        ranked[ranked < sampling.min_p] = 0  # the most probable id has 1
    kept = np.empty_like(weights)
    kept.put(order, ranked)
    return kept


def _below(uniform: float, total: float) -> float:
    """``uniform * total``, but below ``total`` even if it rounds up, so that an id is found."""
    return min(uniform * total, math.nextafter(total, 0))


def too_large() -> ModelFileError:
    """The error for weights whose products overflow."""
    return ModelFileError("the model's weights are too large to compute with; train it again")
