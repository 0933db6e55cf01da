"""One optimizer step: the model, the optimizer and the state carried from window to window."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from charlstm.training.config import TrainConfig
from charlstm.training.lanes import Lanes
from charlstm.training.model import CharLSTM, detached

WARM_UP_FRACTION = 0.05
FINAL_RATE = 0.01  # of the peak
BETAS = (0.9, 0.99)  # the second below Adam's 0.999: runs of a few thousand steps are short


def learning_rate(step: int, steps: int, peak: float) -> float:
    """The rate of ``step`` (from 0) of ``steps``: a linear warm-up, then a half cosine.

    Loshchilov and Hutter 2017, arXiv 1608.03983, without restarts.
    """
    warm_up = max(1, round(WARM_UP_FRACTION * steps))
    if step < warm_up:
        return peak * (step + 1) / warm_up
    done = (step - warm_up) / max(1, steps - warm_up)
    return peak * (FINAL_RATE + (1 - FINAL_RATE) * (1 + math.cos(math.pi * done)) / 2)


class Learner:
    """A model in training. All that a step reads is here, and ``state_dict`` saves all of it."""

    def __init__(self, config: TrainConfig, lanes: Lanes) -> None:
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.random_seed)
        self.config = config
        self.lanes = lanes
        self.device = torch.device(config.device)
        self.bf16 = config.precision == "bf16"
        self.model = CharLSTM(config.model).to(self.device)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=config.learning_rate,
            betas=BETAS,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.carried = self.model.zero_state(config.batch_size)
        self.steps_done = 0

    def step(self) -> Tensor:
        """Learn from the next window; the mean loss, nats per character, still on the device."""
        number = self.steps_done
        window = torch.from_numpy(self.lanes.window(number)).to(self.device)  # (T + 1, B)
        if self.lanes.starts_epoch(number):
            self.carried = self.model.zero_state(self.config.batch_size)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(number, self.config.steps, self.config.learning_rate)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            logits, state = self.model(window[:-1], self.carried)
        loss = F.cross_entropy(logits.float().flatten(0, 1), window[1:].flatten())
        self.carried = detached(state)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.grad_clip)
        self.optimizer.step()
        self.steps_done += 1
        return loss.detach()

    def rate(self) -> float:
        """The learning rate of the step just done."""
        return learning_rate(self.steps_done - 1, self.config.steps, self.config.learning_rate)

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes as the learner learns."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "carried": self.carried,
            "steps_done": self.steps_done,
            "rng": torch.get_rng_state(),
        }
        if self.device.type == "cuda":
            state["cuda_rng"] = torch.cuda.get_rng_state()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what ``state_dict`` of a learner with the same configuration gave."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.carried = [(h.to(self.device), c.to(self.device)) for h, c in state["carried"]]
        self.steps_done = state["steps_done"]
        torch.set_rng_state(state["rng"])
        if self.device.type == "cuda" and "cuda_rng" in state:
            torch.cuda.set_rng_state(state["cuda_rng"])
