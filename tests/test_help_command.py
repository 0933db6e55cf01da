"""``charlstm help``: the manual page is found wherever it is, and shown as the machine can."""

import shutil
from pathlib import Path

import pexpect
import pytest

import charlstm as package

from .conftest import Run
from .test_streams import terminal

ROOT = Path(__file__).parents[1]


def program(directory: Path, name: str, script: str) -> dict[str, str]:
    """An environment whose only programs are those in ``directory``, this shell script among them.

    ``script`` can use no other program.
    """
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {"PATH": str(directory)}


@pytest.mark.parametrize(
    ("words", "title"), [([], "CHARLSTM(1)"), (["vocab"], "CHARLSTM-VOCAB(1)")]
)
def test_a_pipe_gets_plain_text(charlstm: Run, words: list[str], title: str) -> None:
    """The page of the command, or of the program, without marks for bold letters."""
    if not any(map(shutil.which, ("man", "mandoc", "groff"))):
        pytest.skip("no man, mandoc or groff is installed")
    done = charlstm("help", *words)
    text = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b"")
    assert text.lstrip().startswith(title)
    assert "DESCRIPTION" in text
    assert not {"\x08", "\x1b"} & set(text)


def test_a_terminal_gets_man(environment: dict[str, str], tmp_path: Path) -> None:
    """It is given the file of the page, and its exit status is that of the command."""
    env = program(tmp_path / "bin", "man", 'echo "shown: $*"; exit 3')
    shell = terminal("help vocab", {**environment, **env}, columns=250)
    shell.expect(pexpect.EOF)
    shell.close()
    shown = f"shown: {ROOT / 'man' / 'charlstm-vocab.1'}\r\n"
    assert (shell.before, shell.exitstatus) == (shown, 3)


def test_marks_of_bold_letters_are_removed(charlstm: Run, tmp_path: Path) -> None:
    """Both kinds: letters typed twice, and escape sequences."""
    script = r"printf 'C\bCHARLSTM-VOCAB\n_\bone \033[1mtwo\033[0m\n'"
    done = charlstm("help", "vocab", env=program(tmp_path / "bin", "man", script))
    assert (done.stdout, done.stderr) == (b"CHARLSTM-VOCAB\none two\n", b"")


def test_a_man_that_shows_nothing_is_passed_over(charlstm: Run, tmp_path: Path) -> None:
    """Such as that of a small system, which says that there are no pages."""
    program(tmp_path / "bin", "man", "echo this system has been minimized")
    program(tmp_path / "bin", "mandoc", "echo CHARLSTM-VOCAB; exit 1")
    env = program(tmp_path / "bin", "groff", 'echo "CHARLSTM-VOCAB by groff"')
    done = charlstm("help", "vocab", env=env)
    assert (done.returncode, done.stdout) == (0, b"CHARLSTM-VOCAB by groff\n")


@pytest.mark.parametrize("words", [[], ["vocab"]])
def test_without_such_a_program_the_summary_is_shown(
    charlstm: Run, tmp_path: Path, words: list[str]
) -> None:
    """And a line says so, unless it is unwanted."""
    summary = charlstm(*words, "--help").stdout
    done = charlstm("help", *words, env={"PATH": str(tmp_path)})
    assert (done.returncode, done.stdout) == (0, summary)
    shown = " ".join(["charlstm", *words])
    said = f"without a program such as man, mandoc or groff, this is {shown} --help\n"
    assert done.stderr.decode() == said
    quiet = charlstm("help", "-q", *words, env={"PATH": str(tmp_path)})
    assert (quiet.stdout, quiet.stderr) == (summary, b"")


@pytest.mark.parametrize(
    ("word", "advice"), [("trian", "did you mean train?"), ("xyzzy", "see charlstm --help")]
)
def test_an_unknown_command_is_an_error(charlstm: Run, word: str, advice: str) -> None:
    """With the most similar one."""
    done = charlstm("help", word)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == f"charlstm: error: {word}: no such command; {advice}\n"


@pytest.mark.parametrize("installed", ["environment", "one directory"])
def test_the_page_is_found_where_it_was_installed(
    charlstm: Run, tmp_path: Path, installed: str
) -> None:
    """In share/man of an environment, by the list of installed files, and of pip's --target."""
    packages, page = tmp_path, "share/man/man1/charlstm-vocab.1"
    if installed == "environment":
        packages = tmp_path / "lib" / "python" / "site-packages"
        record = packages / f"charlstm-{package.__version__}.dist-info" / "RECORD"
        record.parent.mkdir(parents=True)
        record.write_text(f"../../../{page},,\n")
        (record.parent / "METADATA").write_text(
            f"Metadata-Version: 2.4\nName: charlstm\nVersion: {package.__version__}\n"
        )
    shutil.copytree(Path(package.__file__).parent, packages / "charlstm")
    target = tmp_path / page
    target.parent.mkdir(parents=True)
    shutil.copy(ROOT / "man" / "charlstm-vocab.1", target)
    env = program(tmp_path / "bin", "man", 'echo "CHARLSTM-VOCAB $*"')
    done = charlstm("help", "vocab", cwd=tmp_path, env={**env, "PYTHONPATH": str(packages)})
    assert (done.returncode, done.stderr) == (0, b"")
    shown = done.stdout.decode().split()[1]
    assert Path(shown).samefile(target)
