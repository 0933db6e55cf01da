"""What the recipe chooses, from 200 characters to gigabytes, and what it leaves alone."""

from typing import Any

import numpy as np
import pytest

from charlstm.training.config import Settings, TrainConfig
from charlstm.training.length import LEAST_PLANNED, LONGEST, repetition
from charlstm.training.recipe import Text, choose, val_fraction
from charlstm.training.speed import Speed

MACHINE = {"device": "cpu", "precision": "fp32", "threads": 2}


def chosen(
    n: int, *, speed: Speed | None = None, spent: float = 0.0, **asked: Any
) -> tuple[TrainConfig, str, Speed | None]:
    measured: list[TrainConfig] = []

    def measure(config: TrainConfig) -> Speed:
        measured.append(config)
        return speed or Speed(step=0.02, evaluation=0.1)

    processes, repetition = asked.pop("processes", 1), asked.pop("repetition", 0.6)
    choice = choose(
        Settings(**MACHINE, **asked),
        Text(n, 60, repetition),
        processes=processes,
        measure=measure,
        seconds_spent=lambda: spent,
    )
    assert bool(measured) == ("steps" not in asked and "epochs" not in asked)
    return choice


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("", 1.0),
        ("abcd", 1.0),
        ("abcde", 0.0),
        ("abcdefghij", 0.0),
        ("abcdeabcde", 1 / 6),
        ("ab" * 50, 94 / 96),
        ("\u4e00\u4e8c\u4e09" * 3, 2 / 5),
    ],
)
def test_how_much_of_a_text_repeats_itself(text: str, share: float) -> None:
    """The share of its sequences of five characters that came before in it."""
    for dtype in (np.uint16, np.uint32):
        assert repetition(np.array([ord(c) for c in text], dtype)) == pytest.approx(share)
    assert repetition(np.zeros(LONGEST + 1, np.uint8)) == 1.0


@pytest.mark.parametrize(
    ("n", "repeated", "epochs", "with_time"),
    [
        (47_000, 0.6, 30, 36),  # A Bell for Cold Hythe
        (12_700, 0.18, 21.6, 25.9),  # two thousand names
        (18_000, 0.02, 4, 4.8),  # twenty thousand characters of Chinese
        (90_000, 0.047, 5.6, 6.8),  # a hundred thousand
        (93_000, 0.6, 12, 36),  # Macbeth
        (848_000, 1.0, 12, 36),
    ],
)
def test_a_text_that_repeats_little_is_read_less_often(
    n: int, repeated: float, epochs: float, with_time: float
) -> None:
    """By a rule that was measured; a text that was long enough before is read as before."""
    fast = Speed(step=1e-9, evaluation=0.0)
    for time, expected in ((None, epochs), (1e6, with_time)):
        config = chosen(n, speed=fast, time=time, repetition=repeated)[0]
        read = config.steps * config.characters_per_step / n
        assert read == pytest.approx(expected, rel=0.02)


def test_a_few_lines_are_read_often_enough_to_be_learned() -> None:
    """Where an epoch is a few steps, there are a hundred all the same."""
    assert chosen(900, repetition=0.1)[0].steps == 100


@pytest.mark.parametrize(
    ("n", "hidden_size"),
    [(3_999, 64), (4_000, 96), (7_999, 96), (8_000, 192), (59_999, 192)],
)
def test_a_short_text_gets_a_small_network(n: int, hidden_size: int) -> None:
    """A larger one would know it by heart before it knows its language."""
    assert chosen(n, steps=10)[0].network.hidden_size == hidden_size


def test_what_is_soon_learned_by_heart_is_held_back() -> None:
    """Dropouts are those of as many more epochs as would be enough for another text."""
    names, play = (chosen(12_700, epochs=9, repetition=r)[0] for r in (0.075, 0.6))
    as_often = chosen(12_700, epochs=30, repetition=0.6)[0]
    assert names.network.dropout == as_often.network.dropout > play.network.dropout
    assert names.weight_dropout == as_often.weight_dropout > play.weight_dropout


@pytest.mark.parametrize("n", [30, 180, 2_000, 30_000, 90_000, 1_000_000, 5_000_000_000])
def test_every_size_of_text_gets_a_run_that_fits(n: int) -> None:
    """A step is no longer than the text, and the time is kept."""
    config = chosen(n)[0]
    assert config.batch_size * config.seq_length <= n
    assert config.steps * 0.02 <= 180
    assert 1 <= config.evaluations <= 16


def test_a_short_text_shrinks_window_and_batch_and_says_so() -> None:
    """With both numbers before and after."""
    config, reason, _ = chosen(180)
    assert config.batch_size < 8
    assert "window 64 -> " in reason
    assert "batch 8 -> " in reason
    assert "->" not in chosen(100_000)[1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_size", 77),
        ("num_layers", 3),
        ("embedding_size", 9),
        ("dropout", 0.33),
        ("dropout", 0.0),
        ("residual", False),
    ],
)
def test_one_size_can_be_chosen_alone(name: str, value: Any) -> None:
    """The rest is chosen around it."""
    assert getattr(chosen(90_000, **{name: value})[0].network, name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seq_length", 33),
        ("batch_size", 7),
        ("learning_rate", 1e-4),
        ("weight_decay", 0.0),
        ("grad_clip", 0.5),
        ("eval_every", 3),
        ("random_seed", 5),
        ("val_fraction", 0.2),
        ("weight_dropout", 0.25),
        ("weight_dropout", 0.0),
        ("averaging", 0.5),
        ("averaging", 0.0),
        ("patience", 3),
    ],
)
def test_one_choice_of_training_can_be_made_alone(name: str, value: Any) -> None:
    """What is asked for is what is done."""
    assert getattr(chosen(90_000, steps=100, **{name: value})[0], name) == value


def test_time_is_what_decides_where_it_is_given() -> None:
    """Evaluations and what is spent already count in."""
    speed = Speed(step=0.01, evaluation=0.5)
    config = chosen(1_000_000, time=60.0, spent=10.0, speed=speed)[0]
    assert 49 < config.steps * 0.01 + config.evaluations * 0.5 < 50


def test_a_run_ends_when_more_would_be_learned_by_heart() -> None:
    """Without a budget at what is enough; with much time at a few times that, and no later."""
    enough = chosen(90_000)[0].steps
    assert enough < chosen(90_000, time=1000.0)[0].steps == chosen(90_000, time=1e6)[0].steps
    assert chosen(90_000, time=1e6)[0].steps <= 3 * enough


def test_evaluations_that_were_asked_for_count_in() -> None:
    """The more often one validates, the fewer steps the time holds."""
    speed = Speed(step=0.01, evaluation=0.5)
    config = chosen(1_000_000, time=60.0, speed=speed, eval_every=10)[0]
    assert 55 < config.steps * (0.01 + 0.5 / 10) < 60


def test_the_network_grows_with_what_the_time_lets_it_read() -> None:
    """A faster machine or more time gives a larger network, never a smaller one."""

    def units(seconds_a_step: float, time: float) -> int:
        speed = Speed(step=seconds_a_step, evaluation=0.1)
        model = chosen(1_000_000, time=time, speed=speed)[0].network
        return model.hidden_size * model.num_layers

    for sizes in (
        [units(0.01, time) for time in (5, 10, 60, 180, 900, 3600)],
        [units(step, 60) for step in (1.0, 0.1, 0.02, 0.01, 0.001)],
    ):
        assert sizes == sorted(sizes)
        assert sizes[-1] >= 4 * sizes[0]


def test_a_network_that_cannot_read_enough_is_not_even_measured() -> None:
    """Six seconds are not spent on the speed of the largest network."""
    measured: list[int] = []

    def measure(config: TrainConfig) -> Speed:
        measured.append(config.network.hidden_size)
        return Speed(step=0.003, evaluation=0.1)

    choose(
        Settings(time=6.0, **MACHINE),
        Text(1_000_000, 60, 0.8),
        measure=measure,
        seconds_spent=lambda: 1.0,
    )
    assert 512 not in measured


@pytest.mark.parametrize(
    ("characters", "share"), [(1_000, 0.1), (5_000_000, 0.1), (1_000_000_000, 0.001)]
)
def test_a_tenth_is_held_back_but_no_more_than_is_soon_read(characters: int, share: float) -> None:
    """A share that was asked for is taken as it is."""
    assert val_fraction(Settings(), characters) == share
    assert val_fraction(Settings(val_fraction=0.3), characters) == 0.3


def test_processes_share_a_batch_evenly() -> None:
    """The recipe sees to it; a batch that was asked for stays as it is."""
    assert chosen(1_000_000, processes=3, steps=5)[0].batch_size % 3 == 0
    assert chosen(300, processes=3, steps=5)[0].batch_size % 3 == 0
    assert chosen(1_000_000, processes=3, steps=5, batch_size=16)[0].batch_size == 16


def test_time_that_is_spent_before_the_start_still_gives_a_step() -> None:
    """A budget too small for anything is not an error."""
    assert chosen(90_000, time=1.0, spent=5.0)[0].steps == LEAST_PLANNED


def test_epochs_and_steps_are_done_as_asked() -> None:
    """Without measuring anything."""
    assert chosen(102_400, epochs=2.5)[0].steps == 250
    assert chosen(102_400, steps=7)[0].steps == 7


@pytest.mark.parametrize(("n", "asked"), [(36_000, {}), (8_000, {"batch_size": 64}), (500, {})])
def test_so_many_epochs_are_read_as_were_asked_for(n: int, asked: dict[str, int]) -> None:
    """Also of a text of which many characters fill no window; and the plan says the same."""
    config, reason, _ = chosen(n, epochs=20, **asked)
    assert config.steps * config.characters_per_step / n == pytest.approx(20, abs=0.05)
    assert "(20.0 epochs)" in reason


def test_dropout_rises_with_the_times_a_text_is_read() -> None:
    """What is seen once cannot be learned by heart."""
    rates = [chosen(1_000_000, epochs=e)[0].network.dropout for e in (1, 4, 8, 30)]
    assert rates == sorted(rates)
    assert rates[0] == 0
    assert rates[-1] > 0.3


def test_what_is_measured_is_no_longer_than_what_is_of_use() -> None:
    """A text of a few lines is trained on for a second, and measured for a fiftieth of that."""
    measured: list[TrainConfig] = []

    def measure(config: TrainConfig) -> Speed:
        measured.append(config)
        return Speed(step=0.005, evaluation=0.001)

    config, *_ = choose(
        Settings(**MACHINE),
        Text(200, 30, 0.1),
        measure=measure,
        seconds_spent=lambda: 0.0,
    )
    assert measured[0].steps == config.steps
