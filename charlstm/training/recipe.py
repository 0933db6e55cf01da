"""The choices nobody has to make: sizes and rates from the text, the machine and the budget.

The sweeps behind them are in ``benchmarks/README.md``. Whatever ``Settings`` gives is kept; the
rest is chosen around it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from charlstm.model.config import ModelConfig
from charlstm.options import fields_of
from charlstm.training import finetune, length
from charlstm.training.config import Common, Settings, TrainConfig
from charlstm.training.speed import DEFAULT_SECONDS, Speed

LARGE, VERY_LARGE = 300_000, 5_000_000  # characters
VAL_FRACTION = 0.1
MOST_VAL_CHARACTERS = 1_000_000  # held back by default; to validate then takes seconds, not hours
BATCH_SIZE, BATCH_SIZE_SMALL, SEQ_LENGTH = 16, 8, 64
BATCH_SIZE_GPU = 64  # a small batch would leave most of it idle
LEAST_SEQ_LENGTH = 16
WINDOWS_LEAST = 4  # a small text's epoch has at least so many steps
FEW_EPOCHS, FEW_EPOCHS_RATE = 3.5, 0.75  # a high rate holds back learning by heart, else it costs
# Epochs up to which, dropout, weight dropout: what is read once cannot be learned by heart.
DROPOUTS = ((FEW_EPOCHS, 0.0, 0.0), (8.0, 0.1, 0.1), (12.0, 0.2, 0.2), (20.0, 0.3, 0.2))
MOST_DROPOUTS = (0.4, 0.3)


@dataclass(frozen=True)
class Size:
    """A size of network, what it reads in a step, and when it is of use.

    ``characters`` are how many it must read before it beats the size below it.
    """

    num_layers: int
    hidden_size: int
    seq_length: int
    batch_size: int
    characters: float = 0.0
    learning_rate: float = 0.02  # of up to 256 units


# Characters below which a text gets so many units in each of two layers.
SIZES_SMALL = ((4_000, 64), (8_000, 96), (length.SMALL, 192))
# For a text of SMALL characters or more; a larger network learns more from each character, and
# reads fewer of them in the same time.
SIZES = (
    Size(1, 128, 24, 32, learning_rate=0.04), Size(1, 192, 48, 16, 1.1e6),
    Size(2, 192, 48, 16, 2e6), Size(2, 256, 64, 16, 3.5e6), Size(2, 384, 64, 16, 7e6),
    Size(2, 512, 64, 16, 20e6), Size(2, 768, 64, 16, 100e6), Size(2, 1024, 64, 16, 300e6),
)  # fmt: skip
MORE_WORK = 3.0  # a second, at most, that a machine does of a large network than of the smallest


@dataclass(frozen=True)
class Text:
    """What the recipe knows of the training part of a text."""

    characters: int
    vocab_size: int
    repetition: float  # the share of its sequences of five characters that came before in it
    distance: float | None = None  # nats that the base reads it worse than an n-gram; None: no base


def val_fraction(settings: Settings, characters: int) -> float:
    """The share of a text to hold back: a tenth, of a large text less."""
    if settings.val_fraction is not None:
        return settings.val_fraction
    return min(VAL_FRACTION, MOST_VAL_CHARACTERS / characters)


def choose(
    settings: Settings,
    text: Text,
    *,
    processes: int = 1,
    measure: Callable[[TrainConfig], Speed],
    seconds_spent: Callable[[], float],
) -> tuple[TrainConfig, str, Speed | None]:
    """A complete configuration, in words why it is what it is, and its speed if that is known.

    ``settings`` name a device, a precision and a number of threads of this machine; ``processes``
    share each batch. ``seconds_spent()`` of a time budget are gone already. ``measure`` is called
    only where the number of steps depends on the machine's speed.
    """
    n = text.characters
    timed = all(value is None for value in (settings.steps, settings.epochs, settings.pace))

    def speed_of(config: TrainConfig) -> Speed | None:
        return measure(config) if timed else None

    def plan_of(config: TrainConfig, speed: Speed | None) -> length.Plan:
        return length.planned(settings, config, speed, seconds_spent)

    sizes = _sizes(settings, n)
    config, shrunk = _complete(settings, sizes[0], text, processes)
    speed = speed_of(config)
    plan = plan_of(config, speed)
    read, work = plan.steps * config.characters_per_step, config.network.parameters
    for size in reversed(sizes[1:]):
        larger, larger_shrunk = _complete(settings, size, text, processes)
        if not plan.enough and (
            read * MORE_WORK * work / larger.network.parameters < size.characters
        ):
            continue  # as is known without measuring
        larger_speed = speed_of(larger)
        larger_plan = plan_of(larger, larger_speed)
        read_by_it = larger_plan.steps * larger.characters_per_step
        if larger_plan.enough or read_by_it >= size.characters:
            config, speed, plan, shrunk = larger, larger_speed, larger_plan, larger_shrunk
            break

    config = _regularised(settings, config, text, plan.steps * config.characters_per_step / n)
    if not plan.enough and (config.network.dropout or config.weight_dropout):
        speed = speed_of(config)  # to draw masks takes time
    plan = plan_of(config, speed)
    config = replace(
        config,
        steps=plan.steps,
        time=(settings.time or DEFAULT_SECONDS) if timed else None,
        most_steps=config.steps if timed else None,
        evaluations=settings.evaluations or plan.evaluations,
    )
    return config, _reason(config, n, plan) + shrunk, speed


def _reason(config: TrainConfig, n: int, plan: length.Plan) -> str:
    """The choices in words."""
    network, steps = config.network, "step" if config.steps == 1 else "steps"
    about = "" if config.time is None or plan.enough else "about "
    epochs = config.steps * config.characters_per_step / n
    return (
        f"{network.num_layers} x {network.hidden_size} for {n:,} characters to learn from; "
        f"{about}{config.steps:,} {steps} ({epochs:.1f} epochs), "
        f"{plan.why}; learning rate {config.learning_rate:g}, dropout {network.dropout:g}, weight "
        f"dropout {config.weight_dropout:g}"
    )


def _complete(
    settings: Settings, size: Size, text: Text, processes: int
) -> tuple[TrainConfig, str]:
    """A configuration of this size, as long as is of use; and what was shrunk, if so."""
    n = text.characters
    seq_length, batch_size, shrunk = _window_and_batch(settings, size, n, processes)
    H = settings.hidden_size or size.hidden_size
    # Wider layers, smaller steps.
    rate = round(size.learning_rate * min(1.0, math.sqrt(256 / H)), 5)
    epochs_share = 1.0
    if text.distance is not None:
        rate = round(rate * finetune.rate_share(n, text.distance), 5)
        epochs_share = finetune.epochs_share(n, text.distance)
    steps = length.most_steps(
        settings, n, batch_size, seq_length, text.repetition, epochs_share=epochs_share
    )
    config = TrainConfig(
        **fields_of(Common, vars(settings)),
        steps=steps,
        network=ModelConfig(
            vocab_size=text.vocab_size,
            embedding_size=settings.embedding_size or min(64, H),
            hidden_size=H,
            num_layers=settings.num_layers or size.num_layers,
            dropout=settings.dropout or 0.0,
            residual=settings.residual is not False,
        ),
        seq_length=seq_length,
        batch_size=batch_size,
        val_fraction=settings.val_fraction or 0.0,
        learning_rate=settings.learning_rate or rate,
        weight_dropout=settings.weight_dropout or 0.0,
        threads=settings.threads or 1,
    )
    return config, shrunk


def _regularised(settings: Settings, config: TrainConfig, text: Text, epochs: float) -> TrainConfig:
    """The configuration with dropouts and rate for a text that is read so often.

    A text of which fewer epochs are enough is regularised as if it were read more often.
    """
    epochs *= length.EPOCHS_SMALL / length.enough_epochs(text.repetition)
    dropout, weight_dropout = next(
        ((dropout, weight) for most, dropout, weight in DROPOUTS if epochs <= most), MOST_DROPOUTS
    )
    if settings.dropout is None:
        config = replace(config, network=replace(config.network, dropout=dropout))
    if settings.weight_dropout is None:
        config = replace(config, weight_dropout=weight_dropout)
    if settings.learning_rate is None and epochs <= FEW_EPOCHS:
        config = replace(config, learning_rate=round(FEW_EPOCHS_RATE * config.learning_rate, 5))
    return config


def _sizes(settings: Settings, n: int) -> list[Size]:
    """The sizes to choose from for ``n`` characters, smallest first; one if it was asked for."""
    for below, hidden_size in SIZES_SMALL:
        if n < below:
            return [Size(2, hidden_size, SEQ_LENGTH, BATCH_SIZE_SMALL)]
    asked = (
        settings.hidden_size,
        settings.num_layers,
        settings.steps,
        settings.epochs,
        settings.pace,
    )
    if any(value is not None for value in asked):
        small = n < length.SMALL
        return [Size(2, 256, SEQ_LENGTH, BATCH_SIZE_SMALL if small else BATCH_SIZE)]
    most = 256 if n < LARGE else 512 if n < VERY_LARGE else 1024
    return [size for size in SIZES if size.hidden_size <= most]


def _window_and_batch(
    settings: Settings, size: Size, n: int, processes: int
) -> tuple[int, int, str]:
    """Window and batch that the text can fill, and a note where they are below the usual.

    What the recipe chooses leaves WINDOWS_LEAST steps to an epoch. What was asked for is made
    smaller only if the text is shorter than a single step.
    """
    gpu = settings.device == "cuda" and n >= length.SMALL
    usual = BATCH_SIZE_GPU if gpu else size.batch_size
    T, B = settings.seq_length or size.seq_length, settings.batch_size or usual
    wanted = (T, B)
    while settings.seq_length is None and T > LEAST_SEQ_LENGTH and n < WINDOWS_LEAST * B * T:
        T //= 2
    while settings.batch_size is None and B > 1 and n < WINDOWS_LEAST * B * T:
        B //= 2
    B = min(B, n)
    if settings.batch_size is None:
        B = max(processes, B // processes * processes)
    T = min(T, max(1, n // B))
    names = zip(("window", "batch"), wanted, (T, B), strict=True)
    shrunk = " and ".join(f"{name} {old} -> {new}" for name, old, new in names if new < old)
    return T, B, f"; {shrunk} to fit so short a text" if shrunk else ""
