"""The choices nobody has to make: sizes, rates and lengths from the text, machine and budget.

The sweeps behind them are in ``benchmarks/README.md``. Whatever ``Settings`` gives is kept; the
rest is chosen around it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from charlstm.config import ModelConfig
from charlstm.training.config import Settings, TrainConfig

DEFAULT_SECONDS = 180.0
LEAST_STEPS = 200  # without a budget: a text of a few lines is read often enough to be learned
EPOCHS, EPOCHS_SMALL = 12.0, 30.0  # without a budget: enough for a text, for one below SMALL
SMALL = 60_000  # characters
MOST_TIMES_ENOUGH = 1.25  # however much time is given: beyond it a text is learned by heart
EVALUATIONS = 16
EVALUATION_SHARE = 0.1  # of a time budget, at most
MARGIN = 0.97  # of the time left is planned for; machines slow down
BATCH_SIZE, BATCH_SIZE_SMALL, SEQ_LENGTH = 16, 8, 64
LEAST_SEQ_LENGTH = 16
WINDOWS_LEAST = 4  # a small text's epoch has at least so many steps


@dataclass(frozen=True)
class Speed:
    """Measured on this machine: the seconds of a training step and of a validation walk."""

    step: float
    evaluation: float


@dataclass(frozen=True)
class Choice:
    """A complete configuration, and in words why it is what it is."""

    config: TrainConfig
    reason: str


def choose(
    settings: Settings,
    *,
    train_characters: int,
    vocab_size: int,
    device: str,
    precision: str,
    threads: int,
    measure: Callable[[TrainConfig], Speed],
    seconds_spent: Callable[[], float],
) -> Choice:
    """Complete ``settings``; of a time budget ``seconds_spent()`` are gone already.

    ``measure`` is called only where the number of steps depends on the machine's speed.
    """
    n = train_characters
    seq_length, batch_size, shrunk = _window_and_batch(settings, n)
    steps_per_epoch = max(1, n // batch_size // seq_length)
    hidden_size = settings.hidden_size or _hidden_size(n)
    config = TrainConfig(
        steps=1,
        eval_every=1,
        model=ModelConfig(
            vocab_size=vocab_size,
            embedding_size=settings.embedding_size or min(64, hidden_size),
            hidden_size=hidden_size,
            num_layers=settings.num_layers or 2,
            dropout=settings.dropout or 0.0,
            residual=settings.residual is not False,
        ),
        seq_length=seq_length,
        batch_size=batch_size,
        val_fraction=settings.val_fraction,
        learning_rate=settings.learning_rate or _learning_rate(hidden_size),
        weight_decay=0.05 if settings.weight_decay is None else settings.weight_decay,
        grad_clip=settings.grad_clip or 1.0,
        device=device,
        precision=precision,
        threads=threads,
        random_seed=settings.random_seed or 0,
    )

    evaluations = EVALUATIONS
    if settings.steps is not None:
        steps, why = settings.steps, "as asked"
    elif settings.epochs is not None:
        steps, why = max(1, round(settings.epochs * steps_per_epoch)), "as asked"
    else:
        speed = measure(config)
        seconds = MARGIN * ((settings.time or DEFAULT_SECONDS) - seconds_spent())
        if settings.eval_every is not None:
            steps = int(seconds / (speed.step + speed.evaluation / settings.eval_every))
        else:
            share = EVALUATION_SHARE * seconds / max(speed.evaluation, 1e-9)
            evaluations = max(1, min(EVALUATIONS, int(share)))
            steps = int((seconds - evaluations * speed.evaluation) / speed.step)
        steps = max(1, steps)
        why = f"what {settings.time or DEFAULT_SECONDS:g} seconds hold"
        enough = max(LEAST_STEPS, (EPOCHS_SMALL if n < SMALL else EPOCHS) * steps_per_epoch)
        most = round(enough * (1 if settings.time is None else MOST_TIMES_ENOUGH))
        if most < steps:
            steps, why = most, "more would only be learned by heart"

    epochs = steps / steps_per_epoch
    if settings.dropout is None:
        config = replace(config, model=replace(config.model, dropout=_dropout(epochs)))
    config = replace(
        config, steps=steps, eval_every=settings.eval_every or -(-steps // evaluations)
    )
    size = f"{config.model.num_layers} x {hidden_size} for {n:,} characters to learn from"
    length = f"{steps:,} {'step' if steps == 1 else 'steps'} ({epochs:.1f} epochs), {why}"
    return Choice(config, f"{size}; {length}; dropout {config.model.dropout:g}{shrunk}")


def _hidden_size(n: int) -> int:
    """Units for a text of ``n`` characters: more for more to learn, fewer to learn by heart."""
    return 64 if n < 4_000 else 192 if n < SMALL else 256


def _learning_rate(hidden_size: int) -> float:
    """AdamW's rate at its peak: wider layers, smaller steps."""
    return round(0.02 * min(1.0, math.sqrt(256 / hidden_size)), 5)


def _dropout(epochs: float) -> float:
    """More the more often the text is read: what is seen once cannot be learned by heart."""
    steps = ((2, 0.0), (5, 0.1), (8, 0.25), (16, 0.4))
    return next((dropout for most, dropout in steps if epochs <= most), 0.6)


def _window_and_batch(settings: Settings, n: int) -> tuple[int, int, str]:
    """Window and batch that the text can fill, and a note where they are below the usual.

    A choice of the recipe leaves WINDOWS_LEAST steps to an epoch; one that was asked for gives
    way only if the text is shorter than a single step.
    """
    usual = BATCH_SIZE_SMALL if n < SMALL else BATCH_SIZE
    T, B = settings.seq_length or SEQ_LENGTH, settings.batch_size or usual
    wanted = (T, B)
    while settings.seq_length is None and T > LEAST_SEQ_LENGTH and n < WINDOWS_LEAST * B * T:
        T //= 2
    while settings.batch_size is None and B > 1 and n < WINDOWS_LEAST * B * T:
        B //= 2
    B = min(B, n)
    T = min(T, max(1, n // B))
    names = zip(("window", "batch"), wanted, (T, B), strict=True)
    shrunk = " and ".join(f"{name} {old} -> {new}" for name, old, new in names if old != new)
    return T, B, f"; {shrunk} to fit so short a text" if shrunk else ""
