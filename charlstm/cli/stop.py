"""How a signal stops a command: the command saves its work, then ends by the same signal.

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
    """Handles SIGINT, SIGTERM and SIGHUP; ``signal`` is the one that came, or 0.

    The first signal ``interrupts`` the program with a KeyboardInterrupt, or it is only recorded,
    for a command that looks at ``signal`` between two steps. A second one ends the program.
    """

    def __init__(self, *, interrupts: bool = False) -> None:
        self.signal = 0
        self.interrupts = interrupts
        self._before: dict[int, Any] = {}

    def install(self) -> None:
        """Handle the signals, except those that the shell made us ignore (``nohup``, ``&``)."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._asked)

    def uninstall(self) -> None:
        """Restore what the signals did before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _asked(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        if not self.interrupts:
            self.uninstall()
            return
        for other in self._before:  # a second one need not wait for the first one
            signal.signal(other, signal.SIG_DFL)
        raise KeyboardInterrupt


@contextlib.contextmanager
def says_if_stopped(message: str, *, quiet: bool) -> Iterator[None]:
    """If a signal comes inside the block, say ``message`` after its clean-up, and end."""
    stop = Stop(interrupts=True)
    stop.install()
    try:
        yield
    except BaseException:  # a library may turn the interruption into another error
        if stop.signal:
            if stop.signal == signal.SIGINT and console.is_terminal(sys.stderr):
                console.say("", quiet=quiet)  # the terminal shows ^C on this line
            console.say(message, quiet=quiet)
            end_by(stop.signal)
        raise
    finally:
        stop.uninstall()


def end_by(number: int) -> int:
    """Flush the output, then end the program by the signal ``number``.

    Returns the exit status of that signal, in case the system delays the signal.
    """
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # else a closed pipe could end the program first
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number
