"""One step of training: a window, its loss, and the state carried to the next window.

Nothing here waits for a CUDA device, so that it is never idle; whoever wants to know a loss asks
``take_losses`` now and then.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from charlstm.errors import OptionError
from charlstm.text.dataset import release
from charlstm.text.vocabulary import Ids
from charlstm.training.batches import Lanes
from charlstm.training.config import TrainConfig
from charlstm.training.distributed import Group
from charlstm.training.network import CharLSTM, detached
from charlstm.training.optimizer import Optimizer


@dataclass(frozen=True)
class Losses:
    """What the steps since the last asking came to."""

    mean: float  # nats per character, of the steps that were taken; nan if there was none
    taken: int
    skipped: int  # steps whose gradient was not finite


class Learner:
    """A model in training. All that a step reads is here, and ``state_dict`` saves all of it."""

    def __init__(
        self,
        config: TrainConfig,
        lanes: Lanes,
        group: Group | None = None,
        text: Tensor | None = None,
    ) -> None:
        """``text``: the ids of ``lanes`` where they are on the device already (``resident``).

        Raises OptionError where the processes of ``group`` cannot share the batch evenly.
        """
        self.config = config
        self.lanes = lanes
        self.group = group or Group()
        if config.batch_size % self.group.size:
            raise OptionError(
                f"batch size is {config.batch_size}, which {self.group.size} processes cannot "
                f"share evenly; give a multiple of {self.group.size}"
            )
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.random_seed)
        self.device = torch.device(config.device)
        self.bf16 = config.precision == "bf16"
        self.model = CharLSTM(
            config.model, weight_dropout=config.weight_dropout, group=self.group
        ).to(self.device)
        self.optimizer = Optimizer(self.model, config)
        self.forward: torch.nn.Module = self.model
        if self.group.size > 1:
            self.forward = DistributedDataParallel(self.model)
        self.carried = self.model.zero_state(config.batch_size // self.group.size)
        self.text = text
        self.losses = torch.zeros(3, device=self.device)  # sum, steps taken, steps skipped

    @property
    def steps_done(self) -> int:
        """How many steps the model has behind it, those that were skipped among them."""
        return self.optimizer.steps_done

    def step(self) -> None:
        """Learn from the next window; where the gradient is not finite, leave the weights alone."""
        number = self.steps_done
        window = self._window(number)  # (T + 1, B), with a share of the lanes where there are more
        if self.lanes.starts(number):
            self._forget()
            release(self.lanes.ids)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            logits, state = self.forward(window[:-1], self.carried)
        loss = F.cross_entropy(logits.float().flatten(0, 1), window[1:].flatten())
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        finite = self.optimizer.step()
        self.carried = [
            (torch.where(finite, h, 0.0), torch.where(finite, c, 0.0)) for h, c in detached(state)
        ]
        taken = finite.float()
        kept = torch.where(finite, loss.detach(), 0.0)
        self.losses += torch.stack((kept, taken, 1 - taken))

    def take_losses(self) -> Losses:
        """The losses since the last call, over all processes; waits for the device."""
        if self.group.size > 1:  # the sums differ, the counts do not
            torch.distributed.all_reduce(self.losses)
            self.losses /= self.group.size
        total, taken, skipped = self.losses.tolist()
        self.losses.zero_()
        return Losses(total / taken if taken else math.nan, round(taken), round(skipped))

    def roll_back(self) -> None:
        """Go back to the last weights that were sound, and on at half the rate."""
        self.optimizer.roll_back()
        self._forget()

    def state_dict(self) -> dict[str, Tensor]:
        """Every tensor that changes as the learner learns; in a group all must ask at once."""
        tensors = self.optimizer.state_dict()
        for layer, (h, c) in enumerate(self.carried):
            tensors[f"hidden.{layer}"] = self.group.whole(h).float()
            tensors[f"cell.{layer}"] = self.group.whole(c).float()
        tensors |= {"losses": self.losses, "rng": torch.get_rng_state()}
        if self.device.type == "cuda":
            tensors["cuda_rng"] = torch.cuda.get_rng_state()
        return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}

    def load_state_dict(self, tensors: dict[str, Tensor], progress: dict[str, Any]) -> None:
        """Take up what a learner with the same configuration and its optimizer gave."""
        self.optimizer.load_state_dict(tensors, progress)
        # In bf16 the state comes out of the layers as such, and fp32 does not take it.
        kind = torch.bfloat16 if self.bf16 else torch.float32
        self.carried = [
            (
                self.group.share(tensors[f"hidden.{layer}"]).to(self.device, kind),
                self.group.share(tensors[f"cell.{layer}"]).to(self.device, kind),
            )
            for layer in range(self.config.model.num_layers)
        ]
        self.losses = tensors["losses"].to(self.device)
        torch.set_rng_state(tensors["rng"])
        if self.device.type == "cuda" and "cuda_rng" in tensors:
            torch.cuda.set_rng_state(tensors["cuda_rng"])

    def _forget(self) -> None:
        self.carried = [(torch.zeros_like(h), torch.zeros_like(c)) for h, c in self.carried]

    def _window(self, step: int) -> Tensor:
        """The ids of ``step`` and the one that follows, (T + 1, B), of this process's lanes."""
        places = self.lanes.places(step)[:, self.group.rank :: self.group.size]
        if self.text is None:
            return self._to_device(self.lanes.ids[places].astype(np.int64))
        return self.text[self._to_device(places)].long()

    def _to_device(self, values: npt.NDArray[np.int64]) -> Tensor:
        """The values as a tensor on the device; on CUDA nobody waits for the copy.

        On MPS such a copy may read memory that is already used for something else
        (github.com/pytorch/pytorch/issues/189690).
        """
        tensor = torch.from_numpy(values)
        return tensor.to(self.device, non_blocking=self.device.type == "cuda")


def resident(ids: Ids, device: str) -> Tensor | None:
    """The text on a CUDA device that has room for it; None where it is read as it lies."""
    if device != "cuda":
        return None
    size = 1 if ids.itemsize == 1 else 4
    if len(ids) * size > torch.cuda.mem_get_info()[0] // 2:
        return None
    return torch.tensor(ids if size == 1 else ids.astype(np.int32), device=device)
