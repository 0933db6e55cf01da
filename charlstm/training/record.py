"""What a run writes down of its own settings: ``config.toml`` and the command that repeats it."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from charlstm.files import regular_size, write_atomically
from charlstm.text.dataset import Dataset
from charlstm.training.config import TrainConfig
from charlstm.untrusted import MOST_BYTES, check_parts

TABLE = "[train]"


def all_options(config: TrainConfig, dataset: Dataset) -> dict[str, Any]:
    """Every resolved option of ``charlstm train``, under its name with underscores."""
    return {**config.options(), **asdict(dataset.text)}


def write_config(path: Path, config: TrainConfig, dataset: Dataset, places: Sequence[str]) -> None:
    """Write the resolved options as the table of TOML that ``charlstm train --config`` reads.

    Places are made absolute, since a run may be resumed from elsewhere. JSON's strings, numbers
    and booleans are TOML's but for one: DEL must be escaped.
    """
    values = {"corpus": absolute(places), **all_options(config, dataset)}
    lines = [
        f"{key} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")
        for key, value in values.items()
    ]
    write_atomically(path, "\n".join([TABLE, *lines, ""]).encode())


def read_config(path: Path) -> dict[str, Any]:
    """What ``write_config`` wrote, read without a reader of TOML, since it may be a stranger's.

    Raises ValueError or RecursionError for what it cannot have written, and OSError.
    """
    if regular_size(path, follow=False) > MOST_BYTES:
        raise ValueError(f"longer than {MOST_BYTES:,} bytes")
    text = path.read_bytes().decode()
    check_parts(text.encode())
    values = {}
    if not text.startswith(f"{TABLE}\n"):
        raise ValueError(f"no table {TABLE}")
    for line in text.removeprefix(f"{TABLE}\n").removesuffix("\n").split("\n"):
        key, _, value = line.partition(" = ")
        if key in values:
            raise ValueError(f"{key} stands there twice")
        values[key] = json.loads(value)
    return values


def absolute(places: Sequence[str]) -> list[str]:
    """The places as seen from anywhere; ``-`` stays standard input."""
    return [place if place == "-" else str(Path(place).absolute()) for place in places]


def repeating_command(config: TrainConfig, dataset: Dataset, places: Sequence[str]) -> str:
    """A command line that makes the same model again on the same machine, ready for a shell."""
    # A name that begins with a hyphen would be read as an option.
    names = [f"./{p}" if p.startswith("-") and p != "-" else p for p in places]
    words = ["charlstm", "train", *names]
    for key, value in all_options(config, dataset).items():
        option = "--" + key.replace("_", "-")
        if key == "residual":
            words.append(option if value else "--no-residual")
        elif isinstance(value, bool):
            words += [option] * value
        else:
            words += [option, str(value)]
    return shlex.join(words)
