"""How a run judges itself: when it goes back, what it calls the best, when it overfits."""

import math

import pytest

from charlstm.training.losses import SKIPS, Books, Levels

BLIND = math.log(50)
LEVELS = Levels(uniform=BLIND, frequencies=3.1, window=50)


def looks(books: Books, *stretches: tuple[float, int, int]) -> list[bool]:
    return [books.looked(mean, taken, skipped, LEVELS) for mean, taken, skipped in stretches]


@pytest.mark.parametrize(
    ("stretches", "goes_back"),
    [
        ([(2.0, 10, 0), (1.9, 10, 0)], [False, False]),
        ([(2.0, 9, 1), (1.9, 1, 9)], [False, False]),
        ([(math.nan, 0, 1)] * SKIPS, [False] * (SKIPS - 1) + [True]),
        ([(math.nan, 0, 3), (2.0, 1, 2), (math.nan, 0, 3)], [False, False, False]),
        ([(math.nan, 0, 20)], [True]),
        ([(2.0, 10, 0), (BLIND + 1.9, 10, 0), (BLIND + 2.1, 10, 0)], [False, False, True]),
        ([(9.0, 10, 0), (10.0, 10, 0), (11.5, 10, 0)], [False, False, True]),
    ],
)
def test_a_run_goes_back_when_skipping_does_not_help(
    stretches: list[tuple[float, int, int]], goes_back: list[bool]
) -> None:
    """After skips in a row, or a loss far above what it was; never for a high one to begin with."""
    assert looks(Books(), *stretches) == goes_back


def falling(first: float, last: float, steps: int) -> list[float]:
    """Losses of single steps that fall as those of a training do, soon and then slowly."""
    return [last + (first - last) * 0.97**step for step in range(steps)]


COLLAPSES = {
    "for good": [*falling(3.9, 1.4, 900), *[3.1] * 150],
    "a little below the frequencies": [*falling(3.9, 1.4, 900), *[2.9] * 150],
    "slowly": [*falling(3.9, 1.4, 900), *[1.4 + 0.01 * i for i in range(180)], *[3.2] * 100],
    "of names, of which little can be learned": [*falling(3.3, 2.3, 400), *[3.05] * 150],
    "after an alphabet that was new": [*falling(9.0, 1.3, 900), *[3.1] * 150],
    "of a text that is known by heart": [*falling(3.5, 0.05, 900), *[3.1] * 150],
}


@pytest.mark.parametrize("losses", COLLAPSES.values(), ids=COLLAPSES)
@pytest.mark.parametrize("stretch", [1, 7, 100])
def test_a_collapse_to_character_frequencies_is_seen(losses: list[float], stretch: int) -> None:
    """However often the losses are looked at, and before a hundred more steps are lost."""
    steps = went_back(losses, stretch)
    assert steps
    assert 0 < steps[0] - max(i for i, loss in enumerate(losses) if loss < 2.4) <= 150


SOUND = {
    "a run of a few steps": falling(3.9, 3.0, 40),
    "a run as it should be": falling(4.0, 1.2, 3000),
    "steps that differ much": [
        loss + (1.2 if i % 3 else -0.4) for i, loss in enumerate(falling(3.9, 1.4, 900))
    ],
    "a strange passage": [*falling(3.9, 1.4, 900), *[5.5] * 16, *falling(1.6, 1.4, 300)],
    "a first step that is by chance easy": [0.4, *falling(3.2, 2.9, 300)],
    "a first peak of the rate": [*falling(3.9, 2.3, 300), *[2.6] * 100, *falling(2.6, 1.5, 500)],
    "high dropout": [3.1 + 0.2 * math.sin(i) - 0.1 * (i // 300) for i in range(900)],
    "an alphabet that is new": falling(11.0, 2.9, 900),
    "a model that knows the text, at a full rate": [*[1.0] * 60, *[1.9] * 200, *[1.3] * 500],
    "a longer run, whose rate rises again": [*falling(3.5, 0.6, 900), *[1.6] * 300],
    "nothing that could be learned": [3.1 + 0.05 * math.sin(i) for i in range(900)],
}


@pytest.mark.parametrize("losses", SOUND.values(), ids=SOUND)
@pytest.mark.parametrize("stretch", [1, 7, 100])
def test_a_training_that_is_sound_is_left_alone(losses: list[float], stretch: int) -> None:
    """However its losses go up and down."""
    assert went_back(losses, stretch) == []


def went_back(losses: list[float], stretch: int) -> list[int]:
    """The steps after which a run with these losses goes back, looking every ``stretch`` steps."""
    books, steps = Books(), []
    for start in range(0, len(losses) - stretch + 1, stretch):
        mean = sum(losses[start : start + stretch]) / stretch
        if books.looked(mean, stretch, 0, LEVELS):
            steps.append(start + stretch)
    return steps


def test_what_was_taken_back_does_not_count() -> None:
    """Neither in the training loss nor in what is compared with it."""
    books = Books()
    looks(books, (2.0, 10, 0), (1e20, 10, 0), (1.5, 10, 0))
    assert books.mean_loss() == 1.5
    assert books.rollbacks == 1


def test_the_mean_is_over_steps() -> None:
    """Not over stretches; and it begins anew with each evaluation."""
    books = Books()
    assert math.isnan(books.mean_loss())
    looks(books, (3.0, 1, 0), (1.0, 3, 0))
    assert books.mean_loss() == 1.5
    books.evaluated(4, 2.0)
    assert math.isnan(books.mean_loss())


def test_overfitting_is_a_training_loss_that_falls_alone() -> None:
    """By more than chance; where both rise, or nothing is held back, it is something else."""
    for after, train, expected in ((1.3, 1.0, True), (1.201, 1.0, False), (1.3, 2.0, False)):
        books = Books()
        looks(books, (1.5, 10, 0))
        assert books.evaluated(10, 1.2)
        looks(books, (train, 10, 0))
        assert not books.evaluated(20, after)
        assert books.overfitting is expected
        assert (books.best_step, books.best_loss, books.evaluations_since_best) == (10, 1.2, 1)
    assert Books().evaluated(1, None)
    assert not Books().overfitting
