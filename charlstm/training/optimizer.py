"""From gradients to weights: the schedule, clipping, skipped steps, AdamW and averaged weights.

Everything that changes here with a step is in the state of ``Optimizer``, and only here is known
what is in it. Nothing waits for a CUDA device.
"""

import copy
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from charlstm.checks import require_integer, require_number
from charlstm.model.lstm import Array
from charlstm.training.config import TrainConfig
from charlstm.training.kernels import Kernels, Update, fused_adamw, plain_adamw
from charlstm.training.network import CharLSTM

WARM_UP = 0.05  # of the run
FINAL_RATE = 0.01  # of the peak
BETAS = (0.9, 0.99)  # the second below Adam's 0.999: runs of a few thousand steps are short
AVERAGE_EVERY = 4  # steps: often enough, and a quarter of the cost
AVERAGE_ALWAYS = 500  # steps, the first ones, after each of them, since the run may be short
RATE_AFTER_ROLLBACK = 0.5
WARM_UP_AFTER_ROLLBACK = 50  # steps; the optimizer's moments are empty again
# The parts of a state that have a tensor for each weight; ``sound`` is for ``roll_back``.
WEIGHTS = ("model", "averaged", "sound")
MOMENTS = ("exp_avg", "exp_avg_sq")  # torch's names, as is "step", which all weights share
EPSILON = 1e-8  # torch's default


def learning_rate(progress: float, peak: float) -> float:
    """The rate at this share of a run, from 0 to 1: a linear warm-up, then a half cosine.

    Loshchilov and Hutter 2017, arXiv 1608.03983, without restarts.
    """
    if progress < WARM_UP:
        return peak * progress / WARM_UP
    done = (progress - WARM_UP) / (1 - WARM_UP)
    return peak * (FINAL_RATE + (1 - FINAL_RATE) * (1 + math.cos(math.pi * done)) / 2)


class Optimizer:
    """Changes the weights of ``model`` by their gradients; ``averaged`` is the model to keep."""

    def __init__(self, model: CharLSTM, config: TrainConfig, kernels: Kernels) -> None:
        self.config = config
        self.model = model
        self._adamw = fused_adamw if kernels.fused_adamw else plain_adamw
        self.averaged = copy.deepcopy(model).eval()
        self.device = model.output.weight.device
        if self.device.type == "cuda":
            for layer in self.averaged.layers:
                if isinstance(layer, torch.nn.LSTM):
                    layer.flatten_parameters()
        self.steps_done = 0
        self.rate_scale = 1.0
        self.rolled_back_at: int | None = None  # the step after which that was done last
        self._parameters: list[Tensor] = list(model.parameters())
        self._forget_moments()
        self.snapshot()

    def rate(self, progress: float) -> float:
        """The learning rate of the next step, in the middle of which the run has this progress."""
        scale = self.rate_scale
        if self.rolled_back_at is not None:
            since = self.steps_done + 1 - self.rolled_back_at
            scale *= min(1.0, since / WARM_UP_AFTER_ROLLBACK)
        return learning_rate(progress, self.config.learning_rate * scale)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for p in self._parameters:
            p.grad = None

    def step(self, progress: float) -> Tensor:
        """One step along the clipped gradient, if that is finite; whether it is, a bool tensor ().

        On CUDA AdamW itself divides the gradient by ``grad_scale`` and does nothing for
        ``found_inf``, so that nobody waits; elsewhere it is cheaper to read the value.
        """
        rate = self.rate(progress)
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        norm = get_total_norm(gradients)
        finite = torch.isfinite(norm)
        scale = norm / self.config.grad_clip
        if self.device.type == "cuda":
            self._update(
                gradients, rate, grad_scale=scale.clamp(min=1.0), found_inf=(~finite).float()
            )
        elif finite:
            if scale > 1:
                clip_grads_with_norm_(self._parameters, self.config.grad_clip, norm)
            self._update(gradients, rate)
        self.steps_done += 1
        always = self.steps_done <= AVERAGE_ALWAYS or not self.config.averaging
        every = 1 if always else AVERAGE_EVERY
        if self.steps_done % every == 0:
            self._average(self.config.averaging * self.steps_done / every)
        return finite

    def weights(self) -> dict[str, Array]:
        """The weights to keep, averaged over the last steps, under torch's names."""
        return {
            name: np.ascontiguousarray(weight.detach().float().cpu().numpy())
            for name, weight in self.averaged.state_dict().items()
        }

    def load_weights(self, weights: dict[str, Array]) -> None:
        """Begin from these instead of random ones; names and shapes as the model has them."""
        self.model.load_state_dict({k: torch.from_numpy(w) for k, w in weights.items()})
        self.averaged.load_state_dict(self.model.state_dict())
        self.snapshot()

    def snapshot(self) -> None:
        """Remember the averaged weights, for ``roll_back``."""
        self.sound = copy.deepcopy(self.averaged.state_dict())

    def roll_back(self) -> None:
        """Go back to the weights of the last snapshot, and on at half the rate.

        Averages and moments begin anew, since they may be spoiled already. So the rate rises from
        near zero again.
        """
        self.model.load_state_dict(self.sound)
        self.averaged.load_state_dict(self.sound)
        self._forget_moments()
        self.rate_scale *= RATE_AFTER_ROLLBACK
        self.rolled_back_at = self.steps_done

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor that changes with a step.

        Names are the weights' own after that of their part, of WEIGHTS and MOMENTS. ``step`` counts
        the steps of AdamW.
        """
        parts: dict[str, dict[str, Tensor]] = {
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "sound": self.sound,
        }
        names = list(parts["model"])
        for moment, of_weights in zip(MOMENTS, self._moments, strict=True):
            parts[moment] = dict(zip(names, of_weights, strict=True))
        named = {f"{part}.{name}": t for part, of in parts.items() for name, t in of.items()}
        return named | {"step": self._adamw_steps}

    def progress(self) -> dict[str, Any]:
        """Every plain value that changes with a step."""
        return {
            "steps_done": self.steps_done,
            "rate_scale": self.rate_scale,
            "rolled_back_at": self.rolled_back_at,
        }

    def load_state(self, tensors: dict[str, Tensor], progress: dict[str, Any]) -> None:
        """Take up the tensors and the progress of an optimizer of the same configuration."""
        with torch.no_grad():
            for name, tensor in self.tensors().items():
                tensor.copy_(tensors[name])
        for name in self.progress():
            setattr(self, name, progress[name])

    @torch.no_grad()
    def _average(self, window: float) -> None:
        """Move the averaged weights, an exponential moving average, towards the new ones.

        Averaging is Polyak and Juditsky 1992. The average reaches back over ``averaging`` of
        the steps done so far, so that it never reaches back to the beginning of a run.
        """
        for average, weight in zip(self.averaged.parameters(), self._parameters, strict=True):
            average.lerp_(weight, 1 / max(1.0, window))

    @torch.no_grad()
    def _update(
        self,
        gradients: list[Tensor],
        rate: float,
        *,
        grad_scale: Tensor | None = None,
        found_inf: Tensor | None = None,
    ) -> None:
        """One step of AdamW, and its number."""
        self._adamw_steps += 1
        first, second = self._moments
        self._adamw(
            Update(
                weights=self._parameters,
                gradients=gradients,
                first=first,
                second=second,
                steps=self._adamw_steps,
                rate=rate,
                betas=BETAS,
                epsilon=EPSILON,
                weight_decay=self.config.weight_decay,
                grad_scale=grad_scale,
                found_inf=found_inf,
            )
        )
        if found_inf is not None:
            self._adamw_steps -= found_inf

    def _forget_moments(self) -> None:
        """Make the moments those of an AdamW before its first step."""
        self._moments = tuple([torch.zeros_like(p) for p in self._parameters] for _ in MOMENTS)
        self._adamw_steps = torch.zeros((), device=self.device)


def state_shapes(config: TrainConfig) -> dict[str, tuple[int, ...]]:
    """The name and shape of each tensor in the state of such a run's optimizer."""
    return {"step": ()} | {
        f"{part}.{name}": shape
        for part in (*WEIGHTS, *MOMENTS)
        for name, shape in config.network.parameter_shapes().items()
    }


def check_state(tensors: dict[str, Array], progress: dict[str, Any], config: TrainConfig) -> None:
    """Raise ValueError or KeyError for values that no optimizer of such a run can have."""
    done = require_integer("steps_done", progress["steps_done"])
    require_number("rate_scale", progress["rate_scale"], above=0)
    if progress["rolled_back_at"] is not None:
        require_integer("rolled_back_at", progress["rolled_back_at"], most=done)
    for name in config.network.parameter_shapes():
        if not np.isfinite(tensors[f"sound.{name}"]).all():
            raise ValueError(f"sound.{name} holds values that are not finite")
    require_number("step", tensors["step"].item(), least=0, below=done + 1)
