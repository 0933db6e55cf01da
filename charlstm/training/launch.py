"""Which of the processes that ``torchrun`` started this one is; no torch."""

import os
from dataclasses import dataclass

from charlstm.errors import OptionError

ADDRESS = ("MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Launch:
    """Process ``rank`` of ``size``, on its machine ``local_rank``; alone, the first of one."""

    rank: int = 0
    local_rank: int = 0
    size: int = 1


def launched() -> Launch:
    """What the environment says; OptionError where that is no group that could meet."""
    size = _number("WORLD_SIZE", 1)
    if size <= 1:
        return Launch()
    missing = [name for name in ADDRESS if not os.environ.get(name)]
    if missing:
        raise OptionError(
            f"WORLD_SIZE is {size}, but {' and '.join(missing)} are not set; start several "
            f"processes with torchrun, or unset WORLD_SIZE"
        )
    return Launch(_number("RANK", 0), _number("LOCAL_RANK", 0), size)


def _number(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal():
        raise OptionError(f"{name} is {text!r} in the environment; it must be a whole number")
    return int(text)
