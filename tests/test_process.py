"""What ``train`` sets for its whole process."""

from types import SimpleNamespace

import pytest

from charlstm.cli import process


@pytest.mark.parametrize(("answer", "settings"), [(1, [-3, -1]), (0, [-3])])
def test_freed_memory_is_kept_only_where_large_pieces_are_from_it(
    monkeypatch: pytest.MonkeyPatch, answer: int, settings: list[int]
) -> None:
    """A glibc that refuses the size of the pieces is left as it was: half of it would do harm."""
    asked: list[tuple[int, int]] = []

    def mallopt(setting: int, size: int) -> int:
        asked.append((setting, size))
        return answer

    monkeypatch.setattr(process.ctypes, "CDLL", lambda _: SimpleNamespace(mallopt=mallopt))
    monkeypatch.setattr(process.platform, "libc_ver", lambda: ("glibc", "2.31"))
    process.keep_freed_memory()
    assert [setting for setting, _ in asked] == settings
    assert asked[0][1] <= 32 << 20  # all that glibc up to 2.35 takes


@pytest.mark.parametrize("libc", [("", ""), ("musl", "1.2")])
def test_another_c_library_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, libc: tuple[str, str]
) -> None:
    """What is not glibc may have a mallopt that does nothing, or none."""
    monkeypatch.setattr(process.platform, "libc_ver", lambda: libc)
    monkeypatch.setattr(process.ctypes, "CDLL", lambda _: SimpleNamespace())
    process.keep_freed_memory()
