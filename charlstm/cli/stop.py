"""How a signal stops a command that saves its work: the command saves, then ends by that signal.

A shell looks at how a program ended: after a plain exit with status 130 a loop goes on. A command
that has nothing to save has no handler, so the system ends it at once.
"""

import select
import signal
import sys
from types import FrameType
from typing import NoReturn, TextIO

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
POLL_SECONDS = 0.1  # between two looks, while a stream takes no text


class Stop:
    """The signal that came since ``install``, or 0. A second one ends the program at once."""

    def __init__(self) -> None:
        self.signal = 0

    def install(self) -> None:
        """Handle the signals, except those that the shell made us ignore (``nohup``, ``&``)."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._asked)

    def _asked(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        for other in SIGNALS:
            if signal.getsignal(other) == self._asked:
                signal.signal(other, signal.SIG_DFL)

    def can_write(self, stream: TextIO) -> bool:
        """Wait until ``stream`` takes 4 kB at once; False if a signal comes before that."""
        while not select.select([], [stream], [], POLL_SECONDS)[1]:
            if self.signal:
                return False
        return True


def end_by(number: int) -> NoReturn:
    """End the program by the signal ``number``. What is buffered is not written."""
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    sys.exit(128 + number)  # the signal is blocked
