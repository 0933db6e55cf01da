"""The processes that train one model together, as ``torchrun`` starts them; mostly it is one.

Every process reads the same text and makes the same choices. ``Group`` says which share of the
work belongs to this process, and carries what the processes must agree on. Torch is imported only
where there are several.
"""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from charlstm.errors import OptionError

if TYPE_CHECKING:
    from torch import Tensor


ADDRESS = ("MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Group:
    """Process number ``rank`` of ``size``; number 0 leads: it alone writes files.

    Among the processes of its machine it is number ``local_rank``.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes files."""
        return self.rank == 0

    def share(self, values: "Tensor") -> "Tensor":
        """The rows of the batch for this process, every ``size``-th, of a tensor (..., B, H)."""
        return values[..., self.rank :: self.size, :]

    def whole(self, values: "Tensor") -> "Tensor":
        """The tensor (..., B, H) of the whole batch, from the shares of all processes."""
        if self.size == 1:
            return values
        import torch
        import torch.distributed as dist

        shares = [torch.empty_like(values) for _ in range(self.size)]
        dist.all_gather(shares, values.contiguous())
        return torch.stack(shares, dim=-2).flatten(-3, -2)  # (..., B / size, size, H)

    def agree(self, value: Any) -> Any:
        """The leader's value, in every process."""
        if self.size == 1:
            return value
        import torch.distributed as dist

        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in at least one process."""
        if self.size == 1:
            return flag
        import torch.distributed as dist

        flags: list[Any] = [None] * self.size
        dist.all_gather_object(flags, flag)
        return any(flags)


ALONE = Group()


def launched() -> Group:
    """The process that the environment describes; OptionError where that cannot work."""
    size = _number("WORLD_SIZE", 1)
    if size <= 1:
        return ALONE
    missing = [name for name in ADDRESS if not os.environ.get(name)]
    if missing:
        raise OptionError(
            f"WORLD_SIZE is {size}, but {' and '.join(missing)} are not set; start several "
            f"processes with torchrun, or unset WORLD_SIZE"
        )
    return Group(_number("RANK", 0), size, _number("LOCAL_RANK", 0))


@contextmanager
def joined(device: str) -> Iterator[Group]:
    """The group that ``torchrun`` put this process into, left again at the end.

    Processes on CPUs talk through gloo; with ``device`` cuda they talk through nccl, and each
    takes the GPU with its local rank. Keep nothing that belongs to the group beyond its end.
    """
    group = launched()
    if group.size == 1:
        yield group
        return
    import torch
    import torch.distributed as dist

    if device == "cuda":
        there = torch.cuda.device_count()
        if group.local_rank >= there:
            raise OptionError(
                f"this machine has {there} GPUs, too few for process {group.local_rank + 1}",
                code="too few gpus",
            )
        torch.cuda.set_device(group.local_rank)
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield group
    finally:
        # gloo's threads must end before the interpreter does, or they abort it; what still holds
        # on to them is a module in a cycle (github.com/pytorch/pytorch/pull/179291).
        gc.collect()
        dist.destroy_process_group()


def _number(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal():
        raise OptionError(f"{name} is {text!r} in the environment; it must be a whole number")
    return int(text)
