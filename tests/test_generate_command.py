"""``charlstm generate`` from outside: what is written for which options, and how it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pexpect
import pytest

import charlstm as package
from charlstm.model.model_file import save_model

from .conftest import Run
from .test_streams import shell, terminal
from .writing import make_model


@pytest.fixture
def write(charlstm: Run, trained: Path) -> Any:
    """What ``generate`` writes to a pipe, with the random seed 7 where none is given."""

    def run(*words: object, **options: Any) -> str:
        seeded = [] if "--load-state" in words else ["--random-seed", 7]
        done = charlstm("generate", "-m", trained, *seeded, *words, **options)
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout.decode()

    return run


def test_new_lines_and_unique_lines(write: Any, trained: Path, tmp_path: Path) -> None:
    """None of the corpus and none twice; what they need is said."""
    plain = write("--lines", 40)
    (tmp_path / "known").write_text(plain[: len(plain) // 2])
    words = ["--lines", 40, "--new-lines", "--unique", "--corpus", tmp_path / "known"]
    lines = [line for line in write(*words).split("\n") if line]
    assert not set(lines) & set((tmp_path / "known").read_text().split("\n"))
    assert len(set(lines)) == len(lines)


def objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects of as many lines."""
    return [json.loads(line) for line in text.splitlines()]


def test_samples_are_written_one_after_another(write: Any) -> None:
    """Each with the seed phrase, and with a line end where it has none."""
    texts = [record["text"] for record in objects(write("--samples", 4, "-n", 30, "--json"))]
    assert write("-n", 30, "--no-echo") == texts[0]
    written = write("--samples", 4, "-n", 30, "--seed", "")
    assert written == "".join(t if t.endswith("\n") else t + "\n" for t in texts)
    assert write("--samples", 2, "-n", 30, "--separator", "") == "".join(texts[:2])
    lines = write("--samples", 20, "--lines", 1)
    assert lines.count("\n") == 20


@pytest.mark.parametrize("count", [1, 2])
def test_a_separator_follows_each_text(write: Any, count: int) -> None:
    """Nothing else is added, and escapes are read on request."""
    texts = [r["text"] for r in objects(write("--samples", count, "-n", 9, "--json"))]
    words = ["--samples", count, "-n", 9, "--separator"]
    assert write(*words, "\\0") == "".join(t + "\\0" for t in texts)
    assert write(*words, "\\0", "-e") == "".join(t + "\0" for t in texts)


def test_json_has_the_promised_keys(write: Any) -> None:
    """Seed phrase and text are the whole; the end is named."""
    plain = write("--seed", "The", "-n", 30)
    (record,) = objects(write("--seed", "The", "-n", 30, "--json"))
    assert record["seed"] + record["text"] == plain
    keys = ["text", "seed", "random_seed", "sample", "bits_per_char", "end", "stop"]
    assert list(record) == keys
    assert record["stop"] is None
    assert (record["random_seed"], record["sample"], record["end"]) == (7, 0, "length")
    assert 0 < record["bits_per_char"] < 20
    (record,) = objects(write("--json", "-n", 0, "--lines", 2, "--samples", 1))
    assert (record["end"], record["text"].count("\n")) == ("lines", 2)
    records = objects(write("--json", "--stop", "e", "--stop", "a", "--samples", 3))
    assert [r["sample"] for r in records] == [0, 1, 2]
    assert all(r["end"] == "stop" and not set("ea") & set(r["text"]) for r in records)
    (record,) = objects(write("--json", "-n", "0", "--lines", 1, "--stop", "\n", "-e"))
    (nothing,) = objects(write("--json", "-n", 1, "--stop", record["text"][0]))
    assert (nothing["text"], nothing["bits_per_char"], nothing["end"]) == ("", None, "stop")


def test_lines_are_written_whole_whatever_the_default_length(write: Any) -> None:
    """A thousand characters a line, if nothing else is asked for."""
    assert write("--lines", 90, "--no-echo").count("\n") == 90
    assert len(write("--lines", 90, "-n", 50, "-q")) == 50


@pytest.mark.parametrize(
    "data", [b"\xef\xbb\xbfThe tide\r\nThe", b"The tide\rThe", b"The tide\nThe"]
)
def test_a_seed_file_is_read_as_a_corpus_is(write: Any, tmp_path: Path, data: bytes) -> None:
    """Mark and line ends; from a file, from standard input, from a pipe that is a file."""
    (tmp_path / "seed").write_bytes(data)
    expected = write("--seed", "The tide\nThe", "-n", 40)
    assert write("-e", "--seed", r"The tide\nThe", "-n", 40) == expected
    assert write("--seed-file", tmp_path / "seed", "-n", 40) == expected
    for place in ("-", "/dev/stdin"):
        assert write("--seed-file", place, "-n", 40, input=data) == expected
    assert write("--seed-file", "-", "-n", 40, input=b"") == write("-n", 40)


def test_each_line_is_a_filter(write: Any) -> None:
    """Line in, line out: phrase i goes on as sample i does, up to its line's end."""
    data = b"The\r\nAnd drew\n\nI stood"
    phrases = ["The", "And drew", "", "I stood"]
    lines = write("-q", "--each-line", "-n", 50, input=data).split("\n")
    assert lines.pop() == ""
    records = objects(write("-q", "--each-line", "-n", 50, "--json", input=data))
    assert [r["sample"] for r in records] == [0, 1, 2, 3]
    assert [r["seed"] for r in records] == phrases
    assert [r["seed"] + r["text"] for r in records] == lines
    for number, phrase in enumerate(phrases):
        many = write("--seed", phrase, "--lines", 1, "-n", 50, "--samples", 9, "--json", "-q")
        assert objects(many)[number]["text"].removesuffix("\n") == records[number]["text"]
    silent = write("-q", "--each-line", "-n", 50, "--no-echo", input=data)
    assert silent.split("\n")[:-1] == [r["text"] for r in records]
    joined = write("-q", "--each-line", "-n", 50, "--separator", ";", input=data)
    assert joined == "".join(f"{line};" for line in lines)
    assert write("-q", "--each-line", input=b"") == ""


def test_an_answer_comes_before_the_next_question(
    environment: dict[str, str], trained: Path
) -> None:
    """Nothing waits in a buffer, on either side: a coprocess can talk to it."""
    words = ["generate", "-m", str(trained), "--each-line", "-q", "-n", "30"]
    with subprocess.Popen(
        [sys.executable, "-m", "charlstm", *words],
        env={k: v for k, v in environment.items() if k != "PYTHONUNBUFFERED"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        for word in (b"The", b"And", b"I"):
            process.stdin.write(word + b"\n")
            process.stdin.flush()
            assert process.stdout.readline().startswith(word)
        process.stdin.close()
        assert process.wait(60) == 0


def test_a_pipe_has_each_line_when_it_is_made(environment: dict[str, str], trained: Path) -> None:
    """Far fewer characters than a buffer holds, though the text has no end."""
    words = ["generate", "-m", str(trained), "-n", "0", "-q"]
    with subprocess.Popen(
        [sys.executable, "-m", "charlstm", *words],
        env={k: v for k, v in environment.items() if k != "PYTHONUNBUFFERED"},
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        seen = os.read(process.stdout.fileno(), 1 << 20)
        assert seen.endswith(b"\n")
        assert len(seen) < 4096
        process.terminate()


def test_a_text_goes_on_from_its_state(write: Any, tmp_path: Path) -> None:
    """In as many calls as one likes, from and to the same file, with a phrase in between."""
    state = tmp_path / "state"
    whole = write("--seed", "The tide", "-n", 90, "--repetition-penalty", 1.1)
    words = ["-n", 30, "--save-state", state, "--repetition-penalty", 1.1]
    parts = [write("--seed", "The tide", *words)]
    parts += [write("--load-state", state, *words) for _ in range(2)]
    assert "".join(parts) == whole
    later = write("--load-state", state, "--seed", "And", "--random-seed", 3, "-n", 20)
    assert later == "And" + later[3:]
    assert later == write("--load-state", state, "--seed", "And", "--random-seed", 3, "-n", 20)
    (record,) = objects(write("--load-state", state, "--json", "-n", 20))
    assert record["random_seed"] is None
    assert not list(tmp_path.glob(".state*"))


def test_a_state_after_a_stop_text_and_after_lines(write: Any, tmp_path: Path) -> None:
    """The stop text counts as read: the text goes on after it."""
    state = tmp_path / "state"
    whole = write("-n", 600)
    line = write("--lines", 2, "--save-state", state)
    assert whole.startswith(line + write("--load-state", state, "-n", 20))
    stop = whole[100:103]
    before = write("--stop", stop, "--save-state", state)
    assert whole.startswith(before + stop + write("--load-state", state, "-n", 20))


def test_a_state_belongs_to_its_model(write: Any, charlstm: Run, tmp_path: Path) -> None:
    """Another model, even of the same sizes, is refused."""
    for name, seed in (("one", 1), ("two", 2)):
        save_model(make_model("ab\n", seed=seed), tmp_path / name)
    words = ["-n", 5, "-q", "--save-state", "state"]
    assert charlstm("generate", "-m", "one", *words, cwd=tmp_path).returncode == 0
    done = charlstm("generate", "-m", "two", "--load-state", "state", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"state: the state of a text of another model" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_text_leaves_its_state(
    environment: dict[str, str], trained: Path, write: Any, tmp_path: Path, number: int
) -> None:
    """What was written and what is written on make the whole."""
    state, out = tmp_path / "state", tmp_path / "out"
    words = ["-m", str(trained), "-n", "0", "--random-seed", "7", "--save-state", str(state)]
    with out.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "charlstm", "generate", *words], env=environment, stdout=stream
        )
        deadline = time.monotonic() + 60
        while out.stat().st_size < 500:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        assert process.wait(60) == -number
    begun = out.read_text()
    going_on = write("--load-state", state, "-n", 50)
    assert write("-n", len(begun) + 50) == begun + going_on


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_no_state_of_a_text_that_was_not_written(
    environment: dict[str, str], trained: Path, tmp_path: Path
) -> None:
    """The disk of the text is full: the state stays what it was."""
    line = f"charlstm generate -q -m {trained} -n 99 --save-state state >/dev/full"
    done = shell(line, environment, tmp_path)
    assert done.returncode == 1
    assert b"No space left" in done.stderr
    assert not list(tmp_path.iterdir())


FORMS = [
    "-n 0",
    "-n 0 --stop zzz",
    "-n 0 --novel 500 --corpus {play}",
    "--samples 999999 -n 50",
    "--samples 999999 -n 50 --json",
    "--each-line --seed-file lines",
]


@pytest.mark.parametrize("form", FORMS)
def test_each_form_ends_with_its_reader(
    environment: dict[str, str], trained: Path, play: Path, tmp_path: Path, form: str
) -> None:
    """``| head`` ends every kind of writing, by the signal and in silence."""
    (tmp_path / "lines").write_text("The\n" * 9999)
    line = f"charlstm generate -m {trained} -q {form.format(play=play)} | head -n 3; "
    done = shell(line + "echo ${PIPESTATUS[0]} >&2", environment, tmp_path)
    assert done.stdout.count(b"\n") == 3
    assert done.stderr == b"141\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("form", FORMS)
def test_a_full_disk_ends_each_form_in_one_line(
    environment: dict[str, str], trained: Path, play: Path, tmp_path: Path, form: str
) -> None:
    """At the first line that is flushed, also where the text has no end."""
    (tmp_path / "lines").write_text("The\n" * 9999)
    line = f"charlstm generate -m {trained} -q {form.format(play=play)} >/dev/full"
    done = shell(line, environment, tmp_path)
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"No space left" in done.stderr


EVIL = "\x1b]0;x\x07\x9b31m\u202e\x00"


@pytest.mark.parametrize(
    "form",
    [
        "",
        "--samples 3",
        "--samples 3 --separator ;",
        "--json --samples 3",
        "--stop abc",
        "--novel 99 --corpus text",
        "--each-line --seed-file lines",
        "--seed-file lines",
    ],
)
def test_no_form_reaches_a_terminal_as_control_sequence(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """Visible instead, in seed phrases and in texts."""
    monkeypatch.chdir(tmp_path)
    save_model(make_model("".join(sorted(set(EVIL) | {"\n"}))), tmp_path / "model")
    (tmp_path / "lines").write_text("\x1b]0\n0;\x07\n")
    (tmp_path / "text").write_text("x;" * 99)
    shown = terminal(f"generate -m model --random-seed 1 -n 200 {form}", environment).read()
    assert ("\\u001b" if "--json" in form else "^[") in shown
    assert not set(EVIL) & set("\x1b\x07\x9b\u202e\x00") & set(shown)


def test_ctrl_c_on_a_terminal_ends_an_endless_text(
    environment: dict[str, str], trained: Path, tmp_path: Path
) -> None:
    """By the signal; with a state the text goes on later."""
    for more in ("", f" --save-state {tmp_path}/state"):
        child = terminal(f"generate -q -m {trained} -n 0{more}", environment)
        child.expect("\n.*\n")
        child.sendintr()
        child.expect(pexpect.EOF)
        child.close()
        assert child.signalstatus == signal.SIGINT
    assert (tmp_path / "state").is_file()


@pytest.mark.parametrize("count", [2, 100])
def test_ctrl_c_ends_many_texts(environment: dict[str, str], trained: Path, count: int) -> None:
    """At once, though the texts are far from finished; no thread goes on with them."""
    words = ["-q", "-m", str(trained), "--samples", str(count), "-n", "0", "--stop", "k" * 16]
    with subprocess.Popen(
        [sys.executable, "-m", "charlstm", "generate", *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        try:
            said = process.communicate(timeout=20)
        finally:
            process.kill()
    assert said == (b"", b"")
    assert process.returncode == -signal.SIGINT


def test_a_lowercase_model_reads_every_text_in_lower_case(charlstm: Run, tmp_path: Path) -> None:
    """Stop texts, bans and the corpus of ``--novel`` as well as the seed phrase; Python alike."""
    save_model(make_model("abc\n", lowercase=True), tmp_path / "model")
    (tmp_path / "upper").write_text("ABCA\n")
    (tmp_path / "lower").write_text("abca\n")

    def written(*words: object) -> str:
        words = ("generate", "-m", "model", "--random-seed", 1, "-t", 2, *words)
        done = charlstm(*words, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout.decode()

    whole = written("-n", 300)
    for upper in (["--stop", "CA"], ["--ban", "A"], ["--novel", "3", "--corpus", "upper"]):
        lower = [word.lower() for word in upper]
        assert written("-n", 300, *upper) == written("-n", 300, *lower) != whole
    model = package.load(tmp_path / "model")
    for upper, lower in (
        ({"stop": "CA"}, {"stop": "ca"}),
        ({"stop": ["CA"]}, {"stop": "ca"}),
        ({"ban": "A"}, {"ban": "a"}),
    ):
        one, two = (model.generate(length=300, random_seed=1, **how) for how in (upper, lower))
        assert "".join(one) == "".join(two)


@pytest.mark.parametrize("locale", ["C", "en_US.ISO-8859-1"])
def test_texts_in_options_are_utf8_in_any_locale(
    charlstm: Run, tmp_path: Path, locale: str
) -> None:
    """Stop texts, bans, separators, phrases from files and JSON."""
    save_model(make_model("é€😀\n"), tmp_path / "model")
    env = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

    def written(*words: object, **options: Any) -> str:
        words = ("generate", "-m", tmp_path / "model", "--random-seed", 1, "-t", 2, *words)
        done = charlstm(*words, env=env, **options)
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout.decode("utf-8")

    whole = written("-n", 200)
    assert set(whole) == set("é€😀\n")
    assert written("-n", 200, "--stop", "é€") == whole.partition("é€")[0]
    assert set(written("-n", 200, "--ban", "é😀")) == set("€\n")
    assert written("-n", 3, "--separator", "→") == whole[:3] + "→"
    (line,) = objects(written("--each-line", "--json", input="😀é\n".encode()))
    assert line["seed"] == "😀é"
    assert written("--seed-file", "-", input="€".encode()).startswith("€")


@pytest.mark.parametrize("form", ["-n 20", "--samples 2 -n 20", "--samples 2 --separator ;"])
def test_a_prompt_begins_on_a_line_of_its_own(
    environment: dict[str, str], trained: Path, form: str
) -> None:
    """On a terminal the last line is ended."""
    shown = terminal(f"generate -q -m {trained} --random-seed 5 {form}", environment).read()
    assert shown.endswith("\n")
    assert not shown.endswith("\n\n\n")


def test_repeatable_options_from_the_environment(charlstm: Run, trained: Path) -> None:
    """Values are separated by spaces."""
    words = ["generate", "-m", trained, "--random-seed", 1, "-n", 90]
    variables = {"CHARLSTM_GENERATE_STOP": "o a"}
    expected = charlstm(*words, "--stop", "o", "--stop", "a").stdout
    assert charlstm(*words, env=variables).stdout == expected


def test_the_help_teaches_by_pipelines(charlstm: Run) -> None:
    """Short, and each option on it."""
    said = charlstm("generate", "--help").stdout.decode()
    assert "| fold -s" in said
    assert "| jq" in said
    assert re.search(r"--top-p\s+P\s+Choose among the", said)
    assert max(map(len, said.splitlines())) <= 80


def test_memory_does_not_grow_with_the_text(
    environment: dict[str, str], trained: Path, tmp_path: Path
) -> None:
    """With every filter on, thirty times the text takes no more."""
    filters = "--top-k 9 --top-p 0.9 --min-p 0.01 --repetition-penalty 1.1 --stop zzzz"
    code = f"""
import resource, sys
from charlstm.cli.main import main
main({["generate", "-m", str(trained), "-q", *filters.split()]} + ["-n", sys.argv[1]])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""
    peaks = [
        int(
            subprocess.run(
                [sys.executable, "-c", code, str(length)],
                env=environment,
                capture_output=True,
                check=True,
                timeout=120,
            ).stderr
        )
        for length in (1000, 30_000)
    ]
    assert peaks[1] < peaks[0] * 1.05


def test_a_stop_text_is_kept_where_this_is_asked_for(write: Any, tmp_path: Path) -> None:
    """At the end of a stream, of texts side by side and of lines, and before a saved state."""
    whole = write("-n", 400, "--no-echo")
    stop = whole[50:53]
    before = whole.partition(stop)[0]
    words = ["--no-echo", "--stop", stop, "--keep-stop"]
    assert write(*words) == before + stop
    records = objects(write(*words, "--json", "--samples", 3, "-n", 5000, "--stop", "zzz"))
    assert [record["stop"] for record in records] == 3 * [stop]
    assert all(record["text"].endswith(stop) for record in records)
    words = ["--each-line", "-n", 5000, "--stop", "e", "--keep-stop", "--json"]
    records = objects(write(*words, input=b"a\nb\n"))
    assert all((r["end"], r["stop"]) in (("stop", "e"), ("lines", None)) for r in records)
    assert any(record["text"].endswith("e") for record in records)
    state = tmp_path / "state"
    begun = write("--no-echo", "--stop", stop, "--keep-stop", "--save-state", state)
    assert (begun + write("--load-state", state, "-n", 400))[:400] == whole


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-n 20 --stop zzz", "the text was cut at 20 characters, before a stop text came"),
        ("-n 20 --lines 9", "the text was cut at 20 characters, before 9 line ends came"),
        (
            "-n 20 --lines 1 --stop zzz --json --ban e",
            "the text was cut at 20 characters, before a stop text or a line end came",
        ),
        (
            "-n 20 --lines 9 --samples 3",
            "3 of 3 texts were cut at 20 characters, before 9 line ends came",
        ),
        ("--stop zzz", "the text was cut at 1,000 characters, before a stop text came"),
        ("-n 2 --each-line", "2 of 2 texts were cut at 2 characters, before a line end came"),
    ],
)
def test_a_text_that_is_cut_before_its_end_is_reported(
    charlstm: Run, tmp_path: Path, words: str, said: str
) -> None:
    """In one message for all texts; a text whose length alone was asked for is whole."""
    save_model(make_model("abe\n"), tmp_path / "model")
    call = ["generate", "-m", tmp_path / "model", "--random-seed", 7, *words.split()]
    done = charlstm(*call, input=b"a\nb\n")
    assert (done.returncode, done.stderr.decode()) == (0, f"{said}; --length N allows more\n")
    assert charlstm(*call, "-q", input=b"a\nb\n").stderr == b""
    if "--json" in words:
        assert [(r["end"], r["stop"]) for r in objects(done.stdout.decode())] == [("length", None)]


@pytest.mark.parametrize("command", [("generate", "-n", 5, "--random-seed", 1), ("predict", "To")])
def test_a_temperature_that_is_hardly_meant_is_questioned(
    charlstm: Run, trained: Path, command: tuple[object, ...]
) -> None:
    """In one line, and what was asked for is done."""
    name, *words = command
    done = charlstm(name, "-m", trained, *words, "-t", 7)
    said = b"a temperature of 7 gives nearly random characters; 0.5 to 1.2 is usual\n"
    assert (done.returncode, done.stderr) == (0, said)
    assert done.stdout
    for usual in (["-t", 2], ["-t", 7, "-q"]):
        assert charlstm(name, "-m", trained, *words, *usual).stderr == b""
