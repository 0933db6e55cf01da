"""Where the program begins: ``charlstm``, which is ``python -m charlstm``."""

import signal
import sys


def main() -> int:
    """Run the command line; a Ctrl-C while it is being loaded ends the program at once."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from charlstm.cli.main import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
