"""The catalogue of texts: its table, downloads from a real server, and names in place of files."""

import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pexpect
import pytest

from charlstm.errors import CorpusError, OptionError
from charlstm.text import catalogue as module
from charlstm.text.catalogue import CatalogueText, catalogue, download, find_text
from charlstm.text.corpus import open_corpus
from charlstm.text.decoding import TextOptions
from charlstm.text.sources import located

from .conftest import VERSE, Run

CONTENT = (VERSE * 300).encode()  # several chunks of a download
HALF = CONTENT[: len(CONTENT) // 2]
ANSWERS = {"wrong": b"x" * len(CONTENT), "long": CONTENT * 3, "short": HALF}


class Mirror:
    """An HTTP server on loopback that answers as ``behaviour`` says, and notes what is asked."""

    def __init__(self) -> None:
        self.behaviour = "right"
        self.asked: list[str] = []
        self.closing = threading.Event()  # ends an answer that stands still
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.asked.append(self.path)
                mirror.answer(self)

            def log_message(self, *args: Any) -> None:
                """Nothing is written."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/texts"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        if self.behaviour == "absent":
            request.send_error(404)
            return
        content = ANSWERS.get(self.behaviour, CONTENT)
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if self.behaviour == "slow":
            for start in range(0, len(content), 1 << 13):
                request.wfile.write(content[start : start + (1 << 13)])
                time.sleep(0.05)
        elif self.behaviour in ("cut off", "stands still"):
            request.wfile.write(HALF)
            if self.behaviour == "stands still":
                self.closing.wait(30)
        else:
            request.wfile.write(content)

    def close(self) -> None:
        """End the server and all its answers."""
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """A server on loopback, to which no proxy leads."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    server = Mirror()
    yield server
    server.close()


@pytest.fixture
def text(mirror: Mirror, tmp_path: Path) -> CatalogueText:
    """A text that the server has."""
    return CatalogueText(
        name="verse",
        title="Twelve Lines",
        author="Nobody",
        language="en",
        licence="CC0-1.0",
        size=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        path=tmp_path / "cache" / "charlstm" / "corpora" / "verse.txt",
        url=f"{mirror.url}/original",
    )


@pytest.fixture
def program(text: CatalogueText, tmp_path: Path) -> list[str]:
    """The command with a catalogue that has this text alone."""
    names = ("title", "author", "language", "licence", "size", "sha256", "url")
    lines = [f"{name} = {json.dumps(getattr(text, name))}" for name in names]
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / module.TABLE).write_text("\n".join(["[verse]", *lines, ""]))
    script = tmp_path / "program.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from charlstm.__main__ import main\n"
        "from charlstm.text import catalogue\n"
        f"catalogue._directory_of_the_table = lambda: Path({str(tmp_path / 'table')!r})\n"
        "sys.exit(main())\n"
    )
    return [sys.executable, str(script)]


Command = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def variables(tmp_path: Path, environment: dict[str, str]) -> dict[str, str]:
    """The environment of a user with an empty home directory."""
    home, kept = tmp_path / "home", {**environment, **dict.fromkeys(("NO_PROXY", "no_proxy"), "*")}
    home.mkdir()
    return {**kept, "HOME": str(home), "XDG_CACHE_HOME": str(tmp_path / "cache")}


@pytest.fixture
def command(program: list[str], variables: dict[str, str], tmp_path: Path) -> Command:
    """Run the command in an empty directory."""
    (tmp_path / "desk").mkdir()

    def run(*words: object, **env: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*program, *map(str, words)],
            cwd=tmp_path / "desk",
            env={**variables, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
        )

    return run


def left(text: CatalogueText) -> list[Path]:
    """What is in the cache."""
    return list(text.path.parent.iterdir()) if text.path.parent.exists() else []


# The table.


def test_every_entry_is_complete() -> None:
    """A name that needs no quotes, and for a download an address at a fixed commit."""
    texts = catalogue()
    assert len(texts) == len({text.sha256 for text in texts.values()})
    for name, text in texts.items():
        assert re.fullmatch("[a-z][a-z0-9-]*", name)
        assert re.fullmatch("[0-9a-f]{64}", text.sha256)
        assert re.fullmatch("[a-z]{2}", text.language)
        assert all((text.title, text.author, text.licence, text.size > 0))
        commit = r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/[0-9a-f]{40}/.+\.txt"
        assert text.url is None or re.fullmatch(commit, text.url)


def test_the_play_comes_with_the_program() -> None:
    """It needs no network."""
    text = find_text("cold-hythe")
    assert text.url is None
    assert text.is_present()
    assert download(text) == text.path


def test_entries_are_the_texts_that_we_have(shared_corpora: Path) -> None:
    """Size and SHA-256 are those of the real files, and no play is missing."""
    found = {}
    for name, text in catalogue().items():
        if text.url is None:
            continue
        file = text.url.rpartition("/")[2]
        data = {
            "input.txt": lambda: (shared_corpora / "tinyshakespeare.txt").read_bytes(),
            # The copy has a line end after the last name, which the original has not.
            "names.txt": lambda: (shared_corpora / "other/names.txt").read_bytes()[:-1],
        }.get(
            file,
            lambda file=file: (
                shared_corpora / "shakespeare" / file.replace("_gut", "")
            ).read_bytes(),
        )()
        found[file] = name
        assert (text.size, text.sha256) == (len(data), hashlib.sha256(data).hexdigest()), name
    plays = {f"{path.stem}_gut.txt" for path in (shared_corpora / "shakespeare").glob("*.txt")}
    assert found.keys() == {"input.txt", "names.txt", *plays}


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("mcbeth", "macbeth"), ("lear", "king-lear"), ("romeo_and_juliet", "romeo-and-juliet")],
)
def test_a_similar_name_is_suggested(wrong: str, meant: str) -> None:
    """For names that are misspelt, cut, or spelt as a file is."""
    with pytest.raises(CorpusError, match=f"^{wrong}: not a text of the catalogue") as caught:
        find_text(wrong)
    assert (caught.value.code, caught.value.values["nearest"]) == ("similar text", meant)


# Downloads.


def test_a_text_is_downloaded_once(mirror: Mirror, text: CatalogueText) -> None:
    """All of it arrives, with the permissions of any file; the second time nothing is asked."""
    arrived: list[int] = []
    assert not text.is_present()
    assert download(text, progress=arrived.append) == text.path
    assert text.path.read_bytes() == CONTENT
    assert sum(arrived) == len(CONTENT)
    (text.path.parent / "plain").touch()
    assert text.path.stat().st_mode == (text.path.parent / "plain").stat().st_mode
    (text.path.parent / "plain").unlink()
    assert text.is_present()
    mirror.close()
    assert download(text) == text.path
    assert mirror.asked == ["/texts/original"]
    assert left(text) == [text.path]


def test_a_mirror_has_the_files_by_name(mirror: Mirror, text: CatalogueText) -> None:
    """Its address may end in a slash."""
    download(text, url=mirror.url + "/")
    assert mirror.asked == ["/texts/verse.txt"]


def test_a_slow_download_arrives(mirror: Mirror, text: CatalogueText) -> None:
    """Time is limited only while nothing comes."""
    mirror.behaviour = "slow"
    assert download(text).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("behaviour", "code", "message"),
    [
        ("absent", "no answer", "the server answers 404 Not Found"),
        ("wrong", "wrong content", r"\(SHA-256 [0-9a-f]{12}, not [0-9a-f]{12}\)"),
        ("long", "wrong content", r"\(more than [\d,]+ bytes\)"),
        ("short", "wrong content", r"\([\d,]+ bytes, not [\d,]+\)"),
        ("cut off", "cut off", r"cut off after [\d,]+ of [\d,]+ bytes"),
        ("stands still", "cut off", r"cut off after [\d,]+ of [\d,]+ bytes"),
    ],
)
def test_a_failed_download_leaves_nothing(
    mirror: Mirror,
    text: CatalogueText,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: str,
    code: str,
    message: str,
) -> None:
    """No file, no part of one; and the error says what happened at which address."""
    monkeypatch.setattr(module, "TIMEOUT", 0.5)
    mirror.behaviour = behaviour
    with pytest.raises(CorpusError, match=message) as caught:
        download(text)
    assert caught.value.message.startswith(f"{text.url}: ")
    assert (caught.value.code, caught.value.values) == (code, {"name": "verse"})
    assert left(text) == []
    mirror.behaviour = "right"
    assert download(text).read_bytes() == CONTENT


def test_a_server_that_is_not_there(
    mirror: Mirror, text: CatalogueText, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused connection, and one that nobody answers."""
    monkeypatch.setattr(module, "TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(CorpusError, match=r"verse\.txt: no answer within 0\.3 seconds"):
            download(text, url=url)
    with pytest.raises(CorpusError, match=r"verse\.txt: cannot be reached") as caught:
        download(text, url=url)
    assert caught.value.code == "no answer"
    assert left(text) == []


def test_a_changed_file_is_noticed(mirror: Mirror, text: CatalogueText) -> None:
    """Of the same size or another; it is downloaded again, if that is possible."""
    download(text)
    for content in (CONTENT.replace(b"tide", b"time"), CONTENT + b"more\n", b""):
        text.path.write_bytes(content)
        assert not text.is_present()
        assert download(text).read_bytes() == CONTENT
    text.path.write_bytes(b"changed")
    mirror.behaviour = "absent"
    with pytest.raises(CorpusError, match="404"):
        download(text)
    assert text.path.read_bytes() == b"changed"


@pytest.mark.parametrize("url", ["", "/srv/texts", "ftp://host/", "https://", "file:///texts"])
def test_an_address_must_be_one(text: CatalogueText, url: str) -> None:
    """Of a web server."""
    with pytest.raises(OptionError, match=r"^url is .* must begin with https:// or http://"):
        download(text, url=url)


def test_a_cache_that_cannot_be_written(text: CatalogueText, tmp_path: Path) -> None:
    """The error names the place."""
    (tmp_path / "cache").write_text("no directory")
    with pytest.raises(CorpusError, match=r"cache.*: cannot be written: ") as caught:
        download(text)
    assert caught.value.code == "cache"


def test_the_cache_is_where_xdg_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path counts as none."""
    monkeypatch.setenv("HOME", "/home/reader")
    for value, base in (("/far", "/far"), ("near", "/home/reader/.cache"), ("", None)):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert module.cache_directory() == Path(base or "/home/reader/.cache", "charlstm/corpora")


# Names in place of files.


def test_a_file_wins_over_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a directory and a broken link; and a path is never a name."""
    monkeypatch.chdir(tmp_path)
    play = str(find_text("cold-hythe").path)
    assert located("cold-hythe") == play
    assert [located(path) for path in ("./cold-hythe", "-", "x.txt")] == [
        "./cold-hythe",
        "-",
        "x.txt",
    ]
    link = Path("cold-hythe")
    link.symlink_to("nowhere")
    assert located("cold-hythe") == "cold-hythe"
    link.unlink()
    link.write_text("my own\n")
    assert "".join(open_corpus(["cold-hythe"], TextOptions()).chunks()) == "my own\n"


def test_neither_a_file_nor_a_name(charlstm: Run, tmp_path: Path) -> None:
    """The error speaks of both, and suggests what was meant."""
    for name, expected in {
        "frobnitz": "frobnitz: no such file, and not a text of the catalogue; check the name; "
        "charlstm corpus list shows the texts of the catalogue",
        "hamlett": "hamlett: no such file, and not a text of the catalogue; did you mean hamlet? "
        "charlstm corpus list shows the texts of the catalogue",
        "macbeth.txt": "macbeth.txt: no such file; did you mean macbeth? charlstm corpus list "
        "shows the texts of the catalogue",
        "./macbeth": "./macbeth: no such file; check the name",
    }.items():
        done = charlstm("vocab", name, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr.decode() == f"charlstm: error: {expected}\n"


def test_get_prints_the_path_and_nothing_else(
    command: Command, mirror: Mirror, text: CatalogueText
) -> None:
    """One line on standard error says what is downloaded; the second time there is none."""
    assert command("corpus", "path", "verse").stderr == (
        b"charlstm: error: verse: not on this machine; charlstm corpus get verse downloads it\n"
    )
    for said in (f"verse: downloading 100.5 kB from {text.url}\n", ""):
        done = command("corpus", "get", "verse")
        assert (done.returncode, done.stdout.decode()) == (0, f"{text.path}\n")
        assert done.stderr.decode() == said
    assert mirror.asked == ["/texts/original"]
    assert command("corpus", "path", "verse").stdout.decode() == f"{text.path}\n"
    text.path.write_bytes(b"changed")
    assert command("corpus", "path", "verse").returncode == 1
    again = command("corpus", "get", "verse").stderr.decode().splitlines()
    assert again[0] == f"{text.path}: not the text of the catalogue, downloaded again"
    text.path.unlink()
    assert command("corpus", "get", "verse", "-q").stderr == b""


def test_list_says_what_is_there(command: Command, text: CatalogueText) -> None:
    """In a pipe all columns; as JSON all that is known, with the path once it is there."""
    header = "name\ttitle\tauthor\tlanguage\tlicence\tsize\tcached\n"
    row = f"verse\tTwelve Lines\tNobody\ten\tCC0-1.0\t{text.size}\t"
    assert command("corpus").stdout.decode() == f"{header}{row}no\n"
    assert json.loads(command("corpus", "list", "--json").stdout)["path"] is None
    assert json.loads(command("corpus", "get", "verse", "--json").stdout)["name"] == "verse"
    done = command("corpus", "list", "verse")
    assert (done.stdout.decode(), done.stderr) == (f"{header}{row}yes\n", b"")
    told = json.loads(command("corpus", "list", "--json").stdout)
    assert told == {
        **{name: getattr(text, name) for name in ("name", "title", "author", "language")},
        **{name: getattr(text, name) for name in ("licence", "sha256", "url")},
        "bytes": text.size,
        "path": str(text.path),
    }


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["get"], 2, "get needs the name of a text; charlstm corpus list shows them"),
        (["path"], 2, "path needs the name of a text"),
        (["list", "--url", "http://x"], 2, "--url is for get, not for list; leave it out"),
        (["get", "verse", "--url", "x"], 2, "--url is 'x'; it must begin with https:// or http://"),
        (["get", "verses"], 1, "verses: not a text of the catalogue; did you mean verse?"),
        (["fetch", "verse"], 2, "'fetch' is not one of 'list', 'get', 'path'"),
    ],
)
def test_wrong_calls(command: Command, words: list[str], status: int, message: str) -> None:
    """One line says what to do."""
    done = command("corpus", *words)
    assert (done.returncode, done.stdout) == (status, b"")
    assert message in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


def test_mirrors_are_named_by_option_and_variable(
    command: Command, mirror: Mirror, text: CatalogueText
) -> None:
    """The variable is that of the option, and every command heeds it."""
    for words, env in (
        (("corpus", "get", "verse", "--url", mirror.url), {"CHARLSTM_CORPUS_URL": "http://no"}),
        (("corpus", "get", "verse"), {"CHARLSTM_CORPUS_URL": mirror.url}),
        (("vocab", "verse"), {"CHARLSTM_CORPUS_URL": mirror.url}),
    ):
        done = command(*words, **env)
        assert done.returncode == 0, done.stderr
        assert f"from {mirror.url}/verse.txt\n" in done.stderr.decode()
        text.path.unlink()
    assert mirror.asked == ["/texts/verse.txt"] * 3


def test_no_network_is_one_clear_line(command: Command, mirror: Mirror) -> None:
    """It says at which address nobody answers, and what can be done."""
    mirror.close()
    for words in (("corpus", "get", "verse"), ("train", "verse")):
        done = command(*words)
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr.decode().splitlines()[1:] == [
            f"charlstm: error: {mirror.url}/original: cannot be reached; check the network, or "
            f"name a mirror: charlstm corpus get verse --url URL (for all commands: the variable "
            f"CHARLSTM_CORPUS_URL)"
        ]


def test_a_name_is_a_corpus_for_every_command(
    command: Command, mirror: Mirror, trained: Path
) -> None:
    """It is downloaded by the first; then the server may be gone."""
    text = "verse: Twelve Lines, Nobody, from the catalogue\n"
    done = command("vocab", "verse", "--json")
    assert json.loads(done.stdout)["corpus"] == "verse"
    assert done.stderr.decode().endswith(text)
    mirror.close()
    model = ["-m", str(trained)]
    for words in (
        ("dataset", "verse", "-o", "verse.data"),
        ("evaluate", "verse", *model, "--json"),
        ("novelty", "verse", "verse", "--json"),
        ("generate", *model, "-n", 9, "--novel", 9, "--corpus", "verse"),
    ):
        done = command(*words)
        assert done.returncode == 0, done.stderr
        assert text in done.stderr.decode()
        assert text not in command(*words, "-q").stderr.decode()


def test_train_takes_a_name(command: Command, mirror: Mirror, tmp_path: Path) -> None:
    """The run and the corpus have its name; the text comes from a mirror; it can be resumed."""
    words = ("--steps", 5, "--hidden-size", 8)
    done = command("train", "verse", *words, CHARLSTM_CORPUS_URL=mirror.url)
    assert (done.returncode, done.stdout) == (0, b"runs/verse/model.safetensors\n"), done.stderr
    assert mirror.asked == ["/texts/verse.txt"]
    card = json.loads(command("inspect", "runs/verse", "--json").stdout)
    assert card["corpus"]["name"] == "verse"
    assert card["corpus"]["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert "charlstm train verse " in card["command"]
    done = command("train", "--resume", "runs/verse", "--steps", 8)
    assert done.returncode == 0, done.stderr


def test_a_terminal_shows_a_bar(
    program: list[str], variables: dict[str, str], mirror: Mirror, text: CatalogueText
) -> None:
    """It goes when the download is complete, and the path remains."""
    mirror.behaviour = "slow"
    child = pexpect.spawn(
        program[0], [*program[1:], "corpus", "get", "verse"], env=variables, timeout=30
    )
    child.expect(r"verse: +\d+%")
    child.expect_exact(f"{text.path}\r\n")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_control_c_leaves_no_text(
    program: list[str], variables: dict[str, str], mirror: Mirror, text: CatalogueText
) -> None:
    """The command ends by the signal, and the next download removes what has arrived."""
    mirror.behaviour = "stands still"
    command = [*program, "corpus", "get", "verse"]
    process = subprocess.Popen(command, env=variables, stderr=subprocess.PIPE)
    limit = time.monotonic() + 30
    while not any(path.stat().st_size for path in left(text)) and time.monotonic() < limit:
        time.sleep(0.05)
    assert left(text) != []
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert not text.path.exists()
    mirror.behaviour = "right"
    assert download(text) == text.path
    assert left(text) == [text.path]
