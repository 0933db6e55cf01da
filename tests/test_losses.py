"""What a run makes of its losses: when it goes back, what is the best, when it overfits."""

import math

import pytest

from charlstm.training.losses import SKIPS, LossLevels, RunHistory, StepLosses

BLIND = math.log(50)
LEVELS = LossLevels(uniform=BLIND, frequencies=3.1, window=50)


def diverged(history: RunHistory, *stretches: tuple[float, int, int]) -> list[bool]:
    return [history.add_steps(StepLosses(*stretch), LEVELS) for stretch in stretches]


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
    assert diverged(RunHistory(), *stretches) == goes_back


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
    """However often the losses are read, and before a hundred more steps are lost."""
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
    """The steps after which such a run goes back, with a log point every ``stretch`` steps."""
    history, steps = RunHistory(), []
    for start in range(0, len(losses) - stretch + 1, stretch):
        mean = sum(losses[start : start + stretch]) / stretch
        if history.add_steps(StepLosses(mean, stretch, 0), LEVELS):
            steps.append(start + stretch)
    return steps


def test_what_was_taken_back_does_not_count() -> None:
    """Neither in the training loss nor in what is compared with it."""
    history = RunHistory()
    diverged(history, (2.0, 10, 0), (1e20, 10, 0), (1.5, 10, 0))
    assert history.mean_loss() == 1.5
    assert history.rollbacks == 1


def test_the_mean_is_over_steps() -> None:
    """Not over stretches; and it begins anew with each evaluation."""
    history = RunHistory()
    assert math.isnan(history.mean_loss())
    diverged(history, (3.0, 1, 0), (1.0, 3, 0))
    assert history.mean_loss() == 1.5
    history.add_evaluation(2.0, 1)
    assert math.isnan(history.mean_loss())


def test_overfitting_is_a_training_loss_that_falls_alone() -> None:
    """By more than chance; where both rise, or nothing is held back, it is something else."""
    for after, train, expected in ((1.3, 1.0, True), (1.201, 1.0, False), (1.3, 2.0, False)):
        history = RunHistory()
        diverged(history, (1.5, 10, 0))
        assert history.add_evaluation(1.2, 2)
        diverged(history, (train, 10, 0))
        assert not history.add_evaluation(after, 3)
        assert history.overfitting is expected
        assert (history.best_loss, history.evaluations_since_best) == (1.2, 1)
    assert RunHistory().add_evaluation(None, 1)
    assert not RunHistory().overfitting
