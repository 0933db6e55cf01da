"""The pace of a run: its progress with each step, and how it keeps to its time."""

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlstm.errors import OptionError
from charlstm.training.config import Settings
from charlstm.training.pace import Pace
from charlstm.training.timekeeper import LEAVING, Timekeeper

from .test_training import config

Changes = list[tuple[int, int, int | None, int | None]]
PACES = st.lists(
    st.tuples(
        st.integers(1, 50),  # steps to the next change,
        st.integers(1, 500),  # steps left after it,
        st.none() | st.integers(1, 9),  # between two evaluations
        st.none() | st.integers(1, 64),  # and threads
    ),
    max_size=8,
)


def changed_often(changes: Changes) -> Pace:
    """A pace of 600 steps at first, with these changes."""
    pace, done = Pace.constant(600), 0
    for steps, left, apart, threads in changes:
        done = min(done + steps, pace.last)
        pace = pace.changed(done, last=done + left, apart=apart, threads=threads)
    return pace


def test_a_run_of_so_many_steps_has_one_pace() -> None:
    """Each step is the same share of it."""
    pace = Pace.constant(8)
    assert [pace.after(step) for step in range(9)] == [step / 8 for step in range(9)]
    assert [pace.during(step) for step in (0, 7)] == [1 / 16, 15 / 16]
    assert str(pace) == "0:0:8"


@given(PACES)
def test_progress_never_falls_and_ends_at_one(changes: Changes) -> None:
    """However often the pace is changed."""
    pace = changed_often(changes)
    progress = [pace.after(step) for step in range(pace.last + 1)]
    assert all(after >= before - 1e-5 for before, after in pairwise(progress))
    assert progress[0] == 0
    assert progress[-1] == 1
    assert all(0 < pace.during(step) <= 1 for step in range(pace.last))


@given(PACES)
def test_a_pace_that_was_written_down_is_the_same(changes: Changes) -> None:
    """To the last bit: the progress of each step is computed from what is written."""
    pace = changed_often(changes)
    assert Pace.parse(str(pace)) == pace
    assert pace.begins_like(pace)


@pytest.mark.parametrize("parts", [1, 3, 16, 200])
@given(changes=PACES)
def test_each_part_of_a_run_is_passed_once(changes: list[tuple[int, int]], parts: int) -> None:
    """Where steps are smaller than parts, so that no step passes two; the last is the run's end."""
    pace = changed_often(changes)
    passed = [step for step in range(pace.last) if pace.passes(step, parts)]
    assert len(passed) <= parts
    if all((1 - c.progress) / max(1, c.last - c.step) < 1 / parts for c in pace.changes):
        assert len(passed) >= parts - len(changes) - 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "100",
        "0:0",
        "0:0:x",
        "0:nan:9",
        "0:0:0",
        "0:1.5:9",
        "0:-1:9",
        "5:0.5:9",
        "0:0:9,0:0.5:8",
        "0:0:9,5:0.5:4",
        "0:0:9,7:0.5:12,6:0.6:14",
        "0:0:" + "9" * 5000,
        "0:0:9:0",
        "0:0:9:1:0",
        "0:0:9:1:2000",
        "0:0:9:1:1:1",
        ",".join(f"{n}:0:{n + 1}" for n in range(100_001)),
    ],
)
def test_what_is_no_pace_is_refused(text: str) -> None:
    """As a wrong value of its option, and in few words."""
    with pytest.raises(OptionError, match="pace") as caught:
        Settings(pace=text)
    assert len(str(caught.value)) < 400


def kept_to(
    seconds: float,
    seconds_of_step: Callable[[float], float],
    *,
    evaluations: int = 16,
    evaluation_steps: float = 8.0,
    expected: float | None = None,
    started: float = 2.0,
    eval_every: int | None = None,
    evaluated_at: list[float] | None = None,
) -> tuple[float, Pace]:
    """When such a run ends on a machine that is simulated, and its pace.

    A step that begins at a time takes ``seconds_of_step``. An evaluation is as long as so many
    steps, but is ``expected`` to be as long as so many of the fastest. The times at which they
    begin and end are added to ``evaluated_at``.
    """
    now, done, evaluated = started, 0, 0
    pace = Pace.constant(max(4, round(seconds / seconds_of_step(now))))
    fastest = min(seconds_of_step(now + tenth / 10) for tenth in range(300))
    keeper = Timekeeper(
        config(time=seconds, evaluations=evaluations, eval_every=eval_every),
        step=fastest,
        evaluation=fastest * (evaluation_steps if expected is None else expected),
        saving=0.0,
        done=0,
        now=now,
    )
    while done < pace.last:
        step, done = done, done + 1
        now += seconds_of_step(now)
        if done < pace.last and (keeper.due(now) or done == pace.last - 1):
            pace = keeper.new_pace(pace, done, now)
        due = done == pace.last or (eval_every is not None and done % eval_every == 0)
        if due or (eval_every is None and pace.evaluates(step, evaluations, evaluated)):
            began, evaluated = now, done
            for _ in range(round(evaluation_steps)):
                now += seconds_of_step(now)
            keeper.add_evaluation(now - began)
            if evaluated_at is not None:
                evaluated_at += [began, now]
    return now + LEAVING, pace


def neighbour(step: float, busy: float, period: float) -> Callable[[float], float]:
    """Steps that take three times as long while another program is at work, a third of the time."""
    return lambda now: step * (3 if now % period < busy else 1)


MACHINES: dict[str, Callable[[float], float]] = {
    "steady": lambda now: 0.012,
    "small network": lambda now: 0.003,
    "slow beginning": lambda now: 0.012 * (1 + 4 * math.exp(-(now - 2))),
    "faster later": lambda now: 0.02 if now < 10 else 0.01,
    "slower later": lambda now: 0.01 if now < 10 else 0.02,
    "neighbour, short": neighbour(0.012, 0.1, 0.3),
    "neighbour, seconds": neighbour(0.012, 1.0, 3.0),
    "neighbour, long": neighbour(0.012, 10.0, 30.0),
}


@pytest.mark.parametrize("seconds", [5.0, 10.0, 20.0, 60.0, 180.0])
@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES.keys())
def test_a_run_ends_in_its_time(seconds: float, machine: Callable[[float], float]) -> None:
    """Also where the speed changes, and where an evaluation takes longer than expected."""
    for evaluations, expected in ((1, None), (1, 11.0), (4, 4.0), (16, None)):
        if evaluations > 1 and seconds < 20:
            continue  # evaluations are few where the time is short
        ended, pace = kept_to(seconds, machine, evaluations=evaluations, expected=expected)
        assert 0.95 * seconds < ended < seconds + max(0.03 * seconds, 0.3)
        assert len(pace.changes) < 100 + seconds


@pytest.mark.parametrize("slower", [10, 30])
@pytest.mark.parametrize("begins", [5.0, 40.0, 50.0, 55.0])
def test_evaluations_never_bunch(begins: float, slower: float) -> None:
    """On a machine that is starved from some time on: two are far apart, and the last one comes."""
    times: list[float] = []
    ended, _ = kept_to(
        60.0,
        lambda now: 0.05 * (slower if now >= begins else 1),
        evaluation_steps=4.0,
        evaluated_at=times,
    )
    assert ended == pytest.approx(times[-1] + LEAVING)
    pairs = list(zip(times[::2], times[1::2], strict=True))
    for (began, over), (following, _) in pairwise(pairs):
        assert following - over > 2 * (over - began)


def test_evaluations_that_were_asked_for_are_in_the_time() -> None:
    """However many there are."""
    for every in (1, 10, 1000):
        ended, _ = kept_to(30.0, lambda now: 0.01, eval_every=every, evaluation_steps=5.0)
        assert 28.5 < ended < 30.9


def test_a_run_whose_time_is_over_ends_at_once() -> None:
    """After a step or two."""
    _, pace = kept_to(5.0, lambda now: 0.5, started=6.0)
    assert pace.last <= 3


def test_a_slow_beginning_changes_nothing_where_there_is_time_to_spare() -> None:
    """The steps that are of use are then done at one pace; with too little time they are not."""
    for time, changes in ((100.0, 1), (20.0, 2)):
        keeper = Timekeeper(
            config(time=time, most_steps=1000),
            step=0.01,
            evaluation=0.1,
            saving=0.0,
            done=0,
            now=2.0,
        )
        pace, now = Pace.constant(1000), 2.0
        for done in range(1, 1000):
            now += 0.5 if done < 20 else 0.01
            if keeper.due(now):
                pace = keeper.new_pace(pace, done, now)
        assert pace.last <= 1000
        assert (len(pace.changes) >= changes) if changes > 1 else (len(pace.changes) == 1)


@pytest.mark.parametrize(
    ("began", "step", "last_step", "evaluation", "ended", "why"),
    [
        pytest.param(
            0.5,
            0.02,
            0.02,
            0.3,
            7.0,
            "1.0 s later than asked, since 0.5 s had passed before step 1, 6.1 s in steps, "
            "0.3 s in validation and 0.1 s in saving",
            id="no one thing",
        ),
        pytest.param(
            5.9, 0.02, 0.02, 0.3, 7.0, "5.9 s had passed before step 1", id="a late beginning"
        ),
        pytest.param(
            0.5,
            0.02,
            0.02,
            1.5,
            7.0,
            "validation and saving took 1.6 s at the end, 1.2 s longer than expected",
            id="validation",
        ),
        pytest.param(
            0.5,
            0.1,
            0.1,
            0.3,
            7.0,
            "the last steps took 0.1 s each, and 0.02 s at first",
            id="steps",
        ),
        pytest.param(
            0.5,
            0.02,
            15.0,
            0.3,
            21.0,
            "the last steps took 15 s each, and 0.02 s",
            id="the last step",
        ),
        pytest.param(
            0.5,
            0.02,
            0.02,
            0.3,
            6.4,
            "0.4 s later than asked, since 0.5 s had passed before step 1, 5.5 s in steps",
            id="a validation as long as expected",
        ),
        pytest.param(0.5, 0.1, 0.1, 0.3, 6.2, None, id="in time"),
    ],
)
def test_a_late_run_says_what_took_so_long(
    began: float, step: float, last_step: float, evaluation: float, ended: float, why: str | None
) -> None:
    """Slow steps are blamed only if they are slower than at first; else it says where time went."""
    keeper = Timekeeper(config(time=6.0), step=0.02, evaluation=0.3, saving=0.05, done=0, now=began)
    looked = ended - 0.1 - evaluation - last_step
    done = round((looked - began) / step)
    keeper.new_pace(Pace.constant(done + 1), done, looked)
    keeper.add_evaluation(evaluation)
    keeper.add_saving(0.1)
    found = keeper.lateness(done + 1, ended)
    assert found is None if why is None else why in (found or "")
