"""How a signal stops a command: the command saves its work, then ends by the same signal.

A shell looks at how a program ended: after a plain exit with status 130 a loop goes on.
"""

import contextlib
import os
import signal
import sys
import weakref
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from charlstm.cli import console

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


AGAIN = 0.05  # seconds after which an interruption that was lost is raised again


class Interruption(KeyboardInterrupt):
    """What a signal raises; a weak reference tells whether anybody still holds it."""


class Stop:
    """Handles SIGINT, SIGTERM and SIGHUP; ``signal`` is the one that came, or 0.

    The first signal ``interrupts`` the program with an Interruption, or it is only recorded, for a
    command that looks at ``signal`` between two steps. A second one ends the program.

    An exception is lost if it is raised in a destructor or in the callback of a weak reference, of
    which each import has one. A library may drop one, too. So an Interruption that nobody holds any
    longer is raised again, until ``uninstall``. While it is on its way up, or is handled, it is
    held: no clean-up is interrupted.
    """

    def __init__(self, *, interrupts: bool = False) -> None:
        self.signal = 0
        self.interrupts = interrupts
        self._before: dict[int, Any] = {}
        self._held: Callable[[], Interruption | None] = lambda: None

    def install(self) -> None:
        """Handle the signals, except those that the shell made us ignore (``nohup``, ``&``)."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._asked)

    def uninstall(self) -> None:
        """Restore what the signals did before; nothing is raised any longer."""
        if self.interrupts and self.signal:
            signal.setitimer(signal.ITIMER_REAL, 0)
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
        sys.unraisablehook = _say_if_unexpected
        signal.signal(signal.SIGALRM, self._again)
        signal.setitimer(signal.ITIMER_REAL, AGAIN, AGAIN)
        raise self._interruption()

    def _again(self, number: int, frame: FrameType | None) -> None:
        if self._held() is None:
            raise self._interruption()

    def _interruption(self) -> Interruption:
        """A new one. No frame of its traceback has it as a variable, which would hold it."""
        interruption = Interruption()
        self._held = weakref.ref(interruption)
        return interruption


def _say_if_unexpected(lost: "sys.UnraisableHookArgs") -> None:
    """Write the traceback of an exception that was lost, unless it will be raised again."""
    if lost.exc_type is not Interruption:
        sys.__unraisablehook__(lost)


@contextlib.contextmanager
def says_if_stopped(message: str, later: Stop, *, quiet: bool) -> Iterator[None]:
    """If a signal comes inside the block, say ``message`` after its clean-up, and end.

    If its interruption was lost and the block is done, the signal is one for ``later``.
    """
    stop = Stop(interrupts=True)
    try:
        stop.install()
        yield
        stop.uninstall()
        later.signal = stop.signal
    except BaseException:  # a library may turn the interruption into another error
        stop.uninstall()
        if stop.signal:
            if stop.signal == signal.SIGINT and console.is_terminal(sys.stderr):
                console.say("", quiet=quiet)  # the terminal shows ^C on this line
            console.say(message, quiet=quiet)
            end_by(stop.signal)
        raise


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
