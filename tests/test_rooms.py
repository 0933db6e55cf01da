"""The three rooms: who may import what, seen from real processes and from the source."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import charlstm as package

ROOT = Path(package.__file__).parent
HEAVY = {"torch", "rich", "tqdm", "pydantic"}
HOMES = {"torch": "training", "typer": "cli", "rich": "cli", "tqdm": "cli"}


def imported(path: Path) -> set[str]:
    """The top-level names of all that a file imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.name))
def test_a_file_imports_only_what_its_room_may(path: Path) -> None:
    """Torch stays in training, typer, rich and tqdm in cli, and nothing else imports cli."""
    room = path.relative_to(ROOT).parts[0]
    for name in imported(path):
        assert HOMES.get(name.split(".")[0], room) == room, f"{path} imports {name}"
        if name.startswith("charlstm.cli"):
            assert room == "cli" or path.name == "__main__.py"
        if name.startswith("charlstm.training"):
            assert room in ("cli", "training")


def modules_after(code: str) -> set[str]:
    """The top-level modules loaded once ``code`` has run in a fresh interpreter."""
    program = (
        f"{code}\nimport sys; print(*{{m.split('.')[0] for m in sys.modules}}, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stderr.split("\n")[-2].split())


def test_generate_loads_neither_torch_nor_rich(trained: Path) -> None:
    """Generation answers before torch would be imported, because it never is."""
    words = ["generate", "-m", str(trained), "-n", "5", "--random-seed", "1"]
    loaded = modules_after(f"from charlstm.cli import main; main({words})")
    assert "numpy" in loaded
    assert not ({"pydivsufsort"} | HEAVY) & loaded


def test_novelty_loads_neither_torch_nor_rich(play: Path) -> None:
    """A comparison of texts has no use for them; it needs the library that sorts suffixes."""
    loaded = modules_after(f"from charlstm.cli import main; main(['novelty', *{[str(play)] * 2}])")
    assert {"numpy", "pydivsufsort"} <= loaded
    assert not HEAVY & loaded


@pytest.mark.parametrize(
    "command", ["train", "generate", "vocab", "dataset", "inspect", "models", "novelty"]
)
def test_help_loads_neither_numpy_nor_torch(command: str) -> None:
    """A command's help waits for nothing."""
    loaded = modules_after(f"from charlstm.cli import main; main([{command!r}, '--help'])")
    assert not ({"numpy", "pydivsufsort"} | HEAVY) & loaded


def test_the_package_itself_imports_nothing() -> None:
    """``import charlstm`` costs nothing."""
    assert not ({"numpy"} | HEAVY) & modules_after("import charlstm")
