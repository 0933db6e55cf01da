"""Commands in copies of a process that has imported torch and done nothing else.

To import torch takes most of the seconds of a small training. Each command is a process of its
own, with its own words, directory, environment and streams, but does not wait for that.
"""

import contextlib
import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from unittest import mock

CONTEXT = multiprocessing.get_context("forkserver")


def start(
    *words: object, env: dict[str, str], cwd: str | Path = ""
) -> "Command | subprocess.Popen[bytes]":
    """A ``charlstm`` with an empty input, which goes on while the test does.

    Where a process with so many libraries may not be able to fork, it is one that begins anew.
    """
    if sys.platform == "linux":
        return Command(*words, env=env, cwd=cwd)
    return subprocess.Popen(
        [sys.executable, "-m", "charlstm", *map(str, words)],
        env=env,
        cwd=Path.cwd() / cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@functools.cache
def begin() -> None:
    """Start the process that all others are copies of."""
    CONTEXT.set_forkserver_preload([f"{__package__}.torture"])
    root = Path(__file__).parents[1]
    with mock.patch.dict(os.environ, OMP_NUM_THREADS="1"), contextlib.chdir(root):
        forkserver.ensure_running()


class Command:
    """What the tests need of ``subprocess.Popen``."""

    def __init__(self, *words: object, env: dict[str, str], cwd: str | Path) -> None:
        begin()
        self.args = ["charlstm", *map(str, words)]
        readers, writers = zip(*(CONTEXT.Pipe(duplex=False) for _ in range(2)), strict=True)
        self.process = CONTEXT.Process(
            target=_become, args=(self.args, env, Path.cwd() / cwd, writers), daemon=True
        )
        self.process.start()
        self.pid = self.process.pid or 0
        self.stdout, self.stderr = (os.fdopen(os.dup(end.fileno()), "rb") for end in readers)
        for end in (*readers, *writers):
            end.close()

    def poll(self) -> int | None:
        """The exit status, negative where a signal ended it; None while it goes on."""
        return self.process.exitcode

    @property
    def returncode(self) -> int | None:
        """The same."""
        return self.poll()

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it, if it has not ended."""
        self.send_signal(signal.SIGKILL)

    def wait(self) -> int | None:
        """The exit status, once there is one."""
        self.process.join()
        return self.poll()

    def communicate(self, timeout: float = 120) -> tuple[bytes, bytes]:
        """What is left on the two streams, once it has ended; it is killed if that takes longer."""
        timer = threading.Timer(timeout, self.kill)
        timer.start()
        with ThreadPoolExecutor() as pool, self.stdout, self.stderr:
            out, said = pool.map(lambda stream: stream.read(), (self.stdout, self.stderr))
        self.wait()
        timer.cancel()
        return out, said


def _become(
    words: list[str], environment: dict[str, str], cwd: Path, streams: tuple[Connection, ...]
) -> None:
    """Be ``charlstm`` from here on."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, stream in enumerate(streams, 1):
        os.dup2(stream.fileno(), number)
        stream.close()
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
        for number, mode in enumerate("rww")
    )
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.argv = words
    from charlstm.__main__ import main

    sys.exit(main())
