"""Files and directories that are written whole: their modes, and what killed processes leave."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from charlstm.files import atomic_directory, atomic_file, leftovers, sweep, write_atomically

WRITES = {
    "file": "from charlstm.files import atomic_file as writing",
    "directory": "from charlstm.files import atomic_directory as writing",
}


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def at_work(kind: str, path: Path) -> subprocess.Popen[str]:
    """A process that writes ``path``, and is in the middle of it."""
    code = f"{WRITES[kind]}\nimport pathlib\nwith writing(pathlib.Path({str(path)!r})):\n"
    code += "    print('begun', flush=True)\n    input()\n"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "begun\n"
    return process


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o444])
def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    """What its owner allowed or forbade is true for the new content, too."""
    path = tmp_path / "state"
    path.write_bytes(b"old")
    path.chmod(mode)
    with atomic_file(path) as file:
        file.write(b"new")
        (written,) = leftovers(path)
        assert stat.S_IMODE(written.stat().st_mode) == mode
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", mode)


def test_the_umask_of_the_process_is_never_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread could make a file meanwhile; the kernel applies the mask to a new file."""
    (tmp_path / "plain").touch()
    (tmp_path / "plain directory").mkdir()
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the umask was set"))
    write_atomically(tmp_path / "file", b"new")
    with atomic_directory(tmp_path / "directory"):
        pass
    for ours, plain in (("file", "plain"), ("directory", "plain directory")):
        assert (tmp_path / ours).stat().st_mode == (tmp_path / plain).stat().st_mode


@pytest.mark.parametrize("kind", WRITES)
def test_what_a_killed_process_left_is_removed(tmp_path: Path, kind: str) -> None:
    """By the next one that writes the same name; what is of another name stays."""
    path = tmp_path / "a[b].txt"
    process = at_work(kind, path)
    process.kill()
    process.communicate()
    (tmp_path / ".other.0123abcd.tmp").touch()
    (tmp_path / ".a[b].txt.backup.tmp").touch()
    assert len(leftovers(path)) == 1
    write_atomically(path, b"new")
    assert names(tmp_path) == [".a[b].txt.backup.tmp", ".other.0123abcd.tmp", "a[b].txt"]


@pytest.mark.parametrize("kind", WRITES)
def test_what_a_living_process_writes_stays(tmp_path: Path, kind: str) -> None:
    """Two may write the same name at once, and the last one to end has its way."""
    path = tmp_path / "both"
    process = at_work(kind, path)
    sweep(path)
    assert len(leftovers(path)) == 1
    assert process.communicate("\n") == ("", None)
    assert process.returncode == 0
    assert names(tmp_path) == ["both"]


def test_a_link_among_the_leftovers_is_not_followed(tmp_path: Path) -> None:
    """It may lead to any file of the user, or be a pipe that nobody writes."""
    (tmp_path / "precious").touch()
    (tmp_path / ".path.0123abcd.tmp").symlink_to(tmp_path / "precious")
    os.mkfifo(tmp_path / ".path.4567ef89.tmp")
    sweep(tmp_path / "path")
    assert names(tmp_path) == [".path.0123abcd.tmp", "precious"]


def test_many_who_write_and_sweep_one_name_do_not_disturb_each_other(tmp_path: Path) -> None:
    """A file is swept only if its process is dead, also in the moment before it is locked."""
    path, faults = tmp_path / "path", []

    def write(number: int) -> None:
        try:
            for _ in range(50):
                write_atomically(path, bytes([number]) * 99)
        except OSError as fault:
            faults.append(fault)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(set(path.read_bytes())) == 1
    assert names(tmp_path) == ["path"]
