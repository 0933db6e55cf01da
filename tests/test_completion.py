"""Completion in a shell: it offers the commands, their options and the values of options."""

import pytest

from charlstm.cli.main import command

from .conftest import Run

TREE = command()


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


def test_values_of_an_option_are_offered(charlstm: Run) -> None:
    """Where an option has a few possible values."""
    assert offered(charlstm, "generate", "--unknown", "") == {"error", "skip", "nearest"}
