"""How a command is stopped by a signal: it saves what it has, then ends by that very signal.

A shell looks at how a program ended: after a plain exit with status 130 a loop goes on.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from charlstm.cli import console

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """Listens to SIGINT, SIGTERM and SIGHUP; ``signal`` is the one that came, 0 before.

    The first one ``interrupts`` the program with a KeyboardInterrupt, or is only noted, for a
    command that asks between two steps. From then on the signals do again what they did before.
    """

    def __init__(self, *, interrupts: bool = False) -> None:
        self.signal = 0
        self.interrupts = interrupts
        self._before: dict[int, Any] = {}

    def install(self) -> None:
        """Listen, but not to a signal that the shell had us ignore (``nohup``, a job behind)."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._asked)

    def uninstall(self) -> None:
        """Let every signal do again what it did before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _asked(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        if not self.interrupts:
            self.uninstall()
            return
        for other in self._before:  # a second one does not wait for what the first one started
            signal.signal(other, signal.SIG_DFL)
        raise KeyboardInterrupt


@contextlib.contextmanager
def says_if_stopped(message: str, *, quiet: bool) -> Iterator[None]:
    """Where a signal comes inside the block, say ``message`` when it has cleaned up, and end."""
    stop = Stop(interrupts=True)
    stop.install()
    try:
        yield
    except BaseException:  # a library may make another error of the interruption
        if stop.signal:
            if stop.signal == signal.SIGINT and console.is_terminal(sys.stderr):
                console.say("", quiet=quiet)  # the terminal has shown ^C
            console.say(message, quiet=quiet)
            end_by(stop.signal)
        raise
    finally:
        stop.uninstall()


def end_by(number: int) -> int:
    """End the program by the signal ``number``, once all that was written is out.

    Returns the exit status that stands for the signal, if the system holds the signal back.
    """
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # a reader that has gone is no other end
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number
