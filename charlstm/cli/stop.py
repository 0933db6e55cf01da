"""How a long command is stopped: a first signal asks, a second ends it at once."""

import signal
from types import FrameType
from typing import Any


class Stop:
    """The first SIGINT, SIGTERM or SIGHUP asks the run to stop; a second ends it at once."""

    def __init__(self) -> None:
        self.signal = 0
        self._before: dict[int, Any] = {}

    def install(self) -> None:
        """Listen, but not to a signal that the shell had us ignore (``nohup``, a job behind)."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._asked)

    def uninstall(self) -> None:
        """Let every signal do again what it did before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _asked(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        self.uninstall()
