"""Try the lowest torch and numpy that ``pyproject.toml`` allows, and the newest: some minutes.

    python -m tests.torch_versions --in DIRECTORY

Each pair gets an environment of its own, where the doctests and the tests of training are run. With
``--in`` the environments are kept there for the next time. pip may fetch gigabytes, since on Linux
most versions of torch come with the libraries for a GPU.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIBRARIES = ("torch", "numpy")
TESTS = ("kernels", "training", "train_function", "resume", "finetune", "collapse", "lstm")
PROGRAMS = ("pytest", "hypothesis", "pexpect")


def lowest() -> list[str]:
    """The lowest versions that are allowed, as pip is asked for them."""
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    found = [re.fullmatch(rf"({'|'.join(LIBRARIES)})>=([\d.]+)", text) for text in needed]
    return [f"{match[1]}=={match[2]}" for match in found if match]


def tried(environment: Path, libraries: list[str]) -> bool:
    """Whether all tests pass in this environment, made or brought up to date, with these."""
    python = environment / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--upgrade"]
    subprocess.run([*pip, *libraries, *PROGRAMS, "--editable", f"{ROOT}[tensorboard]"], check=True)
    print(f"{environment.name}:", flush=True)
    show = "import torch, numpy; print('torch', torch.__version__, 'numpy', numpy.__version__)"
    subprocess.run([python, "-c", show], check=True)
    tests = [f"tests/test_{name}.py" for name in TESTS]
    options = ["-q", "-p", "no:cacheprovider"]
    done = subprocess.run([python, "-m", "pytest", *options, *tests, "charlstm"], cwd=ROOT)
    return done.returncode == 0


def main() -> None:
    """Try both pairs; SystemExit if a test fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--in", dest="place", type=Path, help="where the environments are kept")
    place = parser.parse_args().place
    with tempfile.TemporaryDirectory() as name:
        environments = place or Path(name)
        pairs = {"lowest": lowest(), "newest": list(LIBRARIES)}
        failed = [n for n, pair in pairs.items() if not tried(environments / n, pair)]
    if failed:
        raise SystemExit(f"a test fails with the {' and the '.join(failed)} torch and numpy")


if __name__ == "__main__":
    main()
