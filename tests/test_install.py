"""What is installed, and an installation that lacks something: what works, and what is said."""

import os
import re
import shlex
import shutil
import tomllib
from pathlib import Path

import pytest

from . import distribution
from .conftest import Run

ROOT = Path(__file__).parents[1]

MISSING = "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n"
LIBRARY = "raise OSError('libtorch_cpu.so: cannot open shared object file')\n"
HALF = "from torch._C import *\n"
NO_TORCH = "charlstm: error: torch, which training needs, is not installed; install it where "
BROKEN = "charlstm: error: torch, which training needs, cannot be imported: "


def shadowed(tmp_path: Path, module: str, source: str) -> dict[str, str]:
    """An environment in which ``import module`` runs ``source``."""
    directory = tmp_path / "shadows" / module
    directory.mkdir(parents=True)
    (directory / "__init__.py").write_text(source)
    path = os.pathsep.join([str(directory.parent), os.environ.get("PYTHONPATH", "")])
    return {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.mark.parametrize(
    ("source", "begins"),
    [
        (MISSING, NO_TORCH),
        (LIBRARY, f"{BROKEN}OSError: libtorch_cpu.so: cannot open shared object file; "),
        (HALF, f"{BROKEN}ModuleNotFoundError: No module named 'torch._C'; install it again: "),
        ("raise RuntimeError('a\\nb')\n", f"{BROKEN}RuntimeError: a b; install it again: "),
        ("x = (", f"{BROKEN}SyntaxError: "),
        ("", f"{BROKEN}ImportError: cannot import name 'Tensor' from 'torch' "),
    ],
    ids=["missing", "no library", "half", "any error", "cut off", "empty"],
)
def test_train_says_what_to_install(
    charlstm: Run, tmp_path: Path, play: Path, source: str, begins: str
) -> None:
    """In one line, whether torch is missing or broken; and no run is begun."""
    env = shadowed(tmp_path, "torch", source)
    done = charlstm("train", play, "-o", tmp_path / "run", "--steps", 1, "-q", env=env)
    said = done.stderr.decode()
    assert (done.returncode, done.stdout) == (1, b"")
    assert said.startswith(begins)
    assert said.count("\n") == 1
    assert " -m pip install " in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("source", [MISSING, LIBRARY], ids=["missing", "broken"])
def test_a_resumed_run_says_what_to_install(
    charlstm: Run, tmp_path: Path, trained: Path, source: str
) -> None:
    """And its state is as it was."""
    run = shutil.copytree(trained, tmp_path / "run")
    before = (run / "state.safetensors").read_bytes()
    env = shadowed(tmp_path, "torch", source)
    done = charlstm("train", "--resume", run, "--steps", 99, "-q", env=env)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"charlstm: error: torch, which training needs, ")
    assert done.stderr.count(b"\n") == 1
    assert (run / "state.safetensors").read_bytes() == before


@pytest.mark.parametrize("source", [MISSING, LIBRARY], ids=["missing", "broken"])
def test_all_but_training_works_without_torch(
    charlstm: Run, tmp_path: Path, trained: Path, play: Path, source: str
) -> None:
    """Nothing else imports it, not even the removal of what runs no longer need."""
    env = shadowed(tmp_path, "torch", source)
    run = shutil.copytree(trained, tmp_path / "runs" / "verse")
    for words in (
        ["generate", "-n", 5, "The tide"],
        ["generate", "-n", 5, "--samples", 3],
        ["score", play],
        ["predict", "The"],
        ["evaluate", play, "--baselines"],
        ["inspect"],
        ["models"],
        ["history"],
        ["vocab", play],
        ["dataset", play, "-o", "verse.data"],
        ["novelty", play, play],
        ["visualize", "The tide"],
        ["models", "--prune", "--yes"],
        ["train", "--help"],
    ):
        done = charlstm(*words, cwd=tmp_path, env=env)
        assert done.returncode == 0, (words, done.stderr)
    assert not (run / "state.safetensors").exists()


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("typer", ["--version"]),
        ("numpy", ["generate"]),
        ("safetensors", ["inspect", "-m", "{model}"]),
        ("filelock", ["models", "--prune"]),
        ("pydivsufsort", ["novelty", "{play}", "{play}"]),
        ("tqdm", ["train", "{play}"]),
    ],
)
def test_another_package_is_missing(
    charlstm: Run, tmp_path: Path, trained: Path, play: Path, module: str, words: list[str]
) -> None:
    """One line says which, and how the program is installed again."""
    missing = f"raise ModuleNotFoundError(\"No module named '{module}'\", name='{module}')\n"
    env = shadowed(tmp_path, module, missing)
    words = [word.format(play=play, model=trained) for word in words]
    done = charlstm(*words, cwd=tmp_path, env=env)
    said = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (1, b"")
    assert len(said) == 1
    assert said[0].startswith(f"charlstm: error: No module named '{module}'; ")
    assert said[0].endswith(" -m pip install --force-reinstall .")


def test_the_readme_installs_all_but_torch() -> None:
    """Its command for an installation without torch names the other packages, and their limits."""
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    wanted = set()
    for text in needed:
        name = re.match(r"[\w-]+", text)
        limit = re.search(r"<[\d.]+", text)
        assert name
        wanted.add(name[0] + (limit[0] if limit else ""))
    command = re.search(
        r"pip install --no-deps \.\n +pip install (.*(?:\\\n.*)*)", (ROOT / "README.md").read_text()
    )
    assert command
    assert {"torch", *shlex.split(command[1])} == wanted


def test_the_wheel_holds_the_program_and_what_comes_with_it(tmp_path: Path) -> None:
    """Built from the checkout and from the source archive it has the same files."""
    pytest.importorskip("hatchling")
    distribution.build(ROOT, tmp_path / "dist", "sdist", "wheel")
    wheel = distribution.contents(distribution.only(tmp_path / "dist", "*.whl"))
    sdist = distribution.only(tmp_path / "dist", "*.tar.gz")
    again = distribution.contents(distribution.wheel_of_sdist(sdist, tmp_path / "source"))
    assert distribution.faults(wheel, again) == []
    data = f"charlstm-{distribution.charlstm.__version__}.data/data/share"
    assert {
        f"{data}/man/man1/charlstm.1",
        f"{data}/man/man1/charlstm-train.1",
        f"{data}/bash-completion/completions/charlstm",
        f"{data}/zsh/site-functions/_charlstm",
        f"{data}/fish/vendor_completions.d/charlstm.fish",
        "charlstm/py.typed",
    } <= set(wheel)
    assert not [name for name in wheel if "__pycache__" in name or name.startswith("tests/")]


def test_a_lost_and_a_changed_file_of_the_wheel_are_found() -> None:
    """The comparison reports both, wherever they are lost."""
    sound = {name: path.read_bytes() for name, path in distribution.expected().items()}
    assert distribution.faults(sound, sound) == []
    lacking = {name: data for name, data in sound.items() if name != "charlstm/py.typed"}
    assert distribution.faults(sound, lacking) == [
        "charlstm/py.typed: not in both wheels, or not the same"
    ]
    assert distribution.faults(lacking, lacking) == [
        "charlstm/py.typed: not in the wheel as it is in the checkout"
    ]


def test_nothing_advises_to_install_charlstm_by_its_name() -> None:
    """No package index has it under this name, so whoever takes the name would be installed."""
    install = re.compile(r"(?:pip3?|uv tool|uv|pipx) install\b[^`;\n]*")
    places = [*(ROOT / "charlstm").rglob("*.py"), *(ROOT / "man").iterdir(), ROOT / "README.md"]
    places += [*(ROOT / "docs").glob("*.md"), ROOT / "CHANGELOG.md"]
    found = [
        (path.name, command)
        for path in places
        for command in install.findall(path.read_text(encoding="utf-8"))
    ]
    assert len(found) > 10
    assert not [command for command in found if "charlstm" in command[1]]
