"""Variables of the environment whose names are misspelt."""

from pathlib import Path

import pytest

from charlstm.cli.main import command
from charlstm.model.model_file import save_model

from .conftest import Run
from .writing import make_model


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("CHARLSTM_TRAIN_HIDEN_SIZE", "did you mean CHARLSTM_TRAIN_HIDDEN_SIZE?"),
        ("CHARLSTM_GENERATE_NO_ECHO", "did you mean CHARLSTM_GENERATE_ECHO?"),
        ("CHARLSTM_MODLE", "did you mean CHARLSTM_MODEL?"),
        ("CHARLSTM_XYZZY_PLUGH_PLOVER_Y2", "it has no effect"),
    ],
)
def test_a_misspelt_variable_is_named(
    charlstm: Run, tmp_path: Path, name: str, advice: str
) -> None:
    """Once, with the nearest right name, by whichever command runs; not with -q."""
    save_model(make_model("ab"), tmp_path / "model")
    (tmp_path / "t.txt").write_text("some text\n")
    for words in (["inspect", "-m", "model"], ["vocab", "t.txt"], ["models", "--json"]):
        done = charlstm(*words, cwd=tmp_path, env={name: "5"})
        assert done.returncode == 0
        said = [line for line in done.stderr.decode().splitlines() if name in line]
        assert said == [f"{name} is set in the environment, but no setting has this name; {advice}"]
        assert charlstm(*words, "-q", cwd=tmp_path, env={name: "5"}).stderr == b""


def test_right_variables_are_not_named(charlstm: Run, tmp_path: Path) -> None:
    """Of any command, of the program, and one that is empty and counts as unset."""
    tree = command()
    names = {f"CHARLSTM_{name}_{p.name}".upper() for name in tree.commands
             for p in tree.commands[name].params if p.param_type_name == "option"}  # fmt: skip
    variables = dict.fromkeys(names - {n for n in names if "VOCAB" in n}, "1")
    variables |= {"CHARLSTM_MODEL": "m", "CHARLSTM_DEBUG": "0", "CHARLSTM_VOCAB_MIN_COUNT": "2"}
    (tmp_path / "t.txt").write_text("some text\n")
    done = charlstm("vocab", tmp_path / "t.txt", env={**variables, "CHARLSTM_NONE": ""})
    assert (done.returncode, done.stderr) == (0, b"")


def test_no_variable_forges_a_line(charlstm: Run, tmp_path: Path) -> None:
    """Nor acts on a terminal."""
    (tmp_path / "t.txt").write_text("some text\n")
    done = charlstm("vocab", tmp_path / "t.txt", env={"CHARLSTM_A\n\x1b[31mB": "1"})
    assert done.stderr.startswith(b"CHARLSTM_A^J^[[31mB is set in the environment")
    assert done.stderr.count(b"\n") == 1
