"""Completion in a shell: it offers the commands, their options and the values of options."""

import os
import shutil
import subprocess
from pathlib import Path

import pexpect
import pytest

from charlstm.cli.main import command

from .conftest import Run
from .test_rooms import modules_after

TREE = command()
SCRIPTS = Path(__file__).parents[1] / "completions"


def offered(charlstm: Run, *words: str) -> set[str]:
    """What bash is offered for the last of these words."""
    line = " ".join(["charlstm", *words])
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(words))}
    done = charlstm(env={"_CHARLSTM_COMPLETE": "complete_bash", **asked})
    assert (done.returncode, done.stderr) == (0, b"")
    return set(done.stdout.decode().split())


def test_commands_are_offered(charlstm: Run) -> None:
    """All of them, for a word that is still empty."""
    assert offered(charlstm, "") == set(TREE.commands)


@pytest.mark.parametrize("name", sorted(TREE.commands))
def test_options_of_a_command_are_offered(charlstm: Run, name: str) -> None:
    """Each of its long options."""
    expected = {
        flag
        for parameter in TREE.commands[name].params
        if parameter.param_type_name == "option"
        for flag in (*parameter.opts, *parameter.secondary_opts)
        if flag.startswith("--")
    }
    assert offered(charlstm, name, "--") == expected | {"--help"}


def test_actions_and_names_of_the_catalogue_are_offered(charlstm: Run) -> None:
    """An action first, then the names that begin as the word does."""
    assert offered(charlstm, "corpus", "") == {"list", "get", "path"}
    assert offered(charlstm, "corpus", "get", "ham") == {"hamlet"}


def test_values_of_an_option_are_offered(charlstm: Run) -> None:
    """Where an option has a few possible values."""
    assert offered(charlstm, "generate", "--unknown", "") == {"error", "skip", "nearest"}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with two runs, one of which has a model, and some texts."""
    monkeypatch.chdir(tmp_path)
    for name in ("runs/novel/model", "runs/novel/state", "runs/young/state", "runs/english/model"):
        path = Path(f"{name}.safetensors")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name in ("harbour/a b.txt", "harbour/one.txt", "hats.txt", "my book.txt", "my poems.txt"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("generate -m ", ["english", "shakespeare", "runs/english", "novel"]),
        ("inspect n", ["novel"]),
        ("train --init-from n", ["none", "novel"]),
        ("train --resume ", ["novel", "young"]),
        ("history y", ["young"]),
        ("report zzz", []),
        ("generate --model runs/n", []),  # paths are left to the shell
        ("train ha", ["hamlet", "harbour/", "hats.txt"]),
        ("generate --corpus hat", ["hats.txt"]),
        ("vocab harb", ["harbour/", "harbour/a b.txt", "harbour/one.txt"]),
        ("novelty harbour/o", ["harbour/one.txt"]),
        ("train my", []),  # the shell must quote the blank
        ("train ~/", []),
    ],
)
def test_names_are_offered(charlstm: Run, place: Path, words: str, expected: list[str]) -> None:
    """Models, runs and texts where they are taken, and files beside texts."""
    parts = words.split(" ")
    asked = {"COMP_WORDS": f"charlstm {words}", "COMP_CWORD": str(len(parts))}
    done = charlstm(env={"_CHARLSTM_COMPLETE": "complete_bash", **asked}, cwd=place)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == "\n".join(expected) + "\n"


@pytest.mark.parametrize("words", ["generate -m e", "train --init-from e", "train ha"])
def test_completion_loads_no_numpy(monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    """A shell asks at each press of the tab key."""
    monkeypatch.setenv("_CHARLSTM_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"charlstm {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split())))
    loaded = modules_after(
        "from contextlib import suppress\n"
        "from charlstm.cli.main import main\n"
        "with suppress(SystemExit): main([])"
    )
    assert "charlstm.cli.completion" in loaded
    assert not {"numpy", "torch", "safetensors", "rich", "pooch"} & loaded


def interactive(program: list[str], desk: Path, tmp_path: Path) -> pexpect.spawn:
    """A shell at a terminal, without settings of its own, that has ``charlstm`` on its path."""
    if shutil.which(program[0]) is None:
        pytest.skip(f"{program[0]} is not installed")
    kept = {name: os.environ[name] for name in ("LANG", "PYTHONPATH") if name in os.environ}
    path = f"{desk / 'bin'}{os.pathsep}{os.environ['PATH']}"
    env = {**kept, "PATH": path, "HOME": str(tmp_path), "TERM": "dumb", "PS1": "$ "}
    return pexpect.spawn(
        program[0], program[1:],
        env=env, cwd=desk, timeout=30, encoding="utf-8", dimensions=(24, 250),
    )  # fmt: skip


BASH, ZSH = ["bash", "--norc", "--noprofile", "-i"], ["zsh", "-f", "-i"]


@pytest.mark.parametrize(
    ("program", "turned_on"),
    [
        (BASH, f"source {SCRIPTS}/charlstm.bash"),
        (BASH, 'eval "$(charlstm --show-completion)"'),
        (ZSH, f"autoload -Uz compinit; compinit -D; source {SCRIPTS}/_charlstm"),
        (ZSH, f"fpath=({SCRIPTS} $fpath); autoload -Uz compinit; compinit -u -D"),
        (ZSH, 'autoload -Uz compinit; compinit -D; eval "$(charlstm --show-completion)"'),
    ],
    ids=["bash, file", "bash, line", "zsh, file", "zsh, fpath", "zsh, line"],
)
def test_a_shell_completes(desk: Path, tmp_path: Path, program: list[str], turned_on: str) -> None:
    """A command, an option, a value, a file, a model and a text, at the first tab."""
    shell = interactive(program, desk, tmp_path)
    shell.sendline(f"{turned_on}; echo rea''dy")
    shell.expect("ready")
    shell.send("charlstm gener\t--unkn\tnea\t-h | head -n 1\r")
    shell.expect(r"generate[ \x08]+--unknown[ \x08]+nearest[ \x08]+-h")
    shell.expect_exact("Usage: charlstm generate")
    shell.send("charlstm vocab pla\t-q | head -n 1\r")
    shell.expect(r"vocab play\.txt[ \x08]+-q")
    shell.expect(r"id\s+character")
    shell.send("charlstm inspect -m shakes\t-q | head -n 1\r")
    shell.expect(r"-m shakespeare[ \x08]+-q")
    shell.expect(r"property\s+value")
    shell.send("charlstm vocab cold\t-q | head -n 1\r")
    shell.expect(r"vocab cold-hythe[ \x08]+-q")
    shell.expect(r"id\s+character")
    shell.close(force=True)


@pytest.mark.parametrize(
    "turned_on", [f"source {SCRIPTS}/charlstm.fish", "charlstm --show-completion | source"]
)
def test_fish_completes(desk: Path, tmp_path: Path, turned_on: str) -> None:
    """Commands, options, values, models, and files beside texts of the catalogue."""
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    asked = "; ".join(
        f"complete -C 'charlstm {words}'"
        for words in (
            *("gener", "generate --unkn", "generate --unknown nea"),
            *("inspect -m shakes", "vocab cold", "vocab pla"),
        )
    )
    path = f"{desk / 'bin'}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"{turned_on}; {asked}"],
        env=env, cwd=desk, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == [
        *("generate", "--unknown", "nearest", "shakespeare", "cold-hythe", "play.txt")
    ]
