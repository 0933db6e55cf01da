"""The loop of a run: steps, evaluations, the best model kept, the books of the run directory."""

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from charlstm.errors import TrainingError
from charlstm.files import MODEL_FILE
from charlstm.model.model_file import ModelFile
from charlstm.text.dataset import Dataset
from charlstm.training.device import environment
from charlstm.training.events import Evaluation, Event, Finished, Mended, Saving, Started, Step
from charlstm.training.finetune import Transfer
from charlstm.training.learner import Learner, Losses
from charlstm.training.losses import Books, KeptModel
from charlstm.training.record import absolute, repeating_command
from charlstm.training.setup import levels
from charlstm.training.store import Store, kept_model
from charlstm.training.validation import evaluate

LOG_POINTS = 200  # lines of metrics in a run, about
AGREE_EVERY = 20  # steps between two messages in a group, on whether to stop
ROLLBACKS = 8  # then the fault is not the learning rate

ShouldStop = Callable[[], bool]


class Run:
    """One run in its directory: ``events`` does the work, the rest keeps the books.

    In a group every process does the same, and the leader alone writes.
    """

    def __init__(
        self, dataset: Dataset, learner: Learner, places: Sequence[str], directory: Path
    ) -> None:
        self.dataset = dataset
        self.learner = learner
        self.group = learner.group
        self.config = config = learner.config
        self.lanes = learner.lanes
        self.places = list(places)
        self.directory = directory
        self.store = Store(directory)
        self.environment = environment(config, self.group.size)
        self.val_ids = dataset.split(config.val_fraction)[1]
        self.log_every = max(1, config.steps // LOG_POINTS)
        self.books = Books()
        self.levels = levels(self.lanes, config.model.vocab_size)
        self.kept: KeptModel | None = None
        self.first_step, self.first_time = 0, time.monotonic()

    def save(self) -> None:
        """Write the state as it is, so that the run can be resumed from here; raises OSError."""
        state = self._state()
        if self.group.leads:
            self.store.write(state)

    def events(
        self,
        reason: str,
        should_stop: ShouldStop,
        *,
        transfer: Transfer | None = None,
        changes: tuple[str, ...] = (),
    ) -> Iterator[Event]:
        """Train to the last step, or until ``should_stop``; keep the best model on the way.

        A write that fails is said and tried again with the next state; only at the end it is an
        error.
        """
        learner, config, books = self.learner, self.config, self.books
        self.first_step, self.first_time = learner.steps_done, time.monotonic()
        yield Started(
            directory=self.directory,
            config=config,
            reason=reason,
            train_characters=len(self.lanes.ids),
            val_characters=len(self.val_ids),
            step=self.first_step,
            transfer=transfer,
            changes=changes,
        )
        stopped = False
        while learner.steps_done < config.steps and not stopped and not self.out_of_patience:
            learner.step()
            done = learner.steps_done
            evaluating = done % config.eval_every == 0 or done == config.steps
            logging = evaluating or done % self.log_every == 0
            if logging:
                yield from self._logged(evaluating)
            else:
                yield Step(step=done, epoch=self._epoch())
            if logging or self.group.size == 1 or done % AGREE_EVERY == 0:
                stopped = self.group.any(should_stop())
                if not stopped and self.group.agree(self.store.due(config.save_every)):
                    yield from self._write(self._state())
        if self.kept is None:  # stopped before the first evaluation; what there is, is kept
            self._look()
            self._keep_model(self._validate(), books.mean_loss())
        assert self.kept is not None
        yield from self._write(self._state())
        if self.store.fault:
            raise TrainingError(
                f"{self.store.fault}; give it room, then go on from step {self.store.saved_step}: "
                f"charlstm train --resume {self.directory}"
            )
        self.group.wait()  # for the leader's files
        yield Finished(
            directory=self.directory,
            model=self.directory / MODEL_FILE,
            step=learner.steps_done,
            steps=config.steps,
            stopped=stopped and learner.steps_done < config.steps and not self.out_of_patience,
            impatient=self.out_of_patience,
            best_step=self.kept.step,
            val_loss=self.kept.val_loss,
            overfitting=books.overfitting,
            characters_per_second=self._speed(),
            seconds=self._seconds(),
        )

    @property
    def out_of_patience(self) -> bool:
        """Whether the run ends early, since validation got no better."""
        return self.books.out_of_patience(self.config.patience)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a saved state, and take back lines of metrics that were written after it."""
        self.learner.load_state_dict(state["tensors"], state["learner"])
        books = state["books"]
        self.books = Books(
            **{name: type(value)(books[name]) for name, value in asdict(Books()).items()}
        )
        if self.group.leads:
            self.kept = kept_model(self.directory, self.config, self.dataset)
            self.store.take_back(self.learner.steps_done)
        self.kept = self.group.agree(self.kept)

    def _state(self) -> dict[str, Any]:
        """All that the run needs to go on; in a group all must ask at once."""
        config = {f.name: getattr(self.config, f.name) for f in fields(self.config)}
        return {
            "tensors": self.learner.state_dict(),
            "learner": self.learner.optimizer.progress(),
            "config": {**config, "model": asdict(self.config.model)},
            "books": {**asdict(self.books), "seconds": self._seconds()},
            "fingerprint": asdict(self.dataset.fingerprint),
            "text": asdict(self.dataset.text),
            "places": absolute(self.places),
            "places_given": self.places,
            "environment": self.environment,
        }

    def _write(self, state: dict[str, Any] | None = None) -> Iterator[Event]:
        """Write what waits to be written, and ``state``; say where that fails, and where no more.

        Between two states a fault is said once.
        """
        if not self.group.leads:
            return
        before = self.store.fault
        fault = self.store.try_to_write(state)
        if fault != before or (fault and state is not None):
            yield Saving(step=self.learner.steps_done, fault=fault)

    def _look(self) -> tuple[Losses, bool]:
        """The losses since the last look, and whether they call for going back."""
        losses = self.learner.take_losses()
        return losses, self.books.looked(losses.mean, losses.taken, losses.skipped, self.levels)

    def _logged(self, evaluating: bool) -> Iterator[Event]:
        """A point where losses are looked at and written down; mend what went wrong since."""
        losses, bad = self._look()
        rate = self.learner.optimizer.rate(self.learner.steps_done - 1)
        if losses.skipped or bad:
            yield self._mend(losses.skipped, roll_back=bad)
        if not evaluating:
            self._append_line(loss=losses.mean, rate=rate)
            yield from self._write()
            yield Step(step=self.learner.steps_done, epoch=self._epoch(), loss=losses.mean)
            return
        val_loss = self._validate()
        if val_loss is not None and not math.isfinite(val_loss):
            self.books.rollbacks += 1
            yield self._mend(0, roll_back=True)
        best = self.books.evaluated(self.learner.steps_done, val_loss)
        if best and not bad and not self.books.collapsed(losses.mean, self.levels):
            self.learner.optimizer.snapshot()
        kept = self._is_to_be_kept(val_loss)
        if kept:
            self._keep_model(val_loss, self.books.train_loss)
        self._append_line(loss=losses.mean, rate=rate, val_loss=val_loss)
        yield from self._write()
        yield Evaluation(
            step=self.learner.steps_done,
            epoch=self._epoch(),
            loss=self.books.train_loss,
            val_loss=val_loss,
            best=best,
            kept=kept,
            seconds=self._seconds(),
        )

    def _mend(self, skipped: int, *, roll_back: bool) -> Mended:
        """Say what was skipped; where skipping is not enough, roll back, but not for ever."""
        if roll_back:
            if self.books.rollbacks > ROLLBACKS:
                raise TrainingError(
                    f"{self.directory}: the loss is not finite or beyond all bounds at step "
                    f"{self.learner.steps_done}, after {ROLLBACKS} times half the rate; "
                    f"lower --learning-rate (it began at {self.config.learning_rate:g})"
                )
            self.learner.roll_back()
        return Mended(
            step=self.learner.steps_done,
            skipped=skipped,
            rolled_back=roll_back,
            learning_rate=self.config.learning_rate * self.learner.optimizer.rate_scale,
        )

    def _append_line(self, *, loss: float, rate: float, val_loss: float | None = None) -> None:
        """Append one object to the metrics; a run without validation has no val_loss."""
        line = {
            "step": self.learner.steps_done,
            "epoch": round(self._epoch(), 4),
            "loss": loss if math.isfinite(loss) else None,
            "learning_rate": rate,
            "characters_per_second": round(self._speed()),
            "seconds": round(self._seconds(), 3),
        }
        if val_loss is not None:
            line["val_loss"] = val_loss if math.isfinite(val_loss) else None
        self.store.append(json.dumps(line))

    def _validate(self) -> float | None:
        """The loss of the averaged weights on the validation text, None where there is none."""
        if not len(self.val_ids):
            return None
        learner = self.learner
        loss = math.nan
        if self.group.leads:
            loss = evaluate(
                learner.optimizer.averaged, self.val_ids, device=learner.device, bf16=learner.bf16
            )
        agreed: float = self.group.agree(loss)
        return agreed

    def _is_to_be_kept(self, val_loss: float | None) -> bool:
        """Whether the model as it is is better than what lies in the run directory."""
        if val_loss is not None and not math.isfinite(val_loss):
            return False
        found = KeptModel(self.learner.steps_done, val_loss)
        return self.kept is None or self.kept.gives_way_to(found)

    def _keep_model(self, val_loss: float | None, train_loss: float) -> None:
        self.kept = KeptModel(self.learner.steps_done, val_loss)
        if not self.group.leads:
            return
        config, options = self.config, self.config.options()
        summary = {
            "val_loss": val_loss,
            "train_loss": train_loss if math.isfinite(train_loss) else None,
            "epochs": self._epoch(),
            "seconds": self._seconds(),
            "characters_per_second": self._speed(),
            "planned_steps": options.pop("steps"),
            "steps": self.learner.steps_done,
        }
        if self.books.lengthened_at:
            summary["lengthened_at"] = ", ".join(map(str, self.books.lengthened_at))
        for name in asdict(config.model):
            options.pop(name, None)
        model = ModelFile(
            config=config.model,
            weights=self.learner.optimizer.weights(),
            vocabulary=self.dataset.vocabulary,
            fingerprint=self.dataset.fingerprint,
            text=self.dataset.text,
            training={**options, **summary},
            command=repeating_command(config, self.dataset, self.places),
        )
        self.store.keep(model)

    def _epoch(self) -> float:
        return self.learner.steps_done / self.lanes.steps_per_epoch

    def _seconds(self) -> float:
        return self.books.seconds + time.monotonic() - self.first_time

    def _speed(self) -> float:
        """Characters learned from per second, evaluations included."""
        steps = self.learner.steps_done - self.first_step
        characters = steps * self.config.batch_size * self.config.seq_length
        return characters / max(time.monotonic() - self.first_time, 1e-9)
