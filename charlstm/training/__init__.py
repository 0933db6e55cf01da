"""Training: from a corpus to a trained model, with torch.

    from charlstm.training import train

    for event in train("play.txt", time="3m"):
        print(event)

Modules, in reading order, each after those that it imports at its top: ``pace`` (which share of the
run each step is), ``config`` (settings asked for, configuration made), ``distributed``, ``batches``
(the order in which the text is read), ``threads`` (one, or all of them), ``kernels``, ``device``,
``dropout``, ``network``, ``losses`` (what a run remembers, and whether it diverged), ``optimizer``,
``validation``, ``trainer`` (a step), ``speed`` (of this machine), ``timekeeper`` (how a run keeps
to its time), ``length`` (how long a run is), ``finetune``, ``recipe`` (sizes, rates, dropout),
``events``, ``samples``, ``checkpoint``, ``lock``, ``output`` (a new directory),
``tensorboard_file``, ``run_directory`` (its files), ``loop``, ``base`` (what a run begins from),
``torch_import`` (whether torch is there), ``start`` (a new run), ``continuation`` (how a stopped
run goes on), ``resume`` and ``prune``.

The events of a run are in ``events``. Only this room imports torch and tensorboard. Nothing is
imported before one of the names below is asked for.
"""

from typing import TYPE_CHECKING

from charlstm import lazily

if TYPE_CHECKING:
    from charlstm.training.config import Settings
    from charlstm.training.distributed import launched
    from charlstm.training.lock import is_at_work
    from charlstm.training.prune import PrunableRun, prunable_runs, remove_files
    from charlstm.training.resume import resume_run
    from charlstm.training.start import train

__all__ = ["PrunableRun", "Settings", "launched", "prunable_runs", "remove_files", "resume_run"]
__all__ += ["is_at_work", "train"]
_HOMES = {
    "PrunableRun": "prune",
    "Settings": "config",
    "is_at_work": "lock",
    "launched": "distributed",
    "prunable_runs": "prune",
    "remove_files": "prune",
    "resume_run": "resume",
    "train": "start",
}
__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
