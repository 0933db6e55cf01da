"""The processes that train one model together, as ``torchrun`` starts them; mostly it is one.

Every process reads the same text and makes the same choices; ``Group`` says which share of the
work is this one's, and carries what they must agree on.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from charlstm.errors import OptionError
from charlstm.training.launch import launched


@dataclass(frozen=True)
class Group:
    """Process number ``rank`` of ``size``; number 0 leads: it alone writes and speaks."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes files and is listened to."""
        return self.rank == 0

    def share(self, values: Tensor) -> Tensor:
        """The lanes of this process, every ``size``-th, from a tensor (..., B, H) of all."""
        return values[..., self.rank :: self.size, :]

    def whole(self, values: Tensor) -> Tensor:
        """The tensor (..., B, H) of all lanes, from the shares that each process has."""
        if self.size == 1:
            return values
        shares = [torch.empty_like(values) for _ in range(self.size)]
        dist.all_gather(shares, values.contiguous())
        return torch.stack(shares, dim=-2).flatten(-3, -2)  # (..., B / size, size, H)

    def agree(self, value: Any) -> Any:
        """The leader's value, in every process."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def any(self, flag: bool) -> bool:
        """Whether the flag is up in some process."""
        if self.size == 1:
            return flag
        flags: list[Any] = [None] * self.size
        dist.all_gather_object(flags, flag)
        return any(flags)

    def wait(self) -> None:
        """Go on only when every process is here."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def joined(device: str) -> Iterator[Group]:
    """The group that ``torchrun`` put this process into, left again at the end.

    Processes on CPUs talk through gloo; with ``device`` cuda they talk through nccl, and each
    takes the GPU that its place on its machine gives it. Keep nothing that belongs to the group
    beyond its end.
    """
    launch = launched()
    if launch.size == 1:
        yield Group()
        return
    if device == "cuda":
        there = torch.cuda.device_count()
        if launch.local_rank >= there:
            raise OptionError(
                f"this machine has {there} GPUs, too few for process {launch.local_rank + 1}; "
                f"lower --nproc-per-node"
            )
        torch.cuda.set_device(launch.local_rank)
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield Group(dist.get_rank(), launch.size)
    finally:
        # gloo's threads must end before the interpreter does, or they abort it; what still holds
        # on to them is a module in a cycle (github.com/pytorch/pytorch/pull/179291).
        gc.collect()
        dist.destroy_process_group()
