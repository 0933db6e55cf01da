"""Streams, exits and terminals: the manners of a Unix command, seen from outside."""

import json
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pexpect
import pytest

from charlstm.model.model_file import save_model
from charlstm.text.corpus import open_corpus
from charlstm.text.dataset import write_dataset
from charlstm.text.decoding import TextOptions

from .conftest import VERSE, Run
from .writing import make_model


def shell(line: str, environment: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a pipeline in bash, where ``charlstm`` is the command under test."""
    function = f'charlstm() {{ "{sys.executable}" -m charlstm "$@"; }}; '
    return subprocess.run(
        ["bash", "-c", function + line],
        env=environment,
        cwd=cwd,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_stdout_holds_the_text_alone(charlstm: Run, trained: Path) -> None:
    """The seed phrase and the length that was asked for, not one character more."""
    done = charlstm("generate", "-m", trained, "--seed", "The tide", "-n", 50, "--random-seed", 7)
    assert done.returncode == 0
    assert done.stderr == b""
    assert done.stdout.startswith(b"The tide")
    assert len(done.stdout.decode()) == len("The tide") + 50
    silent = charlstm(
        "generate", "-m", trained, "--seed", "The tide", "-n", 50, "--random-seed", 7, "--no-echo"
    )
    assert b"The tide" + silent.stdout == done.stdout


def test_what_was_drawn_or_chosen_is_said_on_stderr(
    charlstm: Run, trained: Path, tmp_path: Path
) -> None:
    """The newest run is taken and named; so is the random seed, which gives the text again."""
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "verse").symlink_to(trained)
    one = charlstm("generate", "-n", 40, cwd=tmp_path)
    said = one.stderr.decode().splitlines()
    assert re.fullmatch(r"model: runs/verse \(verse, \d\.\d{3} nats, \d+ \w+ old\)", said[0])
    assert said[1].startswith("random seed: ")
    seed = said[1].removeprefix("random seed: ")
    two = charlstm("generate", "-n", 40, "--random-seed", seed, "-q", cwd=tmp_path)
    assert (two.stdout, two.stderr) == (one.stdout, b"")
    named = {"CHARLSTM_MODEL": str(trained)}
    three = charlstm("generate", "-n", 40, "--random-seed", seed, env=named)
    assert three.stdout == one.stdout


@pytest.mark.parametrize("threads", ["1", "2", "3", "8"])
def test_the_same_bytes_for_every_thread_count(charlstm: Run, trained: Path, threads: str) -> None:
    """However the linear algebra library is told to split its work."""
    words = ["generate", "-m", trained, "--seed", "The", "-n", 300, "--random-seed", 5]
    variables = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    done = charlstm(*words, env=dict.fromkeys(variables, threads))
    assert done.stdout == charlstm(*words).stdout


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
def test_generation_keeps_to_one_thread(environment: dict[str, str], trained: Path) -> None:
    """Linear algebra is told so before numpy is imported, or it would have started more."""
    words = ["generate", "-m", str(trained), "-n", "5", "--random-seed", "1"]
    code = f"""
from charlstm.cli.main import main
main({words})
import re, sys
status = open("/proc/self/status").read()
print(re.search(r"Threads:\\s+(\\d+)", status)[1], file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "OPENBLAS_NUM_THREADS": "8", "OMP_NUM_THREADS": "8"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == b"1\n"


@pytest.mark.parametrize("length", [0, 2_000_000])
def test_a_reader_that_has_enough_ends_the_writer(
    environment: dict[str, str], trained: Path, tmp_path: Path, length: int
) -> None:
    """``generate | head`` ends at once and says nothing; the writer ends by the signal, 141."""
    line = (
        f"charlstm generate -m {trained} -n {length} -q | head -c 100; echo ${{PIPESTATUS[0]}} >&2"
    )
    done = shell(line, environment, tmp_path)
    assert len(done.stdout) == 100
    assert done.stderr == b"141\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize(
    "command",
    [
        "generate -m {trained} -n 20000 -q",
        "inspect -m {trained}",
        "evaluate -m {trained} {play} -q",
    ],
)
def test_a_full_disk_is_one_line(
    environment: dict[str, str], trained: Path, play: Path, tmp_path: Path, command: str
) -> None:
    """Status 1 and the reason, no traceback from the interpreter's end."""
    words = command.format(trained=trained, play=play)
    done = shell(f"charlstm {words} >/dev/full", environment, tmp_path)
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"No space left" in done.stderr


@pytest.mark.parametrize("locale", ["C", "en_US.ISO-8859-1"])
def test_utf8_in_any_locale(charlstm: Run, tmp_path: Path, locale: str) -> None:
    """Corpus, seed phrase and text are UTF-8 whatever the locale says."""
    (tmp_path / "t.txt").write_text("é€😀 " * 100, encoding="utf-8")
    env = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    words = ["-o", tmp_path / "run", "--steps", 2, "--hidden-size", 8]
    assert charlstm("train", tmp_path / "t.txt", *words, env=env).returncode == 0
    words = ["-m", tmp_path / "run", "--seed", "😀é", "-n", 9, "--random-seed", 1]
    done = charlstm("generate", *words, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode("utf-8").startswith("😀é")
    assert len(done.stdout.decode("utf-8")) == 11


def test_vocab_in_a_pipe_is_tab_separated(charlstm: Run, tmp_path: Path) -> None:
    """A header, then a line a character whose fields hold no tab and no line end."""
    (tmp_path / "t.txt").write_text("a\tb\na\n", encoding="utf-8")
    lines = charlstm("vocab", tmp_path / "t.txt").stdout.decode().splitlines()
    rows = [line.split("\t") for line in lines]
    assert rows[0] == ["id", "character", "code", "name", "count", "share"]
    assert rows[1][:5] == ["0", "\\t", "U+0009", "CHARACTER TABULATION", "1"]
    assert rows[3] == ["2", "a", "U+0061", "LATIN SMALL LETTER A", "2", "0.333333"]


def test_vocab_as_json(charlstm: Run, tmp_path: Path) -> None:
    """One object, with the characters themselves."""
    (tmp_path / "t.txt").write_text("a\nb\u20ac\n", encoding="utf-8")
    done = charlstm("vocab", tmp_path / "t.txt", "--json")
    card = json.loads(done.stdout)
    assert (card["characters"], card["size"]) == (5, 4)
    assert [row["character"] for row in card["vocabulary"]] == ["\n", "a", "b", "\u20ac"]


def test_inspect_as_json_has_the_promised_keys(charlstm: Run, trained: Path) -> None:
    """Those that scripts rely on."""
    card = json.loads(charlstm("inspect", "-m", trained, "--json").stdout)
    keys = {"model", "parameters", "vocabulary", "corpus", "training", "command"}
    assert keys <= card.keys()
    summary = {"val_loss", "train_loss", "steps", "seconds", "characters_per_second"}
    assert summary <= card["training"].keys()
    assert card["vocabulary"] == "".join(sorted(set(VERSE)))
    assert card["parameters"] == sum(_sizes(card["model"]))


def _sizes(model: dict[str, int]) -> list[int]:
    V, E, H = model["vocab_size"], model["embedding_size"], model["hidden_size"]
    first = 4 * H * (E + H + 2)
    later = 4 * H * (2 * H + 2)
    return [V * E, first, later * (model["num_layers"] - 1), V * H + V]


def terminal(
    command: str | list[str],
    environment: dict[str, str],
    term: str = "xterm-256color",
    columns: int = 80,
) -> pexpect.spawn:
    """The command on a terminal of 24 lines."""
    words = command.split() if isinstance(command, str) else command
    return pexpect.spawn(
        sys.executable,
        ["-m", "charlstm", *words],
        env={**environment, "TERM": term},
        encoding="utf-8",
        timeout=60,
        dimensions=(24, columns),
    )


def test_on_a_terminal_train_draws_a_bar(
    environment: dict[str, str], play: Path, tmp_path: Path
) -> None:
    """With percentage, losses and time left; evaluations stand above it as plain lines."""
    child = terminal(f"train {play} -o {tmp_path}/run --steps 300 --hidden-size 24", environment)
    child.expect(r"\d+% .*characters?/s|\d+%")
    child.expect(r"char/s, [\d:]+ left, loss [\d.]+ nats \([\d.]+ bits\)")
    child.expect(r"step \d+/300  epoch [\d.]+  loss [\d.]+  validation [\d.]+ nats")
    child.expect(f"{tmp_path}/run/model.safetensors")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_ctrl_c_on_a_terminal_says_how_to_go_on(
    environment: dict[str, str], play: Path, tmp_path: Path
) -> None:
    """The model is kept, the command to resume is named, and the signal ends the program."""
    child = terminal(f"train {play} -o {tmp_path}/run --steps 99999 --hidden-size 24", environment)
    child.expect(r"\d+%")
    child.sendintr()
    child.expect("stopped at step")
    child.expect(f"charlstm train --resume {tmp_path}/run")
    child.expect(pexpect.EOF)
    child.close()
    assert child.signalstatus == signal.SIGINT


def test_control_characters_are_shown_not_obeyed(
    environment: dict[str, str], charlstm: Run, tmp_path: Path
) -> None:
    """Escape sequences cannot paint the terminal; in a pipe they pass, and with --raw."""
    (tmp_path / "t.txt").write_text("\x1b[31mred\u202e \x9b" * 40, encoding="utf-8")
    words = ["-o", tmp_path / "run", "--steps", 3, "--hidden-size", 8]
    assert charlstm("train", tmp_path / "t.txt", *words).returncode == 0
    line = f"generate -m {tmp_path}/run -n 300 -t 2 --random-seed 3"
    shown = terminal(line, environment).read()
    assert "^[" in shown
    assert "<U+202E>" in shown
    assert not set("\x1b\u202e\x9b") & set(shown)
    piped = charlstm(*line.split()).stdout.decode()
    assert "\x1b" in piped
    raw = terminal(f"{line} --raw", environment).read()
    assert raw.replace("\r\n", "\n").rstrip("\n") == piped.rstrip("\n")
    vocabulary = terminal(f"vocab {tmp_path}/t.txt", environment, term="dumb").read()
    assert not set("\x1b\u202e\x9b") & set(vocabulary)


@pytest.mark.parametrize(
    "words",
    [["--version"], ["-V"], ["--help"], ["train", "--help"], ["generate", "-h"], ["vocab", "-h"]],
)
def test_help_and_version_go_to_stdout(charlstm: Run, words: list[str]) -> None:
    """So that they can be piped and searched."""
    done = charlstm(*words)
    assert done.returncode == 0
    assert done.stdout
    assert done.stderr == b""


def test_both_helps_tell_seed_from_random_seed(charlstm: Run) -> None:
    """Other programs mean the generator's seed when they say --seed."""
    said = " ".join(charlstm("generate", "--help").stdout.decode().split())
    assert "--prompt TEXT Another name of --seed" in said
    assert "See also --random-seed" in said


def test_a_traceback_only_for_who_asks(charlstm: Run, tmp_path: Path) -> None:
    """``--debug`` shows it."""
    plain = charlstm("vocab", "absent.txt", cwd=tmp_path)
    assert plain.stderr == b"charlstm: error: absent.txt: no such file; check the name\n"
    assert b"Traceback" in charlstm("--debug", "vocab", "absent.txt", cwd=tmp_path).stderr


def test_training_survives_a_reader_of_its_messages_that_goes_away(
    environment: dict[str, str], play: Path, tmp_path: Path
) -> None:
    """``charlstm train ... 2>&1 | head -1`` ends the messages, not the run."""
    line = f"charlstm train {play} -o {tmp_path}/run --steps 60 --hidden-size 24 2>&1 | head -1"
    assert shell(line, environment, tmp_path).stdout.count(b"\n") == 1
    assert (tmp_path / "run/model.safetensors").is_file()
    last = (tmp_path / "run/metrics.jsonl").read_text().splitlines()[-1]
    assert json.loads(last)["step"] == 60


EVIL = "\x1b]0;evil\x07\x9b31m\u202e"  # sets a terminal's title, colours it, turns its writing


def hostile_model(path: Path) -> Path:
    """A model in which every text would act on a terminal."""
    model = make_model("\n" + "".join(sorted(set(EVIL))))
    save_model(
        replace(
            model,
            fingerprint=replace(model.fingerprint, name=EVIL),
            training={EVIL: EVIL, "steps": 1},
            command=EVIL,
        ),
        path,
    )
    return path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["generate", "-m", "model", "-n", "200", "--random-seed", "1"], "^["),
        (["inspect", "-m", "model"], "\\x1b"),
        (["inspect", "-m", "model", "--json"], "evil"),
        (["inspect", "-m", EVIL], "no such model"),
        (["inspect", "-m", "damaged" + EVIL], "not a valid model file"),
        (["generate", "-m", "model", "--seed", EVIL + "x"], "never saw"),
        (["vocab", "text" + EVIL], "\\x1b"),
        (["vocab", "broken" + EVIL], "0xff"),
        (["vocab", "absent" + EVIL], "no such file"),
        (["--debug", "vocab", "absent" + EVIL], "Traceback"),
        (["dataset", "text" + EVIL, "-o", EVIL + "1"], "distinct"),
        (["evaluate", "-m", "model", "text" + EVIL], "never saw"),
        (["evaluate", "-m", "model", "text" + EVIL, "--unknown", "skip"], "top 5"),
        (["evaluate", "-m", "model", "data", "--unknown", "skip"], "perplexity"),
        (["train", "data", "--steps", "2", "--hidden-size", "4"], "runs/"),
        (["train", "data", "--steps", "2", "--init-from", "model"], "begun from"),
        (["train", "bad"], "not a valid dataset"),
        (["train", "--config", "c.toml"], "is not a setting"),
        ([EVIL], "evil"),
        (["vocab", "--" + EVIL], "evil"),
    ],
)
def test_no_text_reaches_a_terminal_as_a_control_sequence(
    environment: dict[str, str], tmp_path: Path, words: list[str], said: str
) -> None:
    """From models, corpora, datasets, settings and file names, in whatever is printed."""
    hostile_model(tmp_path / "model")
    (tmp_path / f"damaged{EVIL}").write_bytes(b"\x1b[1m" * 9)
    (tmp_path / f"text{EVIL}").write_text((EVIL + "abc\r\n") * 40, newline="")
    (tmp_path / f"broken{EVIL}").write_bytes(b"\xff" * 9)
    text = TextOptions()
    write_dataset(open_corpus([str(tmp_path / f"text{EVIL}")], text), tmp_path / "data")
    write_dataset(open_corpus([str(tmp_path / f"text{EVIL}")], text), tmp_path / "bad")
    (tmp_path / "bad/dataset.json").write_text(json.dumps({"format": 1, "vocabulary": [EVIL]}))
    (tmp_path / "c.toml").write_text('[train]\n"\\u001b]0;evil\\u0007\\u009b31m\\u202e" = 1')
    child = pexpect.spawn(
        sys.executable,
        ["-m", "charlstm", *words],
        env={**environment, "TERM": "xterm-256color"},
        cwd=str(tmp_path),
        encoding="utf-8",
        timeout=60,
        dimensions=(24, 200),
    )
    shown = child.read()
    assert said in shown
    for part in ("\x1b]", "\x07", "\x9b", "\u202e"):
        assert part not in shown


def test_a_name_cannot_forge_a_line(charlstm: Run, tmp_path: Path) -> None:
    """What is said of a file whose name has line ends stays one line."""
    name = "a\ncharlstm: error: the disk is on fire\n.txt"
    (tmp_path / name).write_bytes(b"some text\r\n" * 9)
    done = charlstm("vocab", name, cwd=tmp_path)
    assert done.stderr.count(b"\n") == 1
    assert b"a^Jcharlstm: error" in done.stderr
    (tmp_path / name).write_bytes(b"\xff")
    assert charlstm("vocab", name, cwd=tmp_path).stderr.count(b"\n") == 1


def test_a_long_text_does_not_fill_the_terminal(charlstm: Run, tmp_path: Path) -> None:
    """A card shows its beginning, and the whole as JSON; an error is cut."""
    model = replace(make_model("ab\n"), training={"note": "x" * 100_000})
    save_model(model, tmp_path / "model")
    card = charlstm("inspect", "-m", tmp_path / "model").stdout
    assert len(card) < 10_000
    assert b"--json" in card
    whole = json.loads(charlstm("inspect", "-m", tmp_path / "model", "--json").stdout)
    assert whole["command"] == model.command
    (tmp_path / "c.toml").write_text("[train]\n" + "x" * 100_000 + " = 1")
    assert len(charlstm("train", "--config", tmp_path / "c.toml").stderr) < 11_000
