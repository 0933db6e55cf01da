"""The rooms of the program: who may import what, seen in the source and in real processes."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from itertools import chain
from pathlib import Path

import pytest

import charlstm as package
from charlstm.cli.commands import NAMES
from charlstm.cli.main import command as command_tree

ROOT = Path(package.__file__).parent
HEAVY = {"torch", "rich", "tqdm", "pydantic", "plotext", "matplotlib", "pooch", "requests"}
HEAVY |= {"onnx", "tensorboard", "charset_normalizer"}
HOMES = {"torch": "training", "typer": "cli", "rich": "cli", "tqdm": "cli"}
HOMES |= {"plotext": "cli", "matplotlib": "cli", "pooch": "text", "requests": "text"}
HOMES |= {"charset_normalizer": "text"}
HOMES |= {"onnx": "model", "tensorboard": "training", "threadpoolctl": "parallel"}
# Each room may import from those before it. The first six are single modules that need no room.
ORDER = [
    "errors",
    "checks",
    "options",
    "files",
    "untrusted",
    "parallel",
    "text",
    "model",
    "bundled",
    "generation",
    "analysis",
    "language_model",
    "pages",
    "training",
    "cli",
    "__main__",
]
ROOMS = [name for name in ORDER if (ROOT / name).is_dir()]
# What the command line may use of the library, beside the names that the package exports.
OFFERED = ("errors", "checks", "options", "files", "text", "analysis", "pages", "training", "cli")


def module_of(path: Path, root: Path = ROOT) -> str:
    """The name of the module in a file: ``charlstm.text.corpus``."""
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(source: str, known: set[str]) -> Iterator[str]:
    """What a module imports, inside functions too; a name of a package counts as its module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else str(node.module)


def faults(modules: dict[str, str]) -> Iterator[str]:
    """What is wrong with the imports of ``modules``, source by name."""
    graph: dict[str, set[str]] = {}
    for name, source in modules.items():
        rooms = name.split(".")[1:]
        graph[name] = set()
        for found in imported(source, set(modules)):
            top, *inner = found.split(".")
            if rooms and HOMES.get(top, rooms[0]) != rooms[0]:
                yield f"{name} imports {top}, which belongs to {HOMES[top]}"
            if top != "charlstm" or found == name:
                continue
            graph[name].add(found)
            if not rooms or not inner:
                continue  # the package's own names are imported when they are asked for
            here, there = rooms[0], inner[0]
            if here != there and ORDER.index(there) > ORDER.index(here):
                yield f"{name} imports {found}, which stands above it"
            if here == "cli" and there not in OFFERED:
                yield f"{name} imports {found}, which is not offered to the command line"
            if there == "training" and here not in ("training", "cli"):
                yield f"{name} imports {found}, which only cli may"
        if name.removeprefix("charlstm.") in ROOMS and name != "charlstm.training" and graph[name]:
            yield f"{name} imports something, though it is to hold a docstring alone"
    try:
        TopologicalSorter(graph).prepare()
    except ValueError as error:
        yield f"circle: {error.args[1]}"


def own_modules() -> dict[str, str]:
    """The source of every module of the program, by name."""
    return {module_of(path): path.read_text() for path in ROOT.rglob("*.py")}


def test_every_import_is_declared() -> None:
    """What a module imports comes with Python, or is a dependency in pyproject.toml."""
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["project"]
    named = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    declared = {re.split(r"[^\w-]", text)[0].replace("-", "_") for text in named}
    for module, source in own_modules().items():
        for found in imported(source, set()):
            top = found.split(".")[0]
            known = top in declared or top in sys.stdlib_module_names or top == "charlstm"
            assert known, f"{module} imports {top}, which no dependency gives"


def test_every_import_runs_one_way() -> None:
    """Rooms import from the rooms below them, and torch, typer, rich and tqdm have a room each."""
    assert list(faults(own_modules())) == []


@pytest.mark.parametrize(
    ("module", "line", "fault"),
    [
        ("charlstm.text.corpus", "import charlstm.model.lstm", "stands above"),
        ("charlstm.generation.batch", "from charlstm import analysis", "stands above"),
        ("charlstm.analysis.score", "import charlstm.training.config", "only cli"),
        ("charlstm.model.lstm", "from charlstm.cli import console", "stands above"),
        ("charlstm.model.config", "import charlstm.model.lstm", "circle"),
        ("charlstm.generation.sampling", "import torch", "belongs to training"),
        ("charlstm.language_model", "from torch import nn", "belongs to training"),
        ("charlstm.training.trainer", "import tqdm", "belongs to cli"),
        ("charlstm.text.dataset", "from rich.table import Table", "belongs to cli"),
        ("charlstm.options", "import typer", "belongs to cli"),
        ("charlstm.analysis.curves", "import plotext", "belongs to cli"),
        ("charlstm.cli.downloads", "import pooch", "belongs to text"),
        ("charlstm.analysis.curves", "from matplotlib.figure import Figure", "belongs to cli"),
        ("charlstm.language_model", "import onnx", "belongs to model"),
        ("charlstm.analysis.cells", "import threadpoolctl", "belongs to parallel"),
        ("charlstm.cli.train", "from tensorboard.compat import proto", "belongs to training"),
        ("charlstm.cli.generate", "from charlstm.generation import batch", "not offered"),
        ("charlstm.model", "import charlstm.errors", "docstring alone"),
    ],
)
def test_the_rules_can_be_broken(module: str, line: str, fault: str) -> None:
    """Each rule finds an import that breaks it, at the top of a module or inside a function."""
    modules = own_modules()
    for added in (line, f"def function() -> None:\n    {line}"):
        broken = {**modules, module: f"{modules[module]}\n\n{added}\n"}
        assert any(fault in found for found in faults(broken))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_lists_its_modules(room: str) -> None:
    """The docstring of a room names each of its modules."""
    docstring = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text())) or ""
    for path in (ROOT / room).glob("*.py"):
        assert path.stem == "__init__" or f"``{path.stem}``" in docstring


def test_no_module_has_the_name_of_an_exported_function() -> None:
    """``charlstm.load`` is a function, whatever was imported before."""
    import charlstm.training as training

    for home in (package, training):
        submodules = {path.stem for path in Path(str(home.__file__)).parent.iterdir()}
        assert not submodules & set(home.__all__)


LONGEST_FUNCTION, MOST_PARAMETERS = 60, 7


def is_command(function: ast.FunctionDef) -> bool:
    """Whether the signature of a function is a table of options."""
    return any(
        isinstance(call, ast.Call) and getattr(call.func, "id", "") == "with_options"
        for call in function.decorator_list
    )


def test_training_is_read_in_the_order_of_its_imports() -> None:
    """Its docstring lists each module once, after those that it imports at its top."""
    room = ROOT / "training"
    text = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8"))) or ""
    listed = re.findall(r"``(\w+)``", text.partition("Modules")[2].partition("\n\n")[0])
    assert sorted(listed) == sorted(p.stem for p in room.glob("*.py") if p.stem != "__init__")
    modules = [f"charlstm.training.{name}" for name in listed]
    for number, name in enumerate(listed):
        body = ast.parse((room / f"{name}.py").read_text(encoding="utf-8")).body
        at_top = "\n".join(ast.unparse(node) for node in body if isinstance(node, ast.ImportFrom))
        later = {*imported(at_top, {*modules})} & {*modules[number:]}
        assert not later, f"{name} is listed before {later}"


def test_functions_are_short_and_take_few_parameters() -> None:
    """What belongs together travels as one record.

    Of a command the body counts, without its options and its help. The public object's methods
    may take more parameters, since they make the records.
    """
    for module, source in own_modules().items():
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.FunctionDef):
                continue
            first = node.body[1].lineno if is_command(node) else node.lineno
            lines = (node.end_lineno or 0) - first + 1
            assert lines <= LONGEST_FUNCTION, f"{module}.{node.name} has {lines} lines"
            if module != "charlstm.language_model":
                given = node.args
                names = [p.arg for p in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
                count = len([n for n in names if n not in ("self", "cls")])
                assert count <= MOST_PARAMETERS, f"{module}.{node.name} takes {count} parameters"


def modules_after(code: str) -> set[str]:
    """The modules loaded once ``code`` has run in a fresh interpreter, without any settings."""
    program = f"{code}\nimport sys; print(*sys.modules, file=sys.stderr)"
    command, env = [sys.executable, "-c", program], {**os.environ, "XDG_CONFIG_HOME": os.devnull}
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=env)
    return set(done.stderr.split("\n")[-2].split())


def test_generate_loads_what_it_needs_and_no_more(trained: Path) -> None:
    """Generation answers before torch would be imported, because it never is."""
    words = ["generate", "-m", str(trained), "-n", "1", "--random-seed", "1"]
    loaded = modules_after(f"from charlstm.cli.main import main; main({words})")
    own = {name.removeprefix("charlstm.") for name in loaded if name.startswith("charlstm.")}
    # Of the commands only this one, and nothing of what others need.
    assert not own & {f"cli.{name}" for name in ({*NAMES} - {"generate"}) | {"manual"}}
    assert not own & {
        "parallel",
        "analysis",
        "pages",
        "training",
        "generation.batch",
        "text.encodings",
    }
    assert "numpy" in loaded
    assert not ({"pydivsufsort", "threadpoolctl", "tomllib"} | HEAVY) & loaded


def test_novelty_loads_neither_torch_nor_rich(play: Path) -> None:
    """A comparison of texts has no use for them; it needs the library that sorts suffixes."""
    loaded = modules_after(
        f"from charlstm.cli.main import main; main(['novelty', *{[str(play)] * 2}])"
    )
    assert {"numpy", "pydivsufsort"} <= loaded
    assert not HEAVY & loaded


@pytest.mark.parametrize("command", sorted(command_tree().commands))
def test_help_loads_neither_numpy_nor_torch(command: str) -> None:
    """A command's help waits for nothing."""
    loaded = modules_after(f"from charlstm.cli.main import main; main([{command!r}, '--help'])")
    assert not ({"numpy", "pydivsufsort"} | HEAVY) & loaded


@pytest.mark.parametrize("package_name", ["charlstm", "charlstm.training"])
def test_a_package_imports_nothing_before_it_is_asked(package_name: str) -> None:
    """``import charlstm`` costs nothing, and neither does ``import charlstm.training``."""
    assert not ({"numpy"} | HEAVY) & modules_after(f"import {package_name}")
