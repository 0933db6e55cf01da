"""Build the wheel and the source archive of a release, and try them as a user would: ``make dist``.

    python -m tests.distribution --without torch

The wheel is built twice, from this checkout and from the source archive, and both must have the
same files with the same bytes. The wheel is then installed in a fresh environment, away from the
checkout, and some commands are run there.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path

import charlstm

ROOT = Path(__file__).parents[1]
MOST_BYTES = 15_000_000  # of the wheel
TEXT = "The tide came in and took the lower stair.\n" * 200
# What is run in the fresh environment, in a directory with the file verse.txt; the last
# commands need torch.
COMMANDS = (
    "charlstm --version",
    "charlstm help vocab",
    "charlstm vocab verse.txt",
    "charlstm models",
    "charlstm generate --length 50 Once",
    "charlstm score --lines -m english verse.txt",
    "charlstm export -m shakespeare -o page.html",
)
TRAINING = (
    "charlstm train verse.txt --steps 3 --init-from english --quiet",
    "charlstm train verse.txt --steps 50 --hidden-size 16 --quiet",
    "charlstm generate --length 50 The",
    "charlstm evaluate verse.txt",
    "charlstm inspect",
)


def build(root: Path, directory: Path, *targets: str) -> None:
    """Build ``targets`` ("wheel", "sdist") of the source tree ``root``, without a network."""
    options = [word for target in targets for word in ("-t", target)]
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(directory), *options]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"hatchling: {done.stdout}{done.stderr}")


def only(directory: Path, pattern: str) -> Path:
    """The one file in ``directory`` with such a name."""
    (path,) = directory.glob(pattern)
    return path


def wheel_of_sdist(sdist: Path, directory: Path) -> Path:
    """The wheel that is built, in ``directory``, from the source archive alone."""
    with tarfile.open(sdist) as archive:
        archive.extractall(directory, filter="data")
    build(only(directory, "charlstm-*"), directory / "wheel", "wheel")
    return only(directory / "wheel", "*.whl")


def contents(wheel: Path) -> dict[str, bytes]:
    """The bytes of each file in a wheel, by name."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def expected() -> dict[str, Path]:
    """What a wheel of this checkout must hold: the file of the checkout for each name in it."""
    name = f"charlstm-{charlstm.__version__}"
    files = {f"{name}.dist-info/licenses/LICENSE": ROOT / "LICENSE"}
    for path in sorted((ROOT / "charlstm").rglob("*")):
        if path.is_file() and path.parent.name != "__pycache__":
            files[path.relative_to(ROOT).as_posix()] = path
    with (ROOT / "pyproject.toml").open("rb") as file:
        wheel = tomllib.load(file)["tool"]["hatch"]["build"]["targets"]["wheel"]
    placed = {source: f"{name}.data/data/{place}" for source, place in wheel["shared-data"].items()}
    for source, place in {**placed, **wheel.get("force-include", {})}.items():
        path = ROOT / source
        for found in [path] if path.is_file() else sorted(path.iterdir()):
            files[place if path.is_file() else f"{place}/{found.name}"] = found
    return files


def faults(wheel: dict[str, bytes], from_sdist: dict[str, bytes]) -> list[str]:
    """What is wrong with the contents of a wheel, and of the one made from the source archive."""
    found = [
        f"{name}: not in both wheels, or not the same"
        for name in sorted({*wheel, *from_sdist})
        if wheel.get(name) != from_sdist.get(name)
    ]
    for name, path in expected().items():
        if wheel.get(name) != path.read_bytes():
            found.append(f"{name}: not in the wheel as it is in the checkout")
    return found


def fresh_environment(wheel: Path, directory: Path, without: list[str]) -> Path:
    """An environment into which pip has installed the wheel, and all that it needs but this."""
    subprocess.run([sys.executable, "-m", "venv", directory], check=True)
    with (ROOT / "pyproject.toml").open("rb") as file:
        needed = tomllib.load(file)["project"]["dependencies"]
    pip = [directory / "bin" / "python", "-m", "pip", "install", "--quiet", "-c"]
    pip.append(ROOT / "constraints.txt")
    others = [text for text in needed if not text.startswith(tuple(without))] if without else []
    if without:
        subprocess.run([*pip, "--no-deps", wheel], check=True)
    subprocess.run([*pip, *(others or [wheel])], check=True)
    return directory


def try_commands(environment: Path, directory: Path, commands: tuple[str, ...]) -> None:
    """Run commands in an activated environment; SystemExit for one that fails."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CHARLSTM_", "PYTHON"))}
    path = f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
    home = {"HOME": str(directory), "XDG_CONFIG_HOME": str(directory)}
    env = {**kept, **home, "PATH": path, "VIRTUAL_ENV": str(environment)}
    (directory / "verse.txt").write_text(TEXT)
    for command in commands:
        done = subprocess.run(
            command, shell=True, cwd=directory, env=env, capture_output=True, text=True, check=False
        )
        if done.returncode or not done.stdout:
            raise SystemExit(f"{command}: exit status {done.returncode}: {done.stderr}")
        print(f"    {command}")


def main() -> None:
    """Build, compare, install and try."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--without", nargs="*", default=[], help="packages not to install")
    without = parser.parse_args().without
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    build(ROOT, dist, "sdist", "wheel")
    wheel, sdist = only(dist, "*.whl"), only(dist, "*.tar.gz")
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        found = faults(contents(wheel), contents(wheel_of_sdist(sdist, place / "source")))
        if wheel.stat().st_size > MOST_BYTES:
            found.append(f"{wheel.name}: more than {MOST_BYTES:,} bytes")
        if found:
            raise SystemExit("\n".join(found))
        environment = fresh_environment(wheel, place / "environment", without)
        print("these work in a fresh environment:")
        (place / "work").mkdir()
        commands = COMMANDS if "torch" in without else COMMANDS + TRAINING
        if shutil.which("man"):
            commands += ("man -w charlstm-train",)
        try_commands(environment, place / "work", commands)
    for path in (sdist, wheel):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
