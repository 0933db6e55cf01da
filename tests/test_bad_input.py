"""Bad input of every kind: one line on stderr with what to do, status 1 or 2, nothing written."""

import gzip
import os
from pathlib import Path

import pytest

from charlstm.cli.main import main
from charlstm.model import locate

from .conftest import VERSE, Run


def refused(
    charlstm: Run, words: list[object], status: int, said: list[str], cwd: Path, **options: object
) -> None:
    """Check that a command fails as it should and leaves the directory as it was."""
    before = sorted(str(p) for p in cwd.rglob("*"))
    done = charlstm(*words, cwd=cwd, **options)
    message = done.stderr.decode()
    assert done.returncode == status, message
    assert message.startswith("charlstm: error: ")
    assert message.count("\n") == 1
    assert "internal" not in message
    assert done.stdout == b""
    for word in said:
        assert word in message
    assert sorted(str(p) for p in cwd.rglob("*")) == before


TEXTS: list[tuple[str, bytes, list[str]]] = [
    ("empty", b"", ["empty"]),
    ("three characters", b"abc", ["3 characters", "32"]),
    ("one distinct character", b"a" * 500, ["'a'", "two distinct"]),
    ("not UTF-8", b"a fine text\n" * 9 + b"\xff", ["t.txt", "0xff", "offset 108", "--encoding"]),
    ("NUL bytes", b"a fine text\n" * 9 + b"\0", ["t.txt", "NUL", "offset 108"]),
]


@pytest.mark.parametrize(("data", "said"), [t[1:] for t in TEXTS], ids=[t[0] for t in TEXTS])
def test_a_text_that_cannot_be_learned_from(
    charlstm: Run, tmp_path: Path, data: bytes, said: list[str]
) -> None:
    """File, place and remedy, and no run directory."""
    (tmp_path / "t.txt").write_bytes(data)
    refused(charlstm, ["train", "t.txt"], 1, said, tmp_path)


def test_places_that_hold_no_text(charlstm: Run, tmp_path: Path) -> None:
    """A file that is missing, a directory without texts, a file whose reading fails."""
    (tmp_path / "dir").mkdir()
    refused(charlstm, ["train", "absent.txt"], 1, ["absent.txt", "no such file"], tmp_path)
    refused(charlstm, ["train", "dir"], 1, ["dir", "no *.txt"], tmp_path)
    refused(charlstm, ["train"], 2, ["no corpus"], tmp_path)
    refused(charlstm, ["train", ""], 2, ["empty name"], tmp_path)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no /proc")
def test_a_file_whose_reading_fails(charlstm: Run, tmp_path: Path) -> None:
    """As on a disk with bad blocks."""
    refused(charlstm, ["train", "/proc/self/mem"], 1, ["/proc/self/mem", "cannot be"], tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_one_may_not_read(charlstm: Run, tmp_path: Path) -> None:
    """Permission denied, by name."""
    (tmp_path / "t.txt").write_text("secret " * 99)
    (tmp_path / "t.txt").chmod(0)
    refused(charlstm, ["train", "t.txt"], 1, ["t.txt", "Permission denied"], tmp_path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--hidden-size", 0], ["--hidden-size is 0"]),
        (["--num-layers", 0], ["--num-layers is 0"]),
        (["--dropout", 1], ["dropout is 1.0"]),
        (["--dropout", "nan"], ["dropout is nan"]),
        (["--learning-rate", 0], ["--learning-rate is 0.0"]),
        (["--val-fraction", 1], ["--val-fraction is 1.0"]),
        (["--steps", -3], ["steps is -3"]),
        (["--steps", "many"], ["--steps", "many"]),
        (["--time", "3x"], ["3x", "1h30m"]),
        (["--time", ""], ["time", "1h30m"]),
        (["--time", "3m", "--steps", 5], ["--time and --steps"]),
        (["--min-count", 0], ["--min-count is 0"]),
        (["--encoding", "klingon"], ["klingon"]),
        (["--precision", "fp8"], ["fp8"]),
        (["--device", "toaster"], ["toaster"]),
        (["--no-such-option"], ["--no-such-option"]),
        (["--config", "absent.toml"], ["absent.toml"]),
        (["--random-seed", -1], ["--random-seed is -1"]),
        (["--random-seed", 10**24], ["--random-seed is 1000"]),
        (["--threads", 10**10], ["threads is 1000"]),
        (["--hidden-size", 10**12], ["--hidden-size is 1000"]),
        (["--epochs", 1e308], ["epochs is 1e+308"]),
    ],
)
def test_options_of_train_that_make_no_sense(
    charlstm: Run, play: Path, tmp_path: Path, words: list[object], said: list[str]
) -> None:
    """Status 2, with the value."""
    refused(charlstm, ["train", play, *words], 2, said, tmp_path)


def test_a_device_that_is_not_there(charlstm: Run, play: Path, tmp_path: Path) -> None:
    """Whichever of the two it is on this machine."""
    import torch

    for name, there in (
        ("cuda", torch.cuda.is_available()),
        ("mps", torch.backends.mps.is_available()),
    ):
        if not there:
            words = ["train", play, "-q", "--device", name]
            refused(charlstm, words, 2, [f"--device is {name}", "--device cpu"], tmp_path)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("hidden_sise = 5", ["hidden_sise", "did you mean hidden_size?"]),
        ("hidden_size = '5'", ["hidden_size is '5'", "whole number"]),
        ("hidden_size = true", ["hidden_size is True"]),
        ("lowercase = 1", ["lowercase is 1", "true or false"]),
        ("corpus = [3]", ["corpus is [3]", "list of texts"]),
        ("hidden_size = ", ["not valid TOML"]),
        ("time = [3]", ["time is [3]", "a number"]),
        ("output = 3", ["output is 3", "a text"]),
        ("time = 0x" + "f" * 5000, ["time is too large to show (int)"]),
        ("resume = 'x'", ["resume is not a setting"]),
        ("x = " + "[" * 5000, ["not valid TOML"]),
        ("epochs = 0x" + "f" * 5000, ["epochs is too large to show (int)", "a number"]),
        ("hidden_size = " + "9" * 5000, ["not valid TOML"]),
        ("steps." + "a." * 20 + "b = 1", ["steps is {'a'"]),
        ("a." * 400_000 + "a = 1", ["a key of more than 32 parts"]),
        ("x = {" + "'a'. " * 40 + "a = 1}", ["a key of more than 32 parts"]),
        ('output = "a\\u0000b"', ["output is 'a\\x00b'", "NUL"]),
        ('corpus = ["a\\u0000b"]', ["corpus is ['a\\x00b']", "NUL"]),
        ("# " + "x" * (1 << 20), ["more than 1,048,576 bytes"]),
    ],
)
def test_a_settings_file_with_mistakes(
    charlstm: Run, play: Path, tmp_path: Path, toml: str, said: list[str]
) -> None:
    """Unknown keys and wrong types are errors, with the file's name."""
    (tmp_path / "c.toml").write_text(f"[train]\n{toml}")
    words = ["train", play, "--config", "c.toml"]
    refused(charlstm, words, 2, ["c.toml", *said], tmp_path)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["-t", -1], 2, ["temperature is -1.0"]),
        (["-t", "nan"], 2, ["temperature is nan"]),
        (["-n", -5], 2, ["length is -5"]),
        (["--random-seed", -2], 2, ["--random-seed is -2"]),
        (["--seed", "caf\u00e9 \u4e2d"], 2, ["U+00E9", "U+4E2D", "--unknown"]),
        (["--unknown", "guess"], 2, ["guess"]),
        (["--top-k", -1], 2, ["top-k is -1"]),
        (["--top-k", 1.5], 2, ["--top-k", "1.5"]),
        (["--top-p", 0], 2, ["top-p is 0.0", "at most 1"]),
        (["--top-p", 1.01], 2, ["top-p is 1.01"]),
        (["--top-p", "nan"], 2, ["top-p is nan"]),
        (["--min-p", -0.5], 2, ["min-p is -0.5"]),
        (["--min-p", "inf"], 2, ["min-p is inf"]),
        (["--repetition-penalty", 0], 2, ["--repetition-penalty is 0.0"]),
        (["--repetition-penalty", "nan"], 2, ["--repetition-penalty is nan"]),
        (["--repetition-window", 0], 2, ["--repetition-window is 0"]),
        (["--repetition-window", 10**9], 2, ["--repetition-window is 1000", "65536"]),
        (["--ban", VERSE], 2, ["banned", "allow at least one"]),
        (["--stop", ""], 2, ["stop text is empty"]),
        (["--lines", 0], 2, ["lines is 0"]),
        (["--lines", -2], 2, ["lines is -2"]),
        (["--lines", 3, "--ban", "\n", "-n", 0], 2, ["lines is 3", "no line end"]),
        (["--samples", 0], 2, ["samples is 0"]),
        (["--samples", -2], 2, ["samples is -2"]),
        (["--samples", 2, "-n", 0], 2, ["length is 0", "--lines", "--stop"]),
        (["--json", "-n", 0], 2, ["length is 0", "--lines", "--stop"]),
        (["--json", "-n", 0, "--stop", "\u20ac"], 2, ["'\u20ac'", "give a --length"]),
        (["--samples", 2, "-n", 0, "--stop", "zz"], 2, ["'zz'", "give a --length"]),
        (["--each-line", "-n", 0, "--ban", "\n"], 2, ["writes no line end", "give a --length"]),
        (["--json", "--separator", ","], 2, ["--json and --separator"]),
        (["--each-line", "--samples", 2], 2, ["--each-line and --samples"]),
        (["--each-line", "--lines", 2], 2, ["--each-line and --lines"]),
        (["--each-line", "--seed", "a"], 2, ["--seed and --each-line"]),
        (["--each-line", "--save-state", "s"], 2, ["--each-line and --save-state"]),
        (["--each-line", "--load-state", "s"], 2, ["--each-line and --load-state"]),
        (["--each-line", "--seed-file", "absent"], 1, ["absent", "no such file"]),
        (["--each-line", "--seed-file", "."], 2, [".: a directory"]),
        (["--seed", "a", "--seed-file", "b"], 2, ["--seed and --seed-file"]),
        (["--seed-file", "absent"], 1, ["absent", "no such file"]),
        (["--seed-file", "."], 2, [".: a directory"]),
        (["--seed-file", ""], 2, ["empty name"]),
        (["--samples", 2, "--save-state", "s"], 2, ["--samples and --save-state"]),
        (["--samples", 2, "--load-state", "s"], 2, ["--samples and --load-state"]),
        (["--save-state", "absent/s"], 1, ["absent/s", "no such directory"]),
        (["--save-state", "/dev/null"], 1, ["/dev/null", "device"]),
        (["--save-state", "."], 1, ["directory"]),
        (["--save-state", "-"], 2, ["--save-state -", "name a file"]),
        (["--load-state", "-"], 2, ["--load-state -", "name a file"]),
        (["--load-state", "absent"], 1, ["absent", "--save-state"]),
        (["--load-state", "."], 1, ["directory"]),
        (["--novel", 9], 2, ["--novel needs --corpus"]),
        (["--new-lines"], 2, ["--new-lines needs --corpus"]),
        (["--corpus", "-"], 2, ["--corpus needs --novel"]),
        (["--novel", 0, "--corpus", "x"], 2, ["--novel is 0"]),
        (["--novel", 9, "--corpus", "absent"], 1, ["absent", "no such file"]),
        (["--novel", 9, "--corpus", "-", "--each-line"], 2, ["standard input"]),
        (["-e", "--seed", "a\\qb"], 2, ["--seed: \\qb at character 2"]),
        (["-e", "--stop", "\\xZZ"], 2, ["--stop: \\xZZ at character 1"]),
        (["-e", "--ban", "ab\\"], 2, ["--ban: \\ at character 3"]),
        (["-e", "--separator", "\\ud800"], 2, ["--separator: \\ud800 at character 1"]),
        (["-m", "absent"], 1, ["absent", "no such model"]),
        (["-m", "."], 1, ["no model.safetensors"]),
    ],
)
def test_generate_with_values_that_make_no_sense(
    charlstm: Run, trained: Path, tmp_path: Path, words: list[object], status: int, said: list[str]
) -> None:
    """Before anything is written to stdout."""
    model = [] if "-m" in words else ["-m", trained]
    refused(charlstm, ["generate", *model, *words], status, said, tmp_path)


@pytest.mark.parametrize(
    ("words", "data", "status", "said"),
    [
        (["--each-line"], b"\xff\n", 1, ["standard input: line 1: byte 0xff"]),
        (["--each-line", "--seed-file", "-", "-n", -1], b"", 2, ["length is -1"]),
        (["--seed-file", "-"], b"a\xff", 1, ["standard input", "0xff"]),
        (["--seed-file", "-"], b"a\0", 1, ["standard input", "NUL"]),
        (["--seed-file", "-"], "\u4e2d".encode(), 2, ["U+4E2D"]),
        (["--novel", 9, "--corpus", "-"], b"", 1, ["standard input", "empty"]),
    ],
)
def test_seed_phrases_that_cannot_be_read(
    charlstm: Run,
    trained: Path,
    tmp_path: Path,
    words: list[object],
    data: bytes,
    status: int,
    said: list[str],
) -> None:
    """From standard input, with the place of what is wrong."""
    words = ["generate", "-m", trained, "--random-seed", 1, *words]
    refused(charlstm, words, status, said, tmp_path, input=data)


def test_a_file_that_is_no_state_is_not_written_over(
    charlstm: Run, trained: Path, tmp_path: Path
) -> None:
    """Nor read as one."""
    (tmp_path / "precious").write_text("precious")
    for option in ("--save-state", "--load-state"):
        refused(
            charlstm, ["generate", "-m", trained, option, "precious"], 1, ["precious"], tmp_path
        )
    assert (tmp_path / "precious").read_text() == "precious"


def test_generate_without_any_model(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where the bundled models are missing too, the way to make one is said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(locate, "BUNDLED", tmp_path / "bundled")
    assert main(["generate"]) == 1
    assert "charlstm train" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ([], 2, ["CORPUS"]),
        (["absent"], 1, ["absent", "no such file"]),
        ([""], 2, ["empty name"]),
        (["dir"], 1, ["dir", "no *.txt", "--glob"]),
        (["empty.txt"], 1, ["empty.txt", "empty"]),
        (["latin.txt", "--encoding", "utf-8"], 1, ["latin.txt", "0xe9", "--encoding"]),
        (["nul.txt"], 1, ["nul.txt", "NUL"]),
        (["strange.txt"], 1, ["strange.txt", "U+20AC", "--unknown"]),
        (["short.txt"], 1, ["short.txt", "1 character to evaluate", "a longer text"]),
        (["short.txt", "--split", "train"], 1, ["0 characters", "--split all"]),
        (["t.txt", "--split", "test"], 2, ["--split", "test"]),
        (["t.txt", "--window", 0], 2, ["--window is 0"]),
        (["t.txt", "--window", 1 << 21], 2, ["--window is 2097152"]),
        (["t.txt", "--window", 9, "--exact"], 2, ["--window and --exact do not go together"]),
        (["t.txt", "--baselines", "--split", "all"], 2, ["--baselines and --split do not go"]),
        (["t.txt", "--encoding", "klingon"], 2, ["klingon"]),
        (["t.txt", "--glob", "a/b"], 2, ["--glob is 'a/b'"]),
        (["t.txt", "-m", "absent"], 1, ["absent", "no such model"]),
    ],
)
def test_evaluate_with_what_makes_no_sense(
    charlstm: Run, trained: Path, tmp_path: Path, words: list[object], status: int, said: list[str]
) -> None:
    """Texts and options; nothing is written to stdout."""
    (tmp_path / "dir").mkdir()
    files = {"t": VERSE, "empty": "", "strange": "\u20ac\u4e2d", "short": "T", "nul": "T\0"}
    for name, text in files.items():
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    model = [] if "-m" in words else ["-m", trained]
    refused(charlstm, ["evaluate", *model, *words], status, said, tmp_path)


@pytest.mark.parametrize("command", ["generate", "inspect"])
@pytest.mark.parametrize(
    ("keep", "add", "said"),
    [
        (0, b"", "empty"),
        (2000, b"", "cut short"),
        (0, b"\x80\x04pickle", "not a valid model file: it seems to be a Python pickle"),
        (0, b"to be or not to be", "it seems to be plain text"),
        (0, b"{}", "it seems to be plain text"),
        (0, gzip.compress(b"to be or not to be", mtime=0), "it seems to be gzip data"),
        (0, b"PK\x03\x04\x00\x00\x08\x08\x00\x00", "it seems to be a zip archive"),
        (0, "dagger \u2014 ".encode() * 99, "it seems to be plain text"),
        (0, bytes(range(256)), "not a valid model file: it is no safetensors file"),
    ],
)
def test_a_file_that_is_no_model(
    charlstm: Run, trained: Path, tmp_path: Path, command: str, keep: int, add: bytes, said: str
) -> None:
    """Empty, cut short, of another kind: it is said what it seems to be."""
    data = (trained / "model.safetensors").read_bytes()
    (tmp_path / "m").write_bytes(data[:keep] + add)
    refused(charlstm, [command, "-m", "m"], 1, ["m: ", said], tmp_path)


def test_a_name_is_reported_as_it_is(charlstm: Run, tmp_path: Path) -> None:
    """With all its spaces, so that it can be copied; a line end in it is shown."""
    for name in ("two  spaces", " one in front"):
        refused(charlstm, ["vocab", name], 1, [f"error: {name}: no such file"], tmp_path)
    refused(charlstm, ["generate", "-m", "two\n lines"], 1, ["error: two^J lines: no"], tmp_path)


def test_an_output_place_that_cannot_be_written(charlstm: Run, play: Path, tmp_path: Path) -> None:
    """A file in the way, for a run and for a dataset."""
    (tmp_path / "file").write_text("precious")
    words = ["train", play, "--steps", 2, "-q", "-o"]
    refused(charlstm, [*words, "file/run"], 1, ["file/run", "another -o"], tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious").touch()
    refused(charlstm, [*words, "full"], 2, ["full", "not empty"], tmp_path)
    for name in ("file/out", "file/out.npz"):
        refused(charlstm, ["dataset", play, "-q", "-o", name], 1, ["file"], tmp_path)
    refused(charlstm, ["dataset", play, "-q", "-o", "file"], 2, ["exists already"], tmp_path)


@pytest.mark.parametrize(
    "words", [["--window", 5], ["--one-hot"], ["--normalize"], ["--stride", 2]]
)
def test_options_that_would_be_ignored_are_refused(
    charlstm: Run, play: Path, tmp_path: Path, words: list[object]
) -> None:
    """A directory of ids has no windows."""
    refused(charlstm, ["dataset", play, "-o", "out", *words], 2, [".npz"], tmp_path)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["--window", 0], 2),
        (["--window", -3], 2),
        (["--stride", 0], 2),
        (["--window", 10**9], 1),
        (["--one-hot", "--normalize"], 2),
    ],
)
def test_windows_that_cannot_be(
    charlstm: Run, play: Path, tmp_path: Path, words: list[object], status: int
) -> None:
    """No array is begun."""
    refused(charlstm, ["dataset", play, "-o", "out.npz", *words], status, [], tmp_path)


def test_settings_without_end(charlstm: Run, play: Path, tmp_path: Path) -> None:
    """No more is read than settings can be; a pipe of some is as good as a file."""
    refused(charlstm, ["train", play, "--config", "/dev/zero"], 2, ["/dev/zero"], tmp_path)
    words = ["train", play, "--config", "/dev/stdin", "-q", "-o", tmp_path / "run"]
    assert charlstm(*words, input=b"[train]\nsteps = 2\nhidden_size = 4\n").returncode == 0


def test_a_number_of_thousands_of_digits(charlstm: Run, play: Path, tmp_path: Path) -> None:
    """It is refused without being shown."""
    (tmp_path / "c.toml").write_text("[train]\nhidden_size = 0x" + "f" * 5000)
    words = ["train", play, "--config", "c.toml"]
    refused(charlstm, words, 2, ["hidden_size is too large to show (int)"], tmp_path)
