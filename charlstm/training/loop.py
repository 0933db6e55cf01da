"""The loop of a run: steps, evaluations, the best model kept, the books of the run directory."""

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from charlstm.checkpoint import Model, save_model
from charlstm.dataset import Dataset
from charlstm.errors import TrainingError
from charlstm.files import write_atomically
from charlstm.runs import METRICS_FILE, MODEL_FILE, STATE_FILE
from charlstm.training.evaluate import evaluate
from charlstm.training.events import Evaluation, Event, Finished, Started, Step
from charlstm.training.learner import Learner
from charlstm.training.record import absolute, repeating_command
from charlstm.training.state import save_state

SAVE_SECONDS = 60.0  # between two writes of the state
LOG_POINTS = 200  # lines of metrics in a run, about

ShouldStop = Callable[[], bool]


class RunningMean:
    """A running mean of losses that stays on the device until it is asked for."""

    def __init__(self, device: torch.device) -> None:
        self.total = torch.zeros((), device=device)
        self.count = 0

    def add(self, loss: torch.Tensor) -> None:
        """Count one more loss, without waiting for the device."""
        self.total += loss
        self.count += 1

    def take(self) -> float:
        """The mean so far; counting begins anew."""
        mean = float(self.total) / max(1, self.count)
        self.total.zero_()
        self.count = 0
        return mean


class Run:
    """One run in its directory: ``events`` does the work, the rest keeps the books."""

    def __init__(
        self, dataset: Dataset, learner: Learner, places: Sequence[str], directory: Path
    ) -> None:
        self.dataset = dataset
        self.learner = learner
        self.config = config = learner.config
        self.lanes = learner.lanes
        self.places = list(places)
        self.directory = directory
        self.val_ids = dataset.split(config.val_fraction)[1]
        self.log_every = max(1, config.steps // LOG_POINTS)
        self.since_line = RunningMean(self.learner.device)
        self.since_evaluation = RunningMean(self.learner.device)
        self.best_loss = math.inf
        self.best_step = 0  # 0: nothing evaluated yet
        self.seconds_before = 0.0  # spent before this process, or before its first step
        self.first_step, self.first_time = 0, time.monotonic()

    def events(self, reason: str, should_stop: ShouldStop) -> Iterator[Event]:
        """Train to the last step, or until ``should_stop``; keep the best model on the way."""
        learner, config = self.learner, self.config
        self.first_step, self.first_time = learner.steps_done, time.monotonic()
        saved_at = self.first_time
        yield Started(
            directory=self.directory,
            config=config,
            reason=reason,
            train_characters=len(self.lanes.ids),
            val_characters=len(self.val_ids),
            step=self.first_step,
        )
        stopped = False
        while learner.steps_done < config.steps and not stopped:
            loss = learner.step()
            self.since_line.add(loss)
            self.since_evaluation.add(loss)
            done = learner.steps_done
            if done % config.eval_every == 0 or done == config.steps:
                yield self._evaluation()
            elif done % self.log_every == 0:
                yield self._logged_step()
            else:
                yield Step(step=done, epoch=self._epoch())
            stopped = should_stop()
            if stopped or time.monotonic() - saved_at >= SAVE_SECONDS:
                self._save_state()
                saved_at = time.monotonic()
        val_loss: float | None = self.best_loss if len(self.val_ids) else None
        best_step = self.best_step
        if not best_step:  # stopped before the first evaluation; what there is, is kept
            val_loss, best_step = self._validate(), learner.steps_done
            self._save_model(val_loss, self.since_evaluation.take())
        if not stopped:
            self._save_state()
        yield Finished(
            directory=self.directory,
            model=self.directory / MODEL_FILE,
            step=learner.steps_done,
            steps=config.steps,
            stopped=stopped and learner.steps_done < config.steps,
            best_step=best_step,
            val_loss=val_loss,
            characters_per_second=self._speed(),
            seconds=self._seconds(),
        )

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a saved state, and take back lines of metrics that were written after it."""
        self.learner.load_state_dict(state["learner"])
        for mean, (total, count) in zip(
            (self.since_line, self.since_evaluation), state["means"], strict=True
        ):
            mean.total, mean.count = total.to(self.learner.device), count
        if (self.directory / MODEL_FILE).exists():
            self.best_loss, self.best_step = state["best_loss"], state["best_step"]
        self.seconds_before = state["seconds"]
        path = self.directory / METRICS_FILE
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        kept = [line for line in lines if _step_of(line) <= self.learner.steps_done]
        if kept != lines:
            write_atomically(path, "".join(kept).encode())

    def _save_state(self) -> None:
        config = {f.name: getattr(self.config, f.name) for f in fields(self.config)}
        save_state(
            self.directory / STATE_FILE,
            {
                "learner": self.learner.state_dict(),
                "config": {**config, "model": asdict(self.config.model)},
                "means": [(m.total, m.count) for m in (self.since_line, self.since_evaluation)],
                "best_loss": self.best_loss,
                "best_step": self.best_step,
                "seconds": self._seconds(),
                "fingerprint": asdict(self.dataset.fingerprint),
                "text": asdict(self.dataset.text),
                "places": absolute(self.places),
                "places_given": self.places,
            },
        )

    def _evaluation(self) -> Evaluation:
        """Walk the validation text, keep the model if it is the best, write it down."""
        val_loss, train_loss = self._validate(), self.since_evaluation.take()
        self._check_finite(train_loss)
        best = val_loss is None or val_loss < self.best_loss
        if best:
            self.best_step = self.learner.steps_done
            self.best_loss = math.inf if val_loss is None else val_loss
            self._save_model(val_loss, train_loss)
        self._write_line(loss=self.since_line.take(), val_loss=val_loss)
        return Evaluation(
            step=self.learner.steps_done,
            epoch=self._epoch(),
            loss=train_loss,
            val_loss=val_loss,
            best=best,
            seconds=self._seconds(),
        )

    def _logged_step(self) -> Step:
        loss = self.since_line.take()
        self._check_finite(loss)
        self._write_line(loss=loss)
        return Step(step=self.learner.steps_done, epoch=self._epoch(), loss=loss)

    def _write_line(self, *, loss: float, val_loss: float | None = None) -> None:
        """Append one object to the metrics; a run without validation has no val_loss."""
        line = {
            "step": self.learner.steps_done,
            "epoch": round(self._epoch(), 4),
            "loss": loss,
            "learning_rate": self.learner.rate(),
            "characters_per_second": round(self._speed()),
            "seconds": round(self._seconds(), 3),
        }
        if val_loss is not None:
            line["val_loss"] = val_loss
        with (self.directory / METRICS_FILE).open("a") as file:
            file.write(json.dumps(line) + "\n")

    def _validate(self) -> float | None:
        """The validation loss, or None where nothing is held back."""
        if not len(self.val_ids):
            return None
        learner = self.learner
        loss = evaluate(learner.model, self.val_ids, device=learner.device, bf16=learner.bf16)
        self._check_finite(loss)
        return loss

    def _save_model(self, val_loss: float | None, train_loss: float) -> None:
        config = self.config
        options = config.options()
        summary = {
            "val_loss": val_loss,
            "train_loss": train_loss,
            "epochs": self._epoch(),
            "seconds": self._seconds(),
            "characters_per_second": self._speed(),
            "planned_steps": options.pop("steps"),
            "steps": self.learner.steps_done,
        }
        for name in asdict(config.model):
            options.pop(name, None)
        weights = {
            name: np.ascontiguousarray(weight.detach().float().cpu().numpy())
            for name, weight in self.learner.model.state_dict().items()
        }
        model = Model(
            config=config.model,
            weights=weights,
            vocabulary=self.dataset.vocabulary,
            fingerprint=self.dataset.fingerprint,
            text=self.dataset.text,
            training={**options, **summary},
            command=repeating_command(config, self.dataset.text, self.places),
        )
        save_model(model, self.directory / MODEL_FILE)

    def _check_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss became {loss} by step {self.learner.steps_done} of {self.directory}; "
                f"lower --learning-rate (now {self.config.learning_rate:g})"
            )

    def _epoch(self) -> float:
        return self.learner.steps_done / self.lanes.steps_per_epoch

    def _seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.first_time

    def _speed(self) -> float:
        """Characters learned from per second, evaluations included."""
        steps = self.learner.steps_done - self.first_step
        characters = steps * self.config.batch_size * self.config.seq_length
        return characters / max(time.monotonic() - self.first_time, 1e-9)


def _step_of(line: str) -> int:
    """The step of a line of metrics; a line cut off by a crash belongs to no step."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return sys.maxsize
