"""Which files a corpus is made of: directories with all below them, patterns, and its name."""

import json
import os
import shlex
import sys
from pathlib import Path

import pytest

from charlstm.errors import CorpusError, OptionError
from charlstm.text.corpus import open_corpus, survey
from charlstm.text.decoding import TextOptions

from .conftest import VERSE, Run
from .test_train_command import SMALL, same_weights


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are relative to where one is."""
    monkeypatch.chdir(tmp_path)


def write(*names: str, text: str = "text\n") -> None:
    """Make files, and the directories above them."""
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def read(*places: str, **how: str) -> list[str]:
    """The names of the files that a corpus is made of, in order."""
    return [source.label for source in open_corpus(places, TextOptions(**how)).sources]


TREE = (
    "t/b.txt", "t/a.txt", "t/B.txt", "t/a/z.txt", "t/a/b/c.txt", "t/a.md", "t/a/m.py", "t/a!.txt",
    "t/.hidden.txt", "t/.git/x.txt", "t/.git/x.py", "t/a/.x.py", "t/TXT.TXT",
)  # fmt: skip


@pytest.mark.parametrize(
    ("glob", "names"),
    [
        (None, "t/B.txt t/TXT.TXT t/a/b/c.txt t/a/z.txt t/a!.txt t/a.txt t/b.txt"),
        ("*.py", "t/a/m.py"),
        ("?.[tm]*", "t/B.txt t/a/b/c.txt t/a/z.txt t/a.md t/a.txt t/b.txt"),
        ("a.md", "t/a.md"),
    ],
)
def test_a_directory_is_read_with_all_below_it(glob: str | None, names: str) -> None:
    """Sorted name by name on every level, and nothing that is hidden."""
    write(*TREE)
    assert read("t", **({"glob": glob} if glob else {})) == names.split()


def test_a_file_is_read_whatever_the_pattern() -> None:
    """The pattern chooses in directories; who names a file means it."""
    write("t/a.py", "b.md")
    assert read("b.md", "t", glob="*.py") == ["b.md", "t/a.py"]


def test_links_are_followed_but_not_in_circles() -> None:
    """Each directory is read once, whatever leads to it; a broken link leads nowhere."""
    write("t/a/a.txt", "outside/o.txt")
    Path("t/a/up").symlink_to("..")
    Path("t/a/self").symlink_to(".")
    Path("t/b").symlink_to("a")
    Path("t/far").symlink_to(Path("outside").absolute())
    Path("t/gone").symlink_to("nowhere")
    Path("t/loop.txt").symlink_to("loop.txt")
    Path("t/one.txt").symlink_to("a/a.txt")
    assert read("t") == ["t/a/a.txt", "t/far/o.txt", "t/one.txt"]


def test_directories_that_meet_again_and_again_are_read_in_no_time() -> None:
    """Of two links on each of forty levels come 2^40 ways down, and one file."""
    for level in range(40):
        Path(f"l{level}").mkdir()
        for name in ("x", "y"):
            Path(f"l{level}", name).symlink_to(Path(f"l{level + 1}").absolute())
    write("l40/end.txt")
    assert len(read("l0")) == 1


def test_runs_below_a_directory_are_no_corpus() -> None:
    """What a run writes of itself must not be part of the text when it goes on."""
    write(
        "a.json",
        "runs/x/metrics.json",
        "runs/x/state.safetensors",
        "runs/y/b.json",
        "runs/note.json",
    )
    write("runs/y/model.safetensors")
    assert read(".", glob="*.json") == ["a.json", "runs/note.json"]
    assert read("runs/x", glob="*.json") == ["runs/x/metrics.json"]


@pytest.mark.parametrize("glob", ["", "src/*.py", "a\0", "\udce9*", "x" * 1001])
def test_a_pattern_that_can_match_no_name_is_refused(glob: str) -> None:
    """It is compared with names of files, which have no slash."""
    write("t/a.txt")
    for place in ("t", "t/a.txt"):
        with pytest.raises(OptionError, match=r"^glob "):
            read(place, glob=glob)


def test_a_directory_without_such_files_is_named() -> None:
    """With the pattern, which may be what is wrong."""
    write("t/a.txt", "t/.git/x.py")
    with pytest.raises(CorpusError, match=r"t: no \*\.py files in this directory or below"):
        read("t", glob="*.py")


def test_what_a_directory_leaves_out_is_said() -> None:
    """In one line, shortened if it is much; what is hidden is not meant, and all is not said."""
    write("t/a.txt", "t/chapter1.md", "t/deep/notes.rst", "t/.hidden")
    notes: list[str] = []
    "".join(open_corpus(["t"], TextOptions()).chunks(notes))
    assert notes == ["t: 1 of 3 files: *.txt; left out: chapter1.md, deep/notes.rst"]
    write(*(f"t/{number}.md" for number in range(9)))
    assert open_corpus(["t"], TextOptions()).notes == (
        "t: 1 of 12 files: *.txt; left out: 0.md, 1.md and 9 other files",
    )
    assert open_corpus(["t/deep"], TextOptions(glob="*.RST")).notes == ()
    with pytest.raises(CorpusError, match=r"no \*\.py files .*, only 0\.md, 1\.md and 10 other"):
        open_corpus(["t"], TextOptions(glob="*.py"))


@pytest.mark.parametrize(
    ("address", "command"),
    [
        ("https://example.org/books/play.txt", "curl -L -o play.txt https://example.org/books/"),
        ("HTTP://example.org/a%20b.txt?x=1#y", "curl -L -o a%20b.txt 'HTTP://example.org/a%20b"),
        ("https://example.org/", "curl -L -o text.txt https://example.org/"),
        ("https://example.org", "curl -L -o text.txt https://example.org"),
    ],
)
@pytest.mark.parametrize("call", [["vocab"], ["score"], ["generate", "--seed-file"]])
def test_an_address_is_to_be_downloaded_first(
    charlstm: Run, call: list[str], address: str, command: str
) -> None:
    """Nothing is downloaded without being asked to; the message says how."""
    done = charlstm(*call, address)
    assert done.returncode == 1
    said = done.stderr.decode().splitlines()[-1]
    assert said.startswith(f"charlstm: error: {address}: an address, not a file; download it first")
    assert command in said


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_a_directory_that_cannot_be_read_is_an_error() -> None:
    """To learn from a part only would be worse."""
    write("t/a.txt", "t/closed/b.txt")
    Path("t/closed").chmod(0)
    with pytest.raises(CorpusError, match="t/closed: cannot be read: Permission denied"):
        read("t")


@pytest.mark.parametrize(
    ("places", "name"),
    [
        (["src"], "src"),
        (["src/__init__.py"], "__init__"),
        (["src/__init__.py", "src/a.py"], "src"),
        (["src/a.py", "src/deep/b.py"], "src"),
        (["src/deep/b.py", "src/a.py", "src"], "src"),
        (["src/deep", "src/other"], "src"),
        (["one.txt", "two.txt"], "here"),
        (["./one.txt", "src/../two.txt"], "here"),
        (["../up.txt", "../up2.txt"], "above"),
        (["one.txt", "src/a.py"], "one+1"),
        (["src/a.py", "src2/b.py", "one.txt"], "a+2"),
        (["src", "src2"], "src+1"),
        (["../up.txt", "one.txt"], "up+1"),
        (["src/a.py", "-"], "a+1"),
    ],
)
def test_a_corpus_of_several_files_has_the_name_of_their_directory(
    places: list[str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If they have one that somebody meant; else that of the first, and how many more."""
    base = Path("above/here")
    for file in (
        "src/__init__.py", "src/a.py", "src/t.txt", "src/deep/b.py", "src/deep/t.txt",
        "src/other/t.txt", "src2/b.py", "src2/t.txt", "one.txt", "two.txt", "../up.txt",
        "../up2.txt",
    ):  # fmt: skip
        write(str(base / file))
    monkeypatch.chdir(base)
    with open(os.devnull) as nothing:  # noqa: PTH123 (standard input)
        monkeypatch.setattr(sys, "stdin", nothing)
        assert open_corpus(places, TextOptions()).name == name
        whole = [place if place == "-" else str(Path(place).absolute()) for place in places]
        assert open_corpus(whole, TextOptions()).name == name


def test_what_many_files_have_in_common_is_said_once() -> None:
    """A note a kind of change, and not a file."""
    write(*(f"t/{number}.txt" for number in range(9)), text="a\r\n")
    notes: list[str] = []
    "".join(open_corpus(["t"], TextOptions()).chunks(notes))
    assert notes == ["t/0.txt, t/1.txt and 7 other files: CRLF line ends read as LF"]
    write(*(f"empty/{number}.txt" for number in range(9)), text="")
    with pytest.raises(CorpusError, match=r"^empty/0.txt, empty/1.txt and 7 other files: empty"):
        survey(open_corpus(["empty"], TextOptions()))


COMMANDS = (
    "vocab t --json",
    "dataset t -o out",
    "novelty t one.txt --json",
    "generate -m {model} -n 9 --random-seed 1 --novel 5 --corpus t",
    "train t --steps 2 --hidden-size 8 -q",
)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_that_takes_a_corpus_takes_a_pattern(
    charlstm: Run, trained: Path, line: str
) -> None:
    """Without it there is no text here, and with it there is."""
    write("t/deep/a.md", "one.txt", text=VERSE)
    words = line.format(model=trained).split()
    refused = charlstm(*words)
    assert refused.returncode == 1
    assert b"t: no *.txt files" in refused.stderr
    done = charlstm(*words, "--glob", "*.md")
    assert (done.returncode, done.stderr) == (0, done.stderr), done.stderr


def test_a_run_over_a_directory_goes_on_with_the_same_files(charlstm: Run) -> None:
    """From its state, from config.toml and from the command on its card, wherever one is."""
    write("src/a.py", "src/deep/b.py", text=VERSE * 4)
    write("src/c.txt", text="other\n" * 9)
    words = ["train", "src", "--glob", "*.py", "--steps", 8, "--eval-every", 4, *SMALL]
    assert charlstm(*words).stdout == b"runs/src/model.safetensors\n"
    card = json.loads(charlstm("inspect", "runs/src", "--json").stdout)
    assert card["corpus"]["characters"] == 2 * len(VERSE * 4)
    for again in (["--config", "runs/src/config.toml"], shlex.split(card["command"])[2:]):
        done = charlstm("train", *again)
        assert done.returncode == 0, done.stderr
        assert same_weights(Path("runs/src"), Path(done.stdout.decode().strip()).parent)
    Path("elsewhere").mkdir()
    longer = charlstm("train", "--resume", "../runs/src", "--steps", 12, cwd="elsewhere")
    assert longer.returncode == 0, longer.stderr
    Path("src").rename("moved")
    moved = charlstm("train", "moved", "--resume", "runs/src", "--steps", 16)
    assert moved.returncode == 0, moved.stderr
