"""Work shared among threads, one for each core. Large products of numpy run side by side in them.

A thread of the pool computes its products alone. If BLAS shared each of them among threads of its
own, these would wait for one another after every product, and beside other programs that takes ten
times as long.
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Event, Lock
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

# Called with how much is done, and of how much if that is known.
Progress = Callable[[int, int | None], None]


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def computed(work: Callable[[Job, Event], Result], jobs: Iterable[Job]) -> list[Result]:
    """``work`` of each of ``jobs``, in their order, computed on all cores.

    ``work`` also gets an event. Once it is set, nobody waits for the result any longer, because
    the work of another job failed, and ``work`` should return soon. Meanwhile numpy's BLAS computes
    each product with one thread, in the whole process. Afterwards it is as it was.
    """
    abandoned = Event()
    with _blas():
        pool = ThreadPoolExecutor(cores())
        try:
            waiting = [pool.submit(work, job, abandoned) for job in jobs]
            return [future.result() for future in waiting]
        finally:
            abandoned.set()
            pool.shutdown(cancel_futures=True)


def counted(progress: Progress | None, total: int | None = None) -> Callable[[int], None]:
    """A function to be called with what more is done of ``total``; it tells ``progress``.

    Several threads may call it.
    """
    done, lock = 0, Lock()

    def add(more: int) -> None:
        nonlocal done
        with lock:
            done += more
            if progress is not None:
                progress(done, total)

    return add


class _OneThread:
    """A block in which BLAS computes with one thread; several threads may be in it at once."""

    def __init__(self) -> None:
        from threadpoolctl import ThreadpoolController  # 30 ms, which a single text does not need

        self._blas = ThreadpoolController().select(user_api="blas")
        self._lock, self._inside = Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._limit = self._blas.limit(limits=1)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._limit.restore_original_limits()


@cache
def _blas() -> _OneThread:
    """The block of the process, for the BLAS that numpy has loaded."""
    return _OneThread()
