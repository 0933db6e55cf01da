"""One optimizer step: the model, the optimizer and the state carried from window to window.

Nothing here waits for a CUDA device, so that it is never idle; whoever wants to know a loss asks
``take_losses`` now and then.
"""

import copy
import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import get_total_norm

from charlstm.dataset import release
from charlstm.errors import OptionError
from charlstm.lstm import Array
from charlstm.training.config import TrainConfig
from charlstm.training.group import Group
from charlstm.training.lanes import Lanes
from charlstm.training.model import CharLSTM, detached
from charlstm.vocab import Ids

WARM_UP_FRACTION = 0.05
FINAL_RATE = 0.01  # of the peak
BETAS = (0.9, 0.99)  # the second below Adam's 0.999: runs of a few thousand steps are short
AVERAGE_EVERY = 4  # steps, in a run of thousands: often enough, and a quarter of the cost
RATE_AFTER_ROLLBACK = 0.5
# The parts of a state that have a tensor for each weight. ``sound`` is for ``roll_back``.
WEIGHTS = ("model", "averaged", "sound")
MOMENTS = ("step", "exp_avg", "exp_avg_sq")
WARM_UP_AFTER_ROLLBACK = 50  # steps; the optimizer's moments are empty again


def learning_rate(step: int, steps: int, peak: float) -> float:
    """The rate of ``step`` (from 0) of ``steps``: a linear warm-up, then a half cosine.

    Loshchilov and Hutter 2017, arXiv 1608.03983, without restarts.
    """
    warm_up = max(1, round(WARM_UP_FRACTION * steps))
    if step < warm_up:
        return peak * (step + 1) / warm_up
    done = (step - warm_up) / max(1, steps - warm_up)
    return peak * (FINAL_RATE + (1 - FINAL_RATE) * (1 + math.cos(math.pi * done)) / 2)


def no_moments(parameter: Tensor) -> dict[str, Tensor]:
    """What AdamW has of a parameter before its first step, under torch's names."""
    zeros = torch.zeros_like(parameter)
    return {"step": torch.zeros(()), "exp_avg": zeros, "exp_avg_sq": zeros.clone()}


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
        self.parameters: list[Tensor] = list(self.model.parameters())
        self.averaged = copy.deepcopy(self.model)
        if self.device.type == "cuda":
            for layer in self.averaged.layers:
                if isinstance(layer, torch.nn.LSTM):
                    layer.flatten_parameters()
            # Dropped weights are no part of one buffer, which cuDNN remarks on at every step.
            warnings.filterwarnings("ignore", message="RNN module weights are not part")
        self.forward: torch.nn.Module = self.model
        if self.group.size > 1:
            self.forward = DistributedDataParallel(self.model)
        self.optimizer = self._optimizer()
        self.carried = self.model.zero_state(config.batch_size // self.group.size)
        self.text = text
        self.average_every = 1
        if config.averaging:
            self.average_every = max(1, min(AVERAGE_EVERY, config.steps // 500))
        self.steps_done = 0
        self.rate_scale = 1.0
        self.rolled_back_at: int | None = None  # the step after which that was done last
        self.losses = torch.zeros(3, device=self.device)  # sum, steps taken, steps skipped
        self.snapshot()

    def weights(self) -> dict[str, Array]:
        """The weights to keep, averaged over the last steps, under torch's names."""
        return {
            name: np.ascontiguousarray(weight.detach().float().cpu().numpy())
            for name, weight in self.averaged.state_dict().items()
        }

    def load_weights(self, weights: dict[str, Array]) -> None:
        """Begin from these instead of drawn ones; names and shapes as the model has them."""
        self.model.load_state_dict({k: torch.from_numpy(w) for k, w in weights.items()})
        self.averaged.load_state_dict(self.model.state_dict())
        self.snapshot()

    def step(self) -> None:
        """Learn from the next window; where the gradient is not finite, leave the weights alone."""
        number = self.steps_done
        window = self._window(number)  # (T + 1, B), with a share of the lanes where there are more
        if self.lanes.starts(number):
            self._forget()
            release(self.lanes.ids)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(number)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            logits, state = self.forward(window[:-1], self.carried)
        loss = F.cross_entropy(logits.float().flatten(0, 1), window[1:].flatten())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        finite = self._update()
        if self.steps_done % self.average_every == 0:
            self._average()
        self.carried = [
            (torch.where(finite, h, 0.0), torch.where(finite, c, 0.0)) for h, c in detached(state)
        ]
        taken = finite.float()
        kept = torch.where(finite, loss.detach(), 0.0)
        self.losses += torch.stack((kept, taken, 1 - taken))

    def _update(self) -> Tensor:
        """One step of the optimizer along the clipped gradient, if that is finite; whether it is.

        On CUDA the fused kernel itself divides the gradient by ``grad_scale`` and does nothing
        for ``found_inf``, so that nobody waits; elsewhere to look is cheaper.
        """
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        norm = get_total_norm(gradients)
        finite = torch.isfinite(norm)
        scale = norm / self.config.grad_clip
        if self.device.type == "cuda":
            self.optimizer.grad_scale = scale.clamp(min=1.0)  # type: ignore[attr-defined]
            self.optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
            self.optimizer.step()
        elif finite:
            if scale > 1:
                torch._foreach_div_(gradients, scale)
            self.optimizer.step()
        self.steps_done += 1
        return finite

    def take_losses(self) -> Losses:
        """The losses since the last call, over all processes; waits for the device."""
        if self.group.size > 1:  # the sums differ, the counts do not
            torch.distributed.all_reduce(self.losses)
            self.losses /= self.group.size
        total, taken, skipped = self.losses.tolist()
        self.losses.zero_()
        return Losses(total / taken if taken else math.nan, round(taken), round(skipped))

    def rate(self, step: int) -> float:
        """The learning rate of ``step``, from 0."""
        scale = self.rate_scale
        if self.rolled_back_at is not None:
            scale *= min(1.0, (step + 1 - self.rolled_back_at) / WARM_UP_AFTER_ROLLBACK)
        return learning_rate(step, self.config.steps, self.config.learning_rate * scale)

    def snapshot(self) -> None:
        """Remember the weights as they are kept, for ``roll_back``."""
        self.sound = copy.deepcopy(self.averaged.state_dict())

    def roll_back(self) -> None:
        """Go back to the weights of the last snapshot, and on at half the rate.

        Averages and moments begin anew, since they may be spoiled already, and so the rate rises
        from near zero again.
        """
        self.model.load_state_dict(self.sound)
        self.averaged.load_state_dict(self.sound)
        self.optimizer = self._optimizer()
        self._forget()
        self.rate_scale *= RATE_AFTER_ROLLBACK
        self.rolled_back_at = self.steps_done

    def state_dict(self) -> dict[str, Tensor]:
        """Every tensor that changes as the learner learns; in a group all must ask at once.

        Names are the weights' own behind that of their part: of WEIGHTS, and of MOMENTS, which
        are AdamW's.
        """
        weights = (self.model.state_dict(), self.averaged.state_dict(), self.sound)
        tensors = {
            f"{part}.{name}": weight
            for part, of_part in zip(WEIGHTS, weights, strict=True)
            for name, weight in of_part.items()
        }
        for name, parameter in self.model.named_parameters():
            moments = self.optimizer.state.get(parameter) or no_moments(parameter)
            tensors |= {f"{part}.{name}": moments[part] for part in MOMENTS}
        for layer, (h, c) in enumerate(self.carried):
            tensors[f"hidden.{layer}"] = self.group.whole(h).float()
            tensors[f"cell.{layer}"] = self.group.whole(c).float()
        tensors |= {"losses": self.losses, "rng": torch.get_rng_state()}
        if self.device.type == "cuda":
            tensors["cuda_rng"] = torch.cuda.get_rng_state()
        return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}

    def progress(self) -> dict[str, Any]:
        """Every plain value that changes as the learner learns."""
        return {
            "steps_done": self.steps_done,
            "rate_scale": self.rate_scale,
            "rolled_back_at": self.rolled_back_at,
        }

    def load_state_dict(self, tensors: dict[str, Tensor], progress: dict[str, Any]) -> None:
        """Take up what a learner with the same configuration gave."""

        def part(which: str) -> dict[str, Tensor]:
            named = [(name.partition(".")[2], name) for name in tensors if name.startswith(which)]
            return {short: tensors[name].to(self.device) for short, name in named}

        self.model.load_state_dict(part("model."))
        self.averaged.load_state_dict(part("averaged."))
        self.sound = part("sound.")
        for name, parameter in self.model.named_parameters():
            self.optimizer.state[parameter] = {
                moment: tensors[f"{moment}.{name}"].to(self.device) for moment in MOMENTS
            }
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
        for name in self.progress():
            setattr(self, name, progress[name])

    @torch.no_grad()
    def _average(self) -> None:
        """Move the averaged weights, an exponential moving average, towards the new ones.

        Averaging is Polyak and Juditsky 1992. The average reaches back over ``averaging`` of
        the steps done so far, so that it never drags the beginning of a run along.
        """
        window = max(1.0, self.config.averaging * self.steps_done / self.average_every)
        averages: list[Tensor] = list(self.averaged.parameters())
        torch._foreach_lerp_(averages, self.parameters, 1 / window)

    def _forget(self) -> None:
        self.carried = [(torch.zeros_like(h), torch.zeros_like(c)) for h, c in self.carried]

    def _optimizer(self) -> torch.optim.AdamW:
        return torch.optim.AdamW(
            self.parameters,
            lr=self.config.learning_rate,
            betas=BETAS,
            weight_decay=self.config.weight_decay,
            fused=True,
        )

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
