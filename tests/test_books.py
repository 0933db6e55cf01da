"""How a run judges itself: when it goes back, what it calls the best, when it overfits."""

import math

import pytest

from charlstm.training.books import SKIPS, Books

BLIND = math.log(50)


def looks(books: Books, *stretches: tuple[float, int, int]) -> list[bool]:
    return [books.looked(mean, taken, skipped, blind=BLIND) for mean, taken, skipped in stretches]


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
