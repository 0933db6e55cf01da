"""Make the models that come with the program: check the texts, train, write float16 files.

    python bundling/make_models.py TEXTS WORK

TEXTS is a directory with the files of ``texts.toml``, in ``english/`` and ``shakespeare/``. WORK
gets copies of them, and the two runs. A run that was stopped is continued, and one that is complete
is not repeated, so the command can be stopped and given again.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import charlstm
from charlstm.files import MODEL_FILE, STATE_FILE
from charlstm.model.locate import BASE_MODEL, BUNDLED, DEFAULT_MODEL
from charlstm.model.model_file import ModelFile, load_model, save_model
from charlstm.training.checkpoint import load_checkpoint

TEXTS = Path(__file__).with_name("texts.toml")
# The options of the two runs. english leaves so much for validation that shakespeare's validation
# part is inside of it: neither has learned from it.
RUNS = {
    BASE_MODEL: "--init-from none --time 60m --val-fraction 0.03 --evaluations 6 "
    "--num-layers 2 --hidden-size 384 --embedding-size 64",
    DEFAULT_MODEL: f"--init-from {BASE_MODEL} --time 7m --evaluations 4",
}


def main() -> None:
    """Make both models, ``english`` first, since ``shakespeare`` begins from it."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    texts, work = (Path(name).absolute() for name in sys.argv[1:])
    read = copy_texts(tomllib.loads(TEXTS.read_text()), texts, work)
    for name, options in RUNS.items():
        run = work / "runs" / name
        train(name, options.split(), work)
        model = in_float16(load_model(run / MODEL_FILE), read[name])
        save_model(model, BUNDLED / f"{name}.safetensors")
        loss = charlstm.load(BUNDLED / f"{name}.safetensors").evaluate(work / name).loss
        training = {**model.training, "val_loss": loss}
        save_model(replace(model, training=training), BUNDLED / f"{name}.safetensors")
        print(f"{name}: {loss:.4f} nats")


def copy_texts(listed: dict[str, Any], texts: Path, work: Path) -> dict[str, str]:
    """Copy the texts of both models to directories of their names; what each has read, in words.

    A text with another hash than the listed one ends the program.
    """
    for name in RUNS:
        shutil.rmtree(work / name, ignore_errors=True)  # what else is there would be read too
    plays = listed["shakespeare"]
    for name, sha256 in plays["sha256"].items():
        for directory in (f"{BASE_MODEL}/shakespeare", DEFAULT_MODEL):
            copy(texts / "shakespeare" / f"{name}.txt", work / directory, sha256)
    for text in listed["texts"]:
        copy(texts / text["file"], work / BASE_MODEL / "english", text["sha256"])
    titles = [f"{text['title']} ({text['author']})" for text in listed["texts"]]
    poet = f"{len(plays['sha256'])} plays and poems ({plays['author']})"
    return {BASE_MODEL: "; ".join([*titles, poet]), DEFAULT_MODEL: poet}


def copy(file: Path, directory: Path, sha256: str) -> None:
    """Copy a file if it has this hash."""
    if hashlib.sha256(file.read_bytes()).hexdigest() != sha256:
        sys.exit(f"{file}: not the file of {TEXTS.name}")
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, directory)


def train(name: str, options: list[str], work: Path) -> None:
    """Do the run ``name`` in ``work``, or the rest of it."""
    program = [sys.executable, "-m", "charlstm", "train"]
    run = Path("runs") / name
    env = {k: v for k, v in os.environ.items() if not k.startswith("CHARLSTM_")}
    env |= {"PYTHONPATH": str(TEXTS.parents[1]), "XDG_CONFIG_HOME": os.devnull}
    if not (work / run).exists():
        subprocess.run([*program, name, "-o", run, *options], cwd=work, env=env, check=True)
    elif not load_checkpoint(work / run / STATE_FILE, tensors=False).finished:
        subprocess.run([*program, "--resume", run], cwd=work, env=env, check=True)


def in_float16(model: ModelFile, texts: str) -> ModelFile:
    """The model with weights of half the size, and what it has read on its card."""
    weights: Any = {name: weight.astype(np.float16) for name, weight in model.weights.items()}
    training = {**model.training, "texts": texts, "licence": "public domain"}
    return replace(model, weights=weights, training=training)


if __name__ == "__main__":
    main()
