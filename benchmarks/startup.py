"""How soon text comes: whole processes of ``charlstm generate`` beside bare imports.

    python benchmarks/startup.py

Makes a model of 2 x 256 with drawn weights, since speed does not depend on what was learned. The
bundled model, whose weights are float16, is also run from a copy with float32 weights.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from tables import CHARLSTM, median, process_seconds, table

from charlstm.model.config import ModelConfig
from charlstm.model.locate import BUNDLED
from charlstm.model.model_file import ModelFile, load_model, save_model
from charlstm.text.corpus import Fingerprint
from charlstm.text.decoding import TextOptions
from charlstm.text.vocabulary import Vocabulary

# The shortest program in torch that reads the same file and writes one character.
TORCH = """
import sys, torch
from safetensors.torch import load_file
w = load_file(sys.argv[1])
layers, x = (len(w) - 3) // 4, w["embedding.weight"][:1, None]
with torch.no_grad():
    for n in range(layers):
        parts = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        names = [f"layers.{n}.{part}_l0" for part in parts]
        layer = torch.nn.LSTM(w[names[0]].shape[1], w[names[1]].shape[1])
        layer.load_state_dict({name.split(".")[2]: w[name] for name in names})
        x = layer(x)[0]
    logits = x[0, 0] @ w["output.weight"].T + w["output.bias"]
    print(int(torch.multinomial(torch.softmax(logits, -1), 1)))
"""


def drawn_model(hidden_size: int, num_layers: int, vocab_size: int = 65) -> ModelFile:
    config = ModelConfig(
        vocab_size=vocab_size, embedding_size=64, hidden_size=hidden_size, num_layers=num_layers
    )
    rng = np.random.default_rng(0)
    weights = {
        name: rng.normal(scale=0.1, size=shape).astype(np.float32)
        for name, shape in config.parameter_shapes().items()
    }
    return ModelFile(
        config=config,
        weights=weights,
        vocabulary=Vocabulary("\n" + "".join(map(chr, range(32, 31 + vocab_size)))),
        fingerprint=Fingerprint(name="drawn", sha256="0" * 64, characters=1),
        text=TextOptions(),
        training={},
        command="",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=11)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "model.safetensors")
        save_model(drawn_model(256, 2), path)
        copy = Path(directory, "float32.safetensors")
        save_model(load_model(BUNDLED / "shakespeare.safetensors"), copy)
        generate = [CHARLSTM, "generate", "-m", str(path), "--random-seed", "1"]
        bundled = [CHARLSTM, "generate", "-n", "1", "--random-seed", "1", "To be", "-m"]
        commands = {
            "charlstm generate -n 1 (2 x 256)": [*generate, "-n", "1"],
            "charlstm generate -n 1000 (2 x 256)": [*generate, "-n", "1000"],
            "charlstm generate -n 1 (shakespeare)": [*bundled, "shakespeare"],
            "charlstm generate -n 1 (shakespeare in float32)": [*bundled, str(copy)],
            "charlstm --help": [CHARLSTM, "--help"],
            "a torch program, one character of the same model": [
                sys.executable,
                "-c",
                TORCH,
                str(path),
            ],
            'python -c "import torch"': [sys.executable, "-c", "import torch"],
            'python -c "import numpy"': [sys.executable, "-c", "import numpy"],
            'python -c "pass"': [sys.executable, "-c", "pass"],
        }
        times = {name: process_seconds(command, repeats) for name, command in commands.items()}
    first = median(times["charlstm generate -n 1 (2 x 256)"])
    print(
        table(
            ("whole process", "median ms", "fastest ms", "times the first line"),
            [
                (name, f"{1e3 * median(t):.0f}", f"{1e3 * min(t):.0f}", f"{median(t) / first:.2f}")
                for name, t in times.items()
            ],
        )
    )


if __name__ == "__main__":
    main()
