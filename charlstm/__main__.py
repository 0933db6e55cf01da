"""Where the program begins: ``charlstm``, which is ``python -m charlstm``."""

import signal
import sys


def main() -> int:
    """Run the command line. Ctrl-C ends the program at once, as the other signals do.

    A command that saves its work first has a handler while it does that (``charlstm.cli.stop``).
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        from charlstm.cli.main import main as run
    except ImportError as error:  # a package without which there is no command line
        if (error.name or "").startswith("charlstm"):
            raise
        from charlstm.errors import incomplete

        sys.stderr.write(f"charlstm: error: {incomplete(error)}\n")
        return 1
    status = run()
    if "torch" in sys.modules:
        _leave(status)
    return status


def _leave(status: int) -> None:
    """End the process at once. To take torch apart, object by object, is half a second's work."""
    import os
    from contextlib import suppress

    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
