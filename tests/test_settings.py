"""Settings from files: that of ``--config`` and the user's own, for every command."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from charlstm.cli.main import command
from charlstm.model.model_file import save_model

from .conftest import VERSE, Run
from .test_rooms import modules_after
from .writing import make_model

COMMANDS = sorted(command().commands)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model that writes at once."""
    save_model(make_model("ab"), tmp_path / "model")
    return tmp_path / "model"


def own_file(tmp_path: Path, text: str, directory: str = "xdg") -> dict[str, str]:
    """An environment in which this is what the user's own file says."""
    path = tmp_path / directory / "charlstm/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return {"XDG_CONFIG_HOME": str(tmp_path / directory)}


def test_the_order_of_sources(charlstm: Run, model: Path, tmp_path: Path) -> None:
    """Command line, environment, --config, the user's own file, default."""
    user = own_file(tmp_path, "[generate]\nlength = 4\n")
    (tmp_path / "c.toml").write_text("[generate]\nlength = 3\n")
    words = ["generate", "-m", model, "-q", "--random-seed", 1]
    environment = {"CHARLSTM_GENERATE_LENGTH": "2"}
    config = ["--config", tmp_path / "c.toml"]
    assert len(charlstm(*words, *config, "-n", 1, env={**user, **environment}).stdout) == 1
    assert len(charlstm(*words, *config, env={**user, **environment}).stdout) == 2
    assert len(charlstm(*words, *config, env=user).stdout) == 3
    assert len(charlstm(*words, env=user).stdout) == 4
    assert len(charlstm(*words).stdout) == 1000


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_reads_both_files(charlstm: Run, tmp_path: Path, name: str) -> None:
    """Also where the option stands before the command; no error of the one hides the other's."""
    user = own_file(tmp_path, f"[{name}]\nquite = true\n")
    (tmp_path / "c.toml").write_text(f"[{name}]\nquiet = 1\n")
    for words in ((name, "--config", "c.toml"), ("--config", "c.toml", name)):
        done = charlstm(*words, "x", cwd=tmp_path)
        assert done.returncode == 2
        said = f"c.toml: [{name}] quiet is 1; it must be true or false"
        assert done.stderr.decode() == f"charlstm: error: {said}\n"
        done = charlstm(*words, "x", cwd=tmp_path, env=user)
        assert (
            f"[{name}] quite is not a setting of {name}; did you mean quiet?"
            in done.stderr.decode()
        )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[trian]\nsteps = 5", "[trian] is not a command of charlstm; did you mean [train]?"),
        ("[xyzzy]", "[xyzzy] is not a command of charlstm; remove it"),
        ("steps = 5", "steps is not in a table; write the name of its command above it"),
        ("train = 5", "train is not in a table; write a table, [train]"),
        ("[train]\nconfig = 'a'", "[train] config is not a setting of train"),
        ("[train]\nhidden_size = '9'", "[train] hidden_size is '9'; it must be a whole number"),
        (
            "[train]\ndevice = 'gpu'",
            "[train] device is 'gpu'; it must be one of 'auto', 'cpu', 'cuda'",
        ),
        ("[train]\ntime = true", "[train] time is True; it must be a number above 0"),
        ("[generate]\nstop = 5", "[generate] stop is 5; it must be a text or a list of texts"),
        ("[generate]\nphrase = 'Once'", "[generate] phrase is not a setting of generate"),
        ("[inspect.json]", "[inspect] json is {}; it must be true or false"),
    ],
)
def test_mistakes_are_named_with_file_table_and_key(
    charlstm: Run, model: Path, tmp_path: Path, text: str, said: str
) -> None:
    """In any table of any of the files, whichever command runs."""
    user = own_file(tmp_path, text)
    done = charlstm("generate", "-m", model, env=user)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
    assert f"error: {tmp_path}/xdg/charlstm/config.toml: {said}" in done.stderr.decode()
    again = charlstm("models", "--config", tmp_path / "xdg/charlstm/config.toml")
    assert said in again.stderr.decode()


def test_where_the_users_file_is(charlstm: Run, model: Path, tmp_path: Path) -> None:
    """Below ~/.config where XDG_CONFIG_HOME is not set, empty or relative."""
    own_file(tmp_path, "[generate]\nlength = 4\n", "home/.config")
    words = ["generate", "-m", model, "-q"]
    for named in ("", "home/.config"):
        env = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": named}
        assert len(charlstm(*words, env=env, cwd=tmp_path).stdout) == 4


def test_a_users_file_that_is_absent_or_cannot_be_read(
    charlstm: Run, model: Path, tmp_path: Path
) -> None:
    """Nobody needs one; one that is there is not passed over."""
    words = ["generate", "-m", model, "-q", "-n", 3]
    (tmp_path / "file").touch()
    for absent in ("absent", "file"):
        done = charlstm(*words, env={"XDG_CONFIG_HOME": str(tmp_path / absent)})
        assert (done.returncode, done.stderr) == (0, b"")
    (tmp_path / "xdg/charlstm/config.toml").mkdir(parents=True)
    done = charlstm(*words, env={"XDG_CONFIG_HOME": str(tmp_path / "xdg")})
    assert done.returncode == 2
    assert b"config.toml: cannot be read: Is a directory; correct or remove it" in done.stderr


def test_help_does_not_look_at_files(charlstm: Run, tmp_path: Path) -> None:
    """It is there for who has made a mistake in one, and takes no time to read any."""
    user = own_file(tmp_path, "nonsense")
    for words in (["--help"], ["--version"], ["generate", "--help"], ["train", "-h"]):
        assert charlstm(*words, env=user).returncode == 0
    code = "from charlstm.cli.main import main; main(['generate', '--help'])"
    assert "tomllib" not in modules_after(code)


def test_settings_of_each_kind(charlstm: Run, model: Path, tmp_path: Path) -> None:
    """Numbers, names, switches, lists, times; paths are as on the command line."""
    (tmp_path / "c.toml").write_text(
        f"[generate]\nmodel = '{model}'\nlength = 50\ntemperature = 1\necho = false\n"
        "random_seed = 3\nstop = 'bab'\nunknown = 'skip'\nquiet = true\n"
    )
    done = charlstm("--config", tmp_path / "c.toml", "generate", "abx")
    assert (done.returncode, done.stderr) == (0, b"")
    words = ["-n", 50, "-t", 1, "--no-echo", "--random-seed", 3, "--stop", "bab"]
    same = charlstm("generate", "-m", model, "abx", *words, "--unknown", "skip", "-q")
    assert done.stdout == same.stdout


@pytest.mark.parametrize(
    ("user", "config", "words", "variables", "steps"),
    [
        ("epochs = 9.0", "steps = 3", [], {}, 3),
        ("steps = 3", "", [], {}, 3),
        ("steps = 9", "epochs = 99.0", ["--steps", "3"], {}, 3),
        ("time = 90", "save_every = 30.5\nsteps = 3", [], {}, 3),
        ("steps = 9", "time = '10m'", [], {"CHARLSTM_TRAIN_STEPS": "3"}, 3),
    ],
)
def test_the_strongest_source_of_a_budget_counts(
    charlstm: Run,
    play: Path,
    tmp_path: Path,
    user: str,
    config: str,
    words: list[str],
    variables: dict[str, str],
    steps: int,
) -> None:
    """Also of two files; a bare number of a time is seconds."""
    variables = {**variables, **own_file(tmp_path, f"[train]\nhidden_size = 4\n{user}\n")}
    (tmp_path / "c.toml").write_text(f"[train]\n{config}\n")
    words = ["--config", str(tmp_path / "c.toml"), "-o", str(tmp_path / "run"), *words]
    done = charlstm("train", play, *words, env=variables)
    assert done.returncode == 0, done.stderr
    kept = tomllib.loads((tmp_path / "run/config.toml").read_text())
    assert kept.keys() == {"train"}
    assert (kept["train"]["steps"], kept["train"]["hidden_size"]) == (steps, 4)


def test_which_file_counts(charlstm: Run, model: Path, tmp_path: Path) -> None:
    """The one after the command, and a file of the command line before one of the environment."""
    names = {}
    for length in (2, 3, 4, 5):
        names[length] = str(tmp_path / f"{length}.toml")
        Path(names[length]).write_text(f"[generate]\nlength = {length}\n")
    words = ["generate", "-m", model, "-q", "--random-seed", 1]
    environment = {"CHARLSTM_CONFIG": names[5], "CHARLSTM_GENERATE_CONFIG": names[4]}
    both = charlstm("--config", names[3], *words, "--config", names[2], env=environment)
    assert len(both.stdout) == 2
    assert len(charlstm("--config", names[3], *words, env=environment).stdout) == 3
    assert len(charlstm(*words, env=environment).stdout) == 4
    del environment["CHARLSTM_GENERATE_CONFIG"]
    assert len(charlstm(*words, env=environment).stdout) == 5


def test_the_users_file_does_not_change_a_resumed_run(
    charlstm: Run, play: Path, tmp_path: Path
) -> None:
    """No more than the environment does."""
    run = tmp_path / "run"
    words = ["--steps", 4, "--hidden-size", 4, "-o", run]
    assert charlstm("train", play, *words).returncode == 0
    user = own_file(tmp_path, "[train]\nsteps = 9\nhidden_size = 8\ncorpus = ['absent']\n")
    done = charlstm("train", "--resume", run, "--steps", 6, env=user)
    assert done.returncode == 0, done.stderr
    last = (run / "metrics.jsonl").read_text().splitlines()[-1]
    assert json.loads(last)["step"] == 6


RIVALS = [  # a command, two of its options that do not go together, and their flags
    ("generate", ("samples", "3"), ("each_line", "true"), ["--each-line"]),
    ("generate", ("separator", '"--"'), ("json", "true"), ["--json"]),
    ("score", ("chars", "true"), ("lines", "true"), ["--lines"]),
    ("evaluate", ("exact", "true"), ("window", "9"), ["--window", "9"]),
    ("evaluate", ("split", '"all"'), ("baselines", "true"), ["--baselines"]),
    ("visualize", ("find", "true"), ("cell", '"1:1"'), ["--cell", "1:1"]),
    ("visualize", ("output", '"t.html"'), ("json", "true"), ["--json"]),
    ("inspect", ("json", "true"), ("command", "true"), ["--command"]),
    ("models", ("prune", "true"), ("json", "true"), ["--json"]),
]
INPUT = {"evaluate": ["t.txt"]}


@pytest.mark.parametrize(("name", "one", "other", "words"), RIVALS)
def test_of_two_options_the_stronger_source_has_its_way(
    charlstm: Run,
    trained: Path,
    tmp_path: Path,
    name: str,
    one: tuple[str, str],
    other: tuple[str, str],
    words: list[str],
) -> None:
    """The weaker one is as if it were not there; in one source both are an error that names it."""
    (tmp_path / "t.txt").write_text(VERSE)
    (tmp_path / "one.toml").write_text(f"[{name}]\n{one[0]} = {one[1]}\n")
    (tmp_path / "both.toml").write_text(f"[{name}]\n{one[0]} = {one[1]}\n{other[0]} = {other[1]}\n")
    command = [name, *INPUT.get(name, []), *words, "-q"]
    env = {"CHARLSTM_MODEL": str(trained), "CHARLSTM_GENERATE_RANDOM_SEED": "1"}
    env |= {"CHARLSTM_VISUALIZE_RANDOM_SEED": "1"}
    how: dict[str, Any] = {"cwd": tmp_path, "input": VERSE.encode(), "env": env}
    alone = charlstm(*command, **how)
    assert (alone.returncode, alone.stderr) == (0, b"")
    for extra in ({}, {f"CHARLSTM_{name}_{one[0]}".upper(): one[1].strip('"')}):
        beside = charlstm(*command, "--config", "one.toml", **{**how, "env": {**env, **extra}})
        assert (beside.returncode, beside.stderr) == (0, b"")
        assert beside.stdout == alone.stdout
    both = charlstm(name, *INPUT.get(name, []), "--config", "both.toml", **how)
    assert both.returncode == 2
    said = ", both in the file of --config, do not go together; leave one out\n"
    assert both.stderr.decode().endswith(said)


def test_a_setting_that_waits_for_another_option_is_no_error(
    charlstm: Run, trained: Path, tmp_path: Path
) -> None:
    """Only on the command line it is meant for this call."""
    (tmp_path / "s.toml").write_text(
        '[models]\nyes = true\n[generate]\ncorpus = ["absent"]\n[dataset]\nstride = 2\n'
    )
    (tmp_path / "t.txt").write_text(VERSE)
    for words in (
        ["models"], ["generate", "-q", "-m", trained, "-n", 9], ["dataset", "t.txt", "-o", "made"]
    ):  # fmt: skip
        done = charlstm(*words, "--config", "s.toml", cwd=tmp_path)
        assert (done.returncode, b"error" in done.stderr) == (0, False)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('[visualize]\ntitle = "x"', ["visualize", "abc", "--json"]),
        ('[export]\npattern = ["a"]', ["export", "-o", "m.html"]),
        ("[generate]\nnovel = 20\nnew_lines = true", ["generate", "-n", "9"]),
        ("[generate]\nlength = 0", ["generate", "--samples", "2"]),
        ("[generate]\nlength = 0", ["generate", "--json"]),
        ("[generate]\nsamples = 2", ["generate", "-n", "0", "--lines", "1"]),
    ],
)
def test_no_message_blames_a_setting_that_nobody_typed(
    charlstm: Run, trained: Path, tmp_path: Path, table: str, words: list[str]
) -> None:
    """What was typed is done."""
    (tmp_path / "s.toml").write_text(table)
    done = charlstm(*words, "-q", "-m", trained, "--config", "s.toml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("typed", ["hidden_size", "init_from"])
def test_the_stronger_source_decides_where_a_run_begins(
    charlstm: Run, play: Path, trained: Path, tmp_path: Path, typed: str
) -> None:
    """A size of the network, or a model that has another size."""
    given = {"hidden_size": 5, "init_from": str(trained)}
    (other,) = {*given} - {typed}
    (tmp_path / "s.toml").write_text(f"[train]\n{other} = {json.dumps(given[other])}\n")
    words = [f"--{typed.replace('_', '-')}", given[typed], "--config", tmp_path / "s.toml"]
    done = charlstm("train", play, "--steps", 1, *words, "-o", tmp_path / "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("resumed", [[], ["--resume", "run"]])
def test_two_budgets_are_an_error_with_advice(charlstm: Run, resumed: list[str]) -> None:
    """It has the names of the command line."""
    done = charlstm("train", *(resumed or ["bell.txt"]), "--time", 5, "--steps", 1)
    said = b"charlstm: error: --time and --steps do not go together; leave one out\n"
    assert (done.returncode, done.stderr) == (2, said)
