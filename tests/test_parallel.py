"""Work in threads: its order, its end, and numpy's products in it."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import charlstm
from charlstm import parallel
from charlstm.parallel import computed, counted


def blas_threads() -> set[int]:
    """How many threads share a product of numpy now."""
    return {found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"}


@pytest.mark.parametrize("cores", [1, 2, 5])
def test_results_come_in_the_order_of_the_jobs(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if a later job is done first."""
    monkeypatch.setattr(parallel, "cores", lambda: cores)

    def work(job: int, abandoned: Event) -> int:
        time.sleep(0.002 * (job % 3))
        return job

    assert computed(work, range(20)) == list(range(20))


def test_work_that_nobody_waits_for_is_told_so() -> None:
    """When a job fails, its error is raised, and the threads of the others end."""
    before = threading.active_count()

    def work(job: int, abandoned: Event) -> bool:
        return 6 // job > 0 and abandoned.wait(60)

    with pytest.raises(ZeroDivisionError):
        computed(work, [0, 1, 2, 3])
    assert threading.active_count() == before


def test_each_thread_computes_its_products_alone() -> None:
    """Afterwards BLAS is as it was."""
    np.ones((2, 2)) @ np.ones((2, 2))
    with threadpool_limits(2, user_api="blas"):
        if blas_threads() != {2}:
            pytest.skip("the number of threads of this BLAS cannot be set")
        assert computed(lambda job, abandoned: blas_threads(), range(3)) == 3 * [{1}]
        assert blas_threads() == {2}


def test_the_last_of_several_gives_blas_back() -> None:
    """Until then it has one thread, also when work that was begun later is done."""
    np.ones((2, 2)) @ np.ones((2, 2))

    def work(job: int, abandoned: Event) -> set[int]:
        computed(lambda job, abandoned: None, [0])
        return blas_threads()

    with threadpool_limits(2, user_api="blas"):
        if blas_threads() != {2}:
            pytest.skip("the number of threads of this BLAS cannot be set")
        assert computed(work, range(3)) == 3 * [{1}]
        assert blas_threads() == {2}


def test_what_is_done_adds_up_over_threads() -> None:
    """No addition is lost."""
    told: list[tuple[int, int]] = []
    add = counted(lambda done, total: told.append((done, total)), 4000)

    def work(job: int, abandoned: Event) -> None:
        for _ in range(1000):
            add(1)

    computed(work, range(4))
    assert told == [(done, 4000) for done in range(1, 4001)]


# Says how many threads numpy may use at the moment when it is imported.
WATCHED = """
import builtins, os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            print("threads:", os.environ.get("OPENBLAS_NUM_THREADS"), file=sys.stderr)
sys.meta_path.insert(0, Watch())
from charlstm.cli.main import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    "line",
    [
        "generate -m {run} -n 1",
        "score -m {run} {play}",
        "predict -m {run} a",
        "evaluate -m {run} {play}",
        "visualize -m {run} abc",
        "visualize -m {run} abc -o {new}/page.html",
        "export -m {run} -o {new}/page.html",
        "report {run} -o {new}/page.html",
    ],
)
def test_commands_give_numpy_one_thread(
    line: str, environment: dict[str, str], trained: Path, play: Path, tmp_path: Path
) -> None:
    """Before it is imported, whatever the command imports first."""
    words = line.format(run=trained, play=play, new=tmp_path).split()
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *words],
        env={k: v for k, v in environment.items() if k != "OPENBLAS_NUM_THREADS"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "threads: 1\n" in done.stderr


def test_what_takes_long_says_how_far_it_is(trained: Path, play: Path) -> None:
    """All that reads a text for long counts its characters, to the last one."""
    model, text = charlstm.load(trained), play.read_text("utf-8") * 4
    told: list[tuple[int, int | None]] = []

    def progress(done: int, total: int | None) -> None:
        told.append((done, total))

    work: dict[str, Callable[[], object]] = {
        "evaluate": lambda: model.evaluate(str(play), split="all", progress=progress),
        "score": lambda: list(model.score_pieces([text], progress=progress)),
        "find": lambda: model.find_cells(text, progress=progress),
    }
    expected = {"evaluate": len(play.read_text("utf-8")) - 1, "find": len(text)}
    for name, run in work.items():
        told.clear()
        run()
        done = [count for count, _ in told]
        assert done == sorted(done)
        assert len(done) > 10
        assert {total for _, total in told} == {expected.get(name)}
        assert done[-1] == expected.get(name, len(text))
