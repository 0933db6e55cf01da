"""A training step: a window, its loss, and the state carried to the next window.

Nothing here waits for a CUDA device, so that it is never idle, except ``take_losses``, which the
loop calls now and then.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from charlstm.checks import require_number, shown
from charlstm.errors import OptionError
from charlstm.model.lstm import Array
from charlstm.text.dataset import release
from charlstm.text.vocabulary import Ids
from charlstm.training import optimizer
from charlstm.training.batches import Batches, TrainingData
from charlstm.training.config import TrainConfig
from charlstm.training.device import memory_for
from charlstm.training.dropout import masks_of
from charlstm.training.kernels import Kernels, choose_kernels
from charlstm.training.losses import StepLosses
from charlstm.training.network import CharLSTM, detached
from charlstm.training.optimizer import Optimizer
from charlstm.training.threads import torch_threads
from charlstm.training.validation import evaluate


class Trainer:
    """A network in training. ``state`` has everything that changes with a step.

    It computes with so many ``threads``, which may change from step to step.
    """

    def __init__(
        self, config: TrainConfig, data: TrainingData, kernels: Kernels | None = None
    ) -> None:
        """By default with the kernels that work here.

        Raises OptionError where the processes cannot share a batch evenly.
        """
        self.config, self.data, self.threads = config, data, config.threads
        self.group = data.group
        if config.batch_size % self.group.size:
            raise OptionError(
                f"is {config.batch_size}, which {self.group.size} processes cannot share evenly; "
                f"give a multiple of {self.group.size}",
                "batch_size",
            )
        B, T = config.batch_size, config.seq_length
        self.batches = Batches(data.train_ids, B, T, config.random_seed)
        self.device = torch.device(config.device)
        self.dtype = torch.bfloat16 if config.precision == "bf16" else torch.float32
        with memory_for(config), torch_threads(self.threads):
            self.kernels = kernels or choose_kernels(config.device, config.precision)
            self.network = CharLSTM(config.network, seed=config.random_seed, kernels=self.kernels)
            self.network.to(self.device)
            self.optimizer = Optimizer(self.network, config, self.kernels)
            self.forward: torch.nn.Module = self.network
            if self.group.size > 1:
                self.forward = torch.nn.parallel.DistributedDataParallel(self.network)
            self.carried = self.network.zero_state(B // self.group.size)
        self.times = torch.arange(T + 1, device=self.device)[:, None]  # within a window
        self.losses = torch.zeros(3, device=self.device)  # sum, steps taken, steps skipped

    @property
    def steps_done(self) -> int:
        """The number of steps so far, skipped ones included."""
        return self.optimizer.steps_done

    def step(self, progress: float) -> None:
        """Learn from the next window, at the rate that belongs to this progress of the run.

        Where the gradient is not finite, the weights are left alone.
        """
        with torch_threads(self.threads):
            self._step(progress)

    def _step(self, progress: float) -> None:
        number = self.steps_done
        window = self._window(number)  # (T + 1, B), B is this process's share of the batch
        if self.batches.starts(number):
            self._clear_carried()
            release(self.batches.ids)
        masks = masks_of(
            self.config, number, device=self.device, dtype=self.dtype, group=self.group
        )
        logits, state = self.forward(window[:-1], self.carried, masks, self.dtype)
        loss = F.cross_entropy(logits.flatten(0, 1), window[1:].flatten())
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        finite = self.optimizer.step(progress)
        self.carried = [
            (torch.where(finite, h, 0.0), torch.where(finite, c, 0.0)) for h, c in detached(state)
        ]
        taken = finite.float()
        kept = torch.where(finite, loss.detach(), 0.0)
        self.losses += torch.stack((kept, taken, 1 - taken))

    def take_losses(self) -> StepLosses:
        """The losses since the last call, over all processes; waits for the device."""
        if self.group.size > 1:  # the sums differ, the counts do not
            torch.distributed.all_reduce(self.losses)
            self.losses /= self.group.size
        total, taken, skipped = self.losses.tolist()
        self.losses.zero_()
        return StepLosses(total / taken if taken else math.nan, round(taken), round(skipped))

    def validation_loss(self, ids: Ids) -> float:
        """The loss of the averaged weights on a text."""
        return evaluate(self.optimizer.averaged, ids, device=self.device, threads=self.threads)

    def roll_back(self) -> None:
        """Go back to the weights of the last snapshot, and on at half the rate."""
        self.optimizer.roll_back()
        self._clear_carried()

    def state(self) -> dict[str, Array]:
        """Every tensor that changes with a step; all processes of a group call this at once."""
        tensors = self.optimizer.tensors()
        for layer, (h, c) in enumerate(self.carried):
            tensors[f"hidden.{layer}"] = self.group.whole(h)
            tensors[f"cell.{layer}"] = self.group.whole(c)
        tensors["losses"] = self.losses
        return {n: tensor.detach().cpu().contiguous().numpy() for n, tensor in tensors.items()}

    def load_state(self, state: dict[str, Array], progress: dict[str, Any]) -> None:
        """Take up the state of a trainer with the same configuration, and of its optimizer."""
        tensors = {name: torch.from_numpy(array) for name, array in state.items()}
        self.optimizer.load_state(tensors, progress)
        self.carried = [
            (self._carried(tensors[f"hidden.{layer}"]), self._carried(tensors[f"cell.{layer}"]))
            for layer in range(self.config.network.num_layers)
        ]
        self.losses = tensors["losses"].to(self.device)

    def _clear_carried(self) -> None:
        self.carried = [(torch.zeros_like(h), torch.zeros_like(c)) for h, c in self.carried]

    def _carried(self, saved: Tensor) -> Tensor:
        """What this process carries of a state of the whole batch."""
        return self.group.share(saved).contiguous().to(self.device)

    def _window(self, step: int) -> Tensor:
        """The ids of ``step`` and the one that follows, (T + 1, B), for this process."""
        rows = slice(self.group.rank, None, self.group.size)
        if self.data.on_device is None:
            positions = self.batches.positions(step)[:, rows]
            return self._to_device(self.batches.ids[positions].astype(np.int64))
        first = self._to_device(self.batches.first_positions(step)[rows])  # (B,)
        return self.data.on_device[(first + self.times) % len(self.data.on_device)].long()

    def _to_device(self, values: npt.NDArray[np.int64]) -> Tensor:
        """The values as a tensor on the device; on CUDA nobody waits for the copy.

        On MPS such a copy may read memory that is already used for something else
        (github.com/pytorch/pytorch/issues/189690).
        """
        tensor = torch.from_numpy(values)
        return tensor.to(self.device, non_blocking=self.device.type == "cuda")


def state_shapes(config: TrainConfig) -> dict[str, tuple[int, ...]]:
    """The name and shape of each tensor in the state of such a run; all are of fp32."""
    carried = (1, config.batch_size, config.network.hidden_size)
    shapes = optimizer.state_shapes(config)
    for layer in range(config.network.num_layers):
        shapes |= {f"hidden.{layer}": carried, f"cell.{layer}": carried}
    return shapes | {"losses": (3,)}


def check_state(state: dict[str, Array], progress: dict[str, Any], config: TrainConfig) -> None:
    """Raise ValueError or LookupError for what no trainer of this configuration can have saved.

    Nothing is allocated: the sizes are compared with those of tensors that exist.
    """
    expected = state_shapes(config)
    if state.keys() != expected.keys():
        other = sorted(state.keys() ^ expected.keys())[0]
        raise ValueError(f"{shown(other)} is missing, or is one too many")
    for name, array in state.items():
        if array.dtype != np.float32 or array.shape != expected[name]:
            raise ValueError(f"{name} is {array.dtype} of shape {array.shape}")
    optimizer.check_state(state, progress, config)
    for count in state["losses"][1:].tolist():
        require_number("number_of_losses", count, least=0, below=progress["steps_done"] + 1)
