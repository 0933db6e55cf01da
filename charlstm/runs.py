"""Where runs are kept: the names in a run directory, and which model is meant."""

from pathlib import Path

from charlstm.errors import ModelFileError, OptionError

RUNS = Path("runs")
MODEL_FILE = "model.safetensors"
STATE_FILE = "state.pt"
METRICS_FILE = "metrics.jsonl"
CONFIG_FILE = "config.toml"


def find_model(place: str | None) -> Path:
    """The model file that is meant by a file, a run directory, or nothing: the newest run's.

    Raises ModelFileError where there is none.
    """
    if place is not None:
        if not place:
            raise OptionError("the model has an empty name; is a variable of the shell unset?")
        path = Path(place)
        if not path.is_dir():
            return path
        if (path / MODEL_FILE).is_file():
            return path / MODEL_FILE
        raise ModelFileError(f"{place}: no {MODEL_FILE} in this directory; name a run or a file")
    found = [(path.stat().st_mtime_ns, path) for path in RUNS.glob(f"*/{MODEL_FILE}")]
    if not found:
        raise ModelFileError(
            f"no model under {RUNS}/; make one with charlstm train CORPUS, or name one with -m"
        )
    return max(found)[1]
