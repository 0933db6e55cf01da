"""The number of threads that a run computes with; how fast machines are is simulated."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from charlstm.cli.progress import _described
from charlstm.model.model_file import load_model
from charlstm.training import train
from charlstm.training.events import Finished, ThreadsChanged
from charlstm.training.pace import Pace
from charlstm.training.threads import RETRY_SECONDS, ThreadChooser
from charlstm.training.timekeeper import Timekeeper
from charlstm.training.trainer import Trainer

from .conftest import SMALL_RUN
from .test_training import config

SecondsOfStep = Callable[[float, int], float]  # of the time and the number of threads


def busy_between(begins: float, ends: float) -> SecondsOfStep:
    """Two threads are faster, but many times slower while another program is at work."""

    def seconds_of_step(now: float, threads: int) -> float:
        if begins <= now < ends:
            return 0.2 if threads == 2 else 0.02
        return 0.01 if threads == 2 else 0.016

    return seconds_of_step


def run_on(
    seconds_of_step: SecondsOfStep, seconds: float, *, most_threads: int | None = 2
) -> tuple[float, Pace]:
    """When a run with two threads ends on such a machine, and its pace."""
    now, done, pace = 2.0, 0, Pace.constant(round(seconds / 0.01))
    asked = config(time=seconds, evaluations=1, eval_every=None, threads=2)
    keeper = Timekeeper(
        config(**{**vars(asked), "most_threads": most_threads}),
        step=0.01,
        evaluation=0.1,
        saving=0.0,
        done=0,
        now=now,
    )
    while done < pace.last:
        now += seconds_of_step(now, pace.at(done).threads or 2)
        done += 1
        if done < pace.last and (keeper.due(now) or done == pace.last - 1):
            pace = keeper.new_pace(pace, done, now)
    return now + 0.1, pace


def threads_in(pace: Pace) -> list[int]:
    """The numbers of threads of a pace, without repetitions."""
    found = [2]
    for change in pace.changes:
        if change.threads is not None and change.threads != found[-1]:
            found.append(change.threads)
    return found


@pytest.mark.parametrize("seconds", [20.0, 60.0, 180.0])
def test_a_run_goes_on_with_one_thread_where_two_have_become_slow(seconds: float) -> None:
    """Soon, in its time, and its pace says from which step on."""
    ended, pace = run_on(busy_between(8.0, 1000.0), seconds)
    assert 0.95 * seconds < ended < seconds + max(0.03 * seconds, 0.3)
    assert threads_in(pace)[:2] == [2, 1]
    assert pace.changes[-1].threads == 1
    assert pace.last > 600 + 0.8 * (seconds - 8) / 0.02  # almost all with one thread
    assert Pace.parse(str(pace)) == pace


def test_threads_that_were_asked_for_are_kept() -> None:
    """However slow they are."""
    _, pace = run_on(busy_between(8.0, 1000.0), 20.0, most_threads=None)
    assert threads_in(pace) == [2]


def test_all_threads_are_tried_again_once_the_machine_may_be_quiet() -> None:
    """And kept where they are faster."""
    ended, pace = run_on(busy_between(8.0, 20.0), 180.0)
    assert threads_in(pace) == [2, 1, 2]
    assert 0.97 * 180 < ended < 1.03 * 180


def test_a_quiet_machine_keeps_its_threads() -> None:
    """A step that takes somewhat longer now and then is no reason to change."""
    _, pace = run_on(lambda now, _: 0.01 if int(now) % 2 else 0.018, 60.0)
    assert threads_in(pace) == [2]


@pytest.mark.parametrize(("one", "kept"), [(0.02, 1), (0.05, 2)])
def test_a_trial_ends_with_the_faster_number(one: float, kept: int) -> None:
    """A pace that has fallen may have another reason than threads that wait for each other."""
    chooser = ThreadChooser(2, 2, step=0.01, now=0.0, end=100.0)
    assert [chooser.look(s, now) for s, now in ((0.012, 1.0), (0.04, 2.0))] == [2, 1]
    assert chooser.look(one, 3.0) == kept
    assert chooser.look(one if kept == 1 else 0.04, 4.0) == kept


def test_a_trial_that_fails_is_made_less_often() -> None:
    """Each costs as much as a second of training."""
    chooser = ThreadChooser(2, 1, step=0.02, now=0.0, end=1e6)
    tried = [
        now for now in range(1, 1000) if chooser.look(0.5 if chooser.count == 2 else 0.02, now) == 2
    ]
    assert tried[0] == RETRY_SECONDS
    pauses = [later - earlier for earlier, later in pairwise(tried)]
    assert all(later > 1.9 * earlier for earlier, later in pairwise(pauses))
    assert len(tried) < 6


@pytest.mark.parametrize("gain", [False, True])
def test_a_trial_and_its_end_are_said_as_what_they_are(gain: bool) -> None:
    """A run that goes back to the threads of before does not do so to see what is faster."""
    asked = config(time=100.0, evaluations=1, eval_every=None, threads=2, most_threads=2)
    keeper = Timekeeper(asked, step=0.01, evaluation=0.1, saving=0.0, done=0, now=2.0)
    pace, now, done, threads, said = Pace.constant(10_000), 2.0, 0, [2], []
    for step in (0.2, 0.02 if gain else 0.4):
        done, now = done + 10, now + 10 * step
        pace = keeper.new_pace(pace, done, now)
        threads.append(pace.at(done).threads or 2)
        if threads[-1] != threads[-2]:
            trial = keeper.trying_threads
            said.append(_described(ThreadsChanged(step=done, threads=threads[-1], trial=trial)))
    tried = "from step 10: 1 thread, to see whether that is faster"
    back = "from step 20: 2 threads again, since the trial brought no gain"
    assert (threads, said) == (([2, 1, 1], [tried]) if gain else ([2, 1, 2], [tried, back]))


def test_nothing_is_tried_shortly_before_the_end() -> None:
    """What it would find is of no use any more, and one slow step could be late."""
    chooser = ThreadChooser(2, 1, step=0.02, now=0.0, end=36.0)
    assert {chooser.look(0.02, float(now)) for now in range(1, 36)} == {1}


def test_a_pace_repeats_the_threads_of_a_run(
    play: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step is computed with as many as it was, since their number changes the last digits."""
    pace, found, step = "0:0:8,4:0.5:8:1:1", [], Trainer.step

    def noted(trainer: Trainer, progress: float) -> None:
        found.append(trainer.threads)
        step(trainer, progress)

    monkeypatch.setattr(Trainer, "step", noted)
    small = {name: SMALL_RUN[name] for name in ("hidden_size", "embedding_size", "device")}
    *_, finished = train(play, output=tmp_path / "run", pace=pace, threads=2, **small)
    assert isinstance(finished, Finished)
    assert found == [2] * 4 + [1] * 4
    assert f"--pace {pace}" in load_model(finished.model).command
