"""The loop of a run: steps, log points, evaluations, the best model kept, the state saved."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from charlstm.errors import TrainingError
from charlstm.training import events
from charlstm.training.checkpoint import Checkpoint
from charlstm.training.config import BUDGETS, REPORT_OPTIONS
from charlstm.training.device import environment, memory_for
from charlstm.training.events import Event, ShouldStop
from charlstm.training.losses import KeptModel, RunHistory, StepLosses, loss_levels
from charlstm.training.pace import Pace
from charlstm.training.run_directory import RunDirectory
from charlstm.training.samples import sample_of
from charlstm.training.speed import Speed
from charlstm.training.tensorboard_file import TensorBoardFile
from charlstm.training.timekeeper import Timekeeper
from charlstm.training.trainer import Trainer

LOG_POINTS = 200  # lines of metrics in a run
AGREE_EVERY = 20  # steps between two messages in a group, on whether to stop
MODEL_SHARE = 0.25  # of the time that a state takes, to write a model, which is part of it
ROLLBACKS = 8  # more show that the fault is not the learning rate


class Run:
    """A trainer at work in a run directory. In a group, the leader alone writes files."""

    def __init__(self, trainer: Trainer, directory: RunDirectory, began: float) -> None:
        """``began`` is when the run began, by the monotonic clock, if it was never stopped."""
        self.trainer, self.directory = trainer, directory
        self.config, self.group = trainer.config, trainer.group
        self.environment = environment(self.config, trainer.kernels, self.group.size)
        self.history = RunHistory()
        config = self.config
        self.pace = Pace.parse(config.pace) if config.pace else Pace.constant(config.steps)
        self.timekeeper: Timekeeper | None = None
        self.speed: Speed | None = None  # as it was measured before a run with a time
        self.levels = loss_levels(trainer.batches, self.config.network.vocab_size)
        self.kept: KeptModel | None = None
        self.began = began
        self.first_step, self.first_time = 0, time.monotonic()
        if config.tensorboard and self.group.leads:
            directory.tensorboard = TensorBoardFile(directory.path, time.time() - self._seconds())

    def save(self, *, new: bool) -> None:
        """Write the state and ``config.toml``; of a new run both or neither. Raises OSError."""
        checkpoint = self.checkpoint()
        if self.group.leads:
            self.directory.write_with_config(checkpoint, new=new)

    def train(
        self,
        reason: str,
        should_stop: ShouldStop,
        notes: Sequence[str] = (),
        *,
        base_chosen: bool = False,
    ) -> Iterator[Event]:
        """Train to the last step, or until ``should_stop``; keep the best model.

        Files that cannot be written are reported and tried again with the next state. Only at the
        end of the run this is an error.
        """
        data, done = self.trainer.data, self.trainer.steps_done
        self.first_step, self.first_time = done, time.monotonic()
        if self.config.time is not None and self.speed is not None:
            saving = self.directory.save_seconds
            self.timekeeper = Timekeeper(
                self.config,
                step=self.speed.step,
                evaluation=self.speed.evaluation + MODEL_SHARE * saving,
                saving=saving,
                done=done,
                now=self._seconds(),
                threads=self._threads(),
            )
        yield events.Started(
            directory=self.directory.path,
            config=self.config,
            reason=reason,
            train_characters=len(data.train_ids),
            val_characters=len(data.val_ids),
            step=done,
            steps=self.pace.last,
            notes=tuple(notes),
            base_chosen=base_chosen,
        )
        with memory_for(self.config):
            yield from self._steps(should_stop)

    def _steps(self, should_stop: ShouldStop) -> Iterator[Event]:
        trainer, config = self.trainer, self.config
        stopped = False
        while not (stopped or self.finished):
            step = trainer.steps_done
            trainer.threads = self._threads()
            trainer.step(self.pace.during(step))
            done, threads = step + 1, self._threads()
            self._keep_time()
            if self._threads() != threads:
                trial = self.timekeeper is not None and self.timekeeper.trying_threads
                yield events.ThreadsChanged(step=done, threads=self._threads(), trial=trial)
            evaluating = self._evaluates(step)
            logging = evaluating or self.pace.passes(step, LOG_POINTS)
            if logging:
                yield from self._log(evaluating)
            else:
                yield events.Step(step=done, steps=self.pace.last, epoch=self._epoch())
            if logging or self.group.size == 1 or done % AGREE_EVERY == 0:
                stopped = self.group.any(should_stop())
                if not stopped and self.group.agree(self.directory.due(config.save_every)):
                    yield from self._write(self.checkpoint())
        if self.kept is None:  # stopped before the first evaluation: the model as it is, is kept
            self._add_losses()
            model = KeptModel(trainer.steps_done, self._validate())
            self._keep(model, self.history.mean_loss())
        if self.finished and self.group.leads:
            self.directory.complete(self.config, self.pace)
        yield from self._write(self.checkpoint())
        if self.directory.fault:
            saved = self.directory.saved_step == trainer.steps_done
            raise TrainingError(
                self.directory.fault,
                "event file" if saved else "not saved",
                step=self.directory.saved_step,
                directory=self.directory.path,
            )
        self.group.agree(None)  # waits for the leader, whose files are written then
        yield self._finished(stopped=stopped)

    @property
    def finished(self) -> bool:
        """Whether the last step is done, or the run ends early, since validation got no better."""
        impatient = self.history.out_of_patience(self.config.patience)
        done = self.trainer.steps_done
        return impatient or done >= self.pace.at(done).last

    def load(self, checkpoint: Checkpoint) -> None:
        """Take up a saved state; what was written to the metrics after it is removed."""
        self.trainer.load_state(checkpoint.tensors, checkpoint.progress)
        self.history, self.pace = checkpoint.history, checkpoint.pace
        if self.group.leads:
            self.kept = self.directory.kept_model(self.config)
            self.directory.cut_metrics(checkpoint)
        self.kept = self.group.agree(self.kept)

    def checkpoint(self) -> Checkpoint:
        """All that the run needs to go on; in a group all processes must call this at once."""
        directory = self.directory
        return Checkpoint(
            config=self.config,
            progress=self.trainer.optimizer.progress(),
            history=replace(self.history, seconds=self._seconds()),
            pace=self.pace,
            fingerprint=directory.dataset.fingerprint,
            text=directory.dataset.text,
            sources=directory.sources,
            sources_given=directory.sources_given,
            environment=self.environment,
            tensors=self.trainer.state(),
        )

    def _keep_time(self) -> None:
        """Now and then, change the pace so that the run ends in its time.

        In a group the leader's clock counts, and it is asked in steps that all processes know.
        """
        keeper, done, now = self.timekeeper, self.trainer.steps_done, self._seconds()
        if keeper is None or done >= self.pace.last:
            return
        due = keeper.due(now) if self.group.size == 1 else done % AGREE_EVERY == 0
        if due or done == self.pace.last - 1:
            self.pace = self.group.agree(keeper.new_pace(self.pace, done, now))

    def _evaluates(self, step: int) -> bool:
        """Whether an evaluation comes after ``step``, from 0."""
        every = self.config.eval_every
        if every is not None:
            return (step + 1) % every == 0 or step + 1 >= self.pace.at(step + 1).last
        return self.pace.evaluates(step, self.config.evaluations, self.history.evaluated)

    def _write(self, checkpoint: Checkpoint | None = None) -> Iterator[Event]:
        """Write what waits to be written, and the checkpoint; report where that fails.

        Between two checkpoints a fault is reported once.
        """
        if not self.group.leads:
            return
        before = self.directory.fault
        fault = self.directory.try_to_write(checkpoint)
        if checkpoint is not None and self.timekeeper is not None:
            self.timekeeper.add_saving(self.directory.save_seconds)
        if fault and (fault != before or checkpoint is not None):
            yield events.SaveFailed(step=self.trainer.steps_done, fault=fault)
        elif before and not fault:
            yield events.SavedAgain(step=self.trainer.steps_done)

    def _add_losses(self) -> tuple[StepLosses, bool]:
        """The losses since the last log point, and whether the run diverged in these steps."""
        losses = self.trainer.take_losses()
        return losses, self.history.add_steps(losses, self.levels)

    def _log(self, evaluating: bool) -> Iterator[Event]:
        """A log point: recover from what went wrong, evaluate if it is time, write a line."""
        losses, diverged = self._add_losses()
        rate = self.trainer.optimizer.rate(self.pace.during(self.trainer.steps_done - 1))
        if losses.skipped or diverged:
            yield self._recover(losses.skipped, roll_back=diverged)
        if not evaluating:
            self._append_line(loss=losses.mean, rate=rate)
            yield from self._write()
            done, last = self.trainer.steps_done, self.pace.last
            yield events.Step(step=done, steps=last, epoch=self._epoch(), loss=losses.mean)
            return
        began = self._seconds()
        val_loss = self._validate()
        if val_loss is not None and not math.isfinite(val_loss):
            self.history.rollbacks += 1
            yield self._recover(0, roll_back=True)
        best = self.history.add_evaluation(val_loss, self.trainer.steps_done)
        if best and not diverged and not self.history.collapsed(losses.mean, self.levels):
            self.trainer.optimizer.snapshot()
        model = KeptModel(self.trainer.steps_done, val_loss)
        kept = model.better_than(self.kept)
        if kept:
            self._keep(model, self.history.train_loss)
        sample = self._sample()
        self._append_line(loss=losses.mean, rate=rate, val_loss=val_loss, sample=sample)
        yield from self._write()
        if self.timekeeper is not None:
            self.timekeeper.add_evaluation(self._seconds() - began)
        yield events.Evaluation(
            step=self.trainer.steps_done,
            steps=self.pace.last,
            epoch=self._epoch(),
            loss=self.history.train_loss,
            val_loss=val_loss,
            best=best,
            kept=kept,
            seconds=self._seconds(),
            sample=sample,
        )

    def _sample(self) -> str | None:
        """What the averaged weights write, if that is wanted; in a group the leader alone asks."""
        if not (self.config.sample and self.group.leads):
            return None
        weights = self.trainer.optimizer.weights()
        return sample_of(weights, self.directory.dataset, self.config, self.trainer.steps_done)

    def _validate(self) -> float | None:
        """The loss of the averaged weights on the validation text, None where there is none."""
        ids = self.trainer.data.val_ids
        if not len(ids):
            return None
        loss = self.trainer.validation_loss(ids) if self.group.leads else math.nan
        agreed: float = self.group.agree(loss)
        return agreed

    def _recover(self, skipped: int, *, roll_back: bool) -> events.Recovered:
        """Report skipped steps; where skipping is not enough, roll back, but not for ever."""
        if roll_back:
            if self.history.rollbacks > ROLLBACKS:
                raise TrainingError(
                    f"{self.directory.path}: the loss is not finite or far too high at step "
                    f"{self.trainer.steps_done}, although the rate was halved {ROLLBACKS} times",
                    "diverged",
                    rate=self.config.learning_rate,
                )
            self.trainer.roll_back()
        return events.Recovered(
            step=self.trainer.steps_done,
            skipped=skipped,
            rolled_back=roll_back,
            learning_rate=self.config.learning_rate * self.trainer.optimizer.rate_scale,
        )

    def _append_line(
        self, *, loss: float, rate: float, val_loss: float | None = None, sample: str | None = None
    ) -> None:
        """Append one object to the metrics; a run without validation has no val_loss."""
        if not self.group.leads:
            return
        line: dict[str, float | str | None] = {
            "step": self.trainer.steps_done,
            "epoch": round(self._epoch(), 4),
            "loss": _finite(loss),
            "learning_rate": rate,
            "characters_per_second": round(self._speed()),
            "seconds": round(self._seconds(), 3),
        }
        if val_loss is not None:
            line["val_loss"] = _finite(val_loss)
        if sample is not None:
            line["sample"] = sample
        self.directory.append(line)

    def _keep(self, model: KeptModel, train_loss: float) -> None:
        """Let the averaged weights be the model of the run, with the next write."""
        self.kept = model
        if not self.group.leads:
            return
        left_out = {*REPORT_OPTIONS, *BUDGETS}
        options = {n: value for n, value in self.config.options().items() if n not in left_out}
        summary = {
            "steps": model.step,
            "val_loss": model.val_loss,
            "train_loss": _finite(train_loss),
            "epochs": self._epoch(),
            "seconds": self._seconds(),
            "characters_per_second": self._speed(),
            "kernels": str(self.trainer.kernels),
        }
        for name in ("time", "init_sha256", "validation_read"):
            if getattr(self.config, name) is not None:
                summary[name] = getattr(self.config, name)
        weights = self.trainer.optimizer.weights()
        self.directory.keep(self.config, weights, {**options, **summary}, self.pace)

    def _finished(self, *, stopped: bool) -> events.Finished:
        assert self.kept is not None
        keeper, seconds = self.timekeeper, self._seconds()
        return events.Finished(
            directory=self.directory.path,
            model=self.directory.model,
            step=self.trainer.steps_done,
            steps=self.pace.last,
            stopped=stopped and not self.finished,
            out_of_patience=self.history.out_of_patience(self.config.patience),
            best_step=self.kept.step,
            val_loss=self.kept.val_loss,
            overfitting=self.history.overfitting,
            characters_per_second=self._speed(),
            seconds=seconds,
            late=keeper.lateness(self.trainer.steps_done, seconds)
            if keeper and self.finished
            else None,
        )

    def _threads(self) -> int:
        """The threads that the next step is computed with."""
        return self.pace.at(self.trainer.steps_done).threads or self.config.threads

    def _epoch(self) -> float:
        """How often as many characters were read as the text has."""
        read = self.trainer.steps_done * self.config.characters_per_step
        return read / len(self.trainer.data.train_ids)

    def _seconds(self) -> float:
        return time.monotonic() - self.began

    def _speed(self) -> float:
        """Characters learned from per second, evaluations included."""
        steps = self.trainer.steps_done - self.first_step
        characters = steps * self.config.characters_per_step
        return characters / max(time.monotonic() - self.first_time, 1e-9)


def _finite(loss: float) -> float | None:
    """The loss, or None for one that JSON has no number for."""
    return loss if math.isfinite(loss) else None
