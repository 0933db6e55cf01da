"""Encoded texts: memory maps, splits, windows, and arrays for other tools."""

import hashlib
import json
import os
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charlstm.errors import CorpusError, OptionError
from charlstm.text.corpus import Corpus, Fingerprint, Survey, open_corpus, survey
from charlstm.text.dataset import (
    Dataset,
    encode_corpus,
    load_dataset,
    open_dataset,
    release,
    write_dataset,
)
from charlstm.text.decoding import TextOptions
from charlstm.text.vocabulary import Vocabulary
from charlstm.text.windows import windows, write_npz


def corpus(tmp_path: Path, text: str, **options: Any) -> Corpus:
    path = tmp_path / "text.txt"
    path.write_text(text)
    return open_corpus([str(path)], TextOptions(**options))


def test_ids_spell_the_text(tmp_path: Path) -> None:
    """What is encoded decodes to what was read."""
    text = "to be\nor not \u00e9 \U0001f600\n" * 50
    dataset = encode_corpus(corpus(tmp_path, text))
    assert dataset.vocabulary.decode(dataset.ids) == text
    assert dataset.fingerprint.characters == len(text)


def test_a_dataset_on_disk_is_the_one_in_memory(tmp_path: Path) -> None:
    """Raw ids beside a description that any program can read."""
    source = corpus(tmp_path, "to be or not to be\n" * 9, lowercase=True)
    written = write_dataset(source, tmp_path / "made" / "data")
    opened = open_dataset(tmp_path / "made" / "data")
    assert opened.vocabulary == written.vocabulary
    assert opened.fingerprint == written.fingerprint
    assert opened.text == source.options
    assert np.array_equal(opened.ids, encode_corpus(source).ids)
    description = json.loads((tmp_path / "made" / "data" / "dataset.json").read_text())
    raw = np.fromfile(tmp_path / "made" / "data" / "ids.bin", dtype=description["dtype"])
    assert len(raw) == description["characters"]
    assert sorted(p.name for p in (tmp_path / "made").iterdir()) == ["data"]


def test_nothing_that_exists_is_written_over(tmp_path: Path) -> None:
    """Neither a directory nor a file."""
    source = corpus(tmp_path, "to be or not to be")
    for name in ("data", "data.npz"):
        (tmp_path / name).write_text("precious")
    with pytest.raises(OptionError, match="exists already"):
        write_dataset(source, tmp_path / "data")
    with pytest.raises(OptionError, match="exists already"):
        write_npz(source, tmp_path / "data.npz", window=5)
    assert (tmp_path / "data").read_text() == "precious"


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """A corpus that cannot be read makes no dataset, whole or half."""
    (tmp_path / "bad.txt").write_bytes(b"good so far \xff")
    source = open_corpus([str(tmp_path / "bad.txt")], TextOptions())
    for write in (
        lambda: write_dataset(source, tmp_path / "out"),
        lambda: write_npz(source, tmp_path / "out.npz", window=5),
    ):
        with pytest.raises(CorpusError):
            write()
    assert [p.name for p in tmp_path.iterdir()] == ["bad.txt"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 9}, "format 9"),
        ({"vocabulary": "ab"}, "agree"),
        ({"vocabulary": "aab"}, "twice"),
        ({"vocabulary": ["a", "b"]}, "not a text"),
        ({"vocabulary": "a\ud800"}, "surrogates"),
        ({"characters": 10**12}, "agree"),
        ({"corpus": {"name": 3}}, "not a valid dataset"),
        ({"text": {"encoding": "hex"}}, "hex"),
        ({"corpus": {"name": "\ud800", "sha256": "", "characters": 18}}, "surrogates"),
        ({"characters": float("inf")}, "not JSON compliant"),
        ({"characters": 10**400}, "agree"),
        ({"vocabulary": [[]] * 300_000}, "more than 262,144"),
    ],
)
def test_a_damaged_dataset_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    """Whatever its description promises."""
    write_dataset(corpus(tmp_path, "to be or not to be"), tmp_path / "data")
    path = tmp_path / "data" / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CorpusError, match=said):
        open_dataset(tmp_path / "data")


def test_ids_that_are_not_those_that_were_written_are_refused(tmp_path: Path) -> None:
    """A model would be trained, or a run resumed, on another text than its name says."""
    write_dataset(corpus(tmp_path, "to be or not to be"), tmp_path / "data")
    with (tmp_path / "data" / "ids.bin").open("r+b") as file:
        file.write(b"\0")
    with pytest.raises(CorpusError, match="do not agree"):
        open_dataset(tmp_path / "data")


def test_an_id_beyond_the_vocabulary_is_refused(tmp_path: Path) -> None:
    """It would index past the embedding."""
    write_dataset(corpus(tmp_path, "to be or not to be"), tmp_path / "data")
    ids = b"\xff" + (tmp_path / "data/ids.bin").read_bytes()[1:]
    (tmp_path / "data/ids.bin").write_bytes(ids)
    path = tmp_path / "data" / "dataset.json"
    digest = {"ids_sha256": hashlib.sha256(ids).hexdigest()}
    path.write_text(json.dumps(json.loads(path.read_text()) | digest))
    with pytest.raises(CorpusError, match="do not agree"):
        open_dataset(tmp_path / "data")


def test_a_dataset_is_not_read_anew_with_other_options(tmp_path: Path) -> None:
    """Options that a made dataset cannot follow are an error, not ignored."""
    write_dataset(corpus(tmp_path, "To be or not to be"), tmp_path / "data")
    assert len(load_dataset([str(tmp_path / "data")], TextOptions()).ids) == 18
    with pytest.raises(OptionError, match="as it was made"):
        load_dataset([str(tmp_path / "data")], TextOptions(lowercase=True))


def test_rare_characters_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    """The ids are of the text without them."""
    dataset = encode_corpus(corpus(tmp_path, "aXbaYba", min_count=2))
    assert dataset.vocabulary.decode(dataset.ids) == "abaab"[:2] + "aba"
    assert "2 characters seen fewer than 2 times" in dataset.notes[0]


def test_the_split_is_contiguous(tmp_path: Path) -> None:
    """The last part is held back, and both together are the text."""
    dataset = encode_corpus(corpus(tmp_path, "abcdefghij" * 10))
    train, validation = dataset.split(0.1)
    assert (len(train), len(validation)) == (90, 10)
    assert dataset.vocabulary.decode(validation) == "abcdefghij"
    assert [len(part) for part in dataset.split(0.0)] == [100, 0]


@pytest.mark.parametrize(
    ("characters", "val_fraction", "to_train_on"),
    [
        (1_115_394, 0.1, 1_003_854),  # tiny Shakespeare, split as nanoGPT splits it
        (101, 0.1, 90),
        (109, 0.1, 98),
        (100, 0.07, 93),  # 0.07 * 100 is a little more than 7 in floating point
        (100, 0.29, 71),  # and 0.29 * 100 a little less than 29
        (1000, 0.001, 999),
        (40, 0.8, 8),
        (33, 0.5, 16),
        (33, 0.0, 33),
        (30_000_001, 1_000_000 / 30_000_001, 29_000_001),
        (12_345_678, 1_000_000 / 12_345_678, 11_345_678),
    ],
)
def test_the_training_part_is_rounded_down(
    characters: int, val_fraction: float, to_train_on: int
) -> None:
    """As exact arithmetic has it, so that losses of other programs can be compared."""
    whole = Dataset(
        np.broadcast_to(np.zeros(1, np.uint8), characters),
        Vocabulary("a"),
        Fingerprint(name="a", sha256="", characters=characters),
        TextOptions(),
    )
    train, validation = whole.split(val_fraction)
    assert (len(train), len(validation)) == (to_train_on, characters - to_train_on)


@pytest.mark.parametrize(
    ("n", "window", "stride"), [(10, 3, 1), (10, 3, 4), (5, 4, 1), (100, 7, 7)]
)
def test_windows_and_what_follows_them(n: int, window: int, stride: int) -> None:
    """Sample i is ids[i * stride : i * stride + window], and y the id after it."""
    ids = np.arange(n, dtype=np.uint8)
    X, y = windows(ids, window, stride)
    starts = range(0, n - window, stride)
    assert X.tolist() == [list(range(i, i + window)) for i in starts]
    assert y.tolist() == [i + window for i in starts]


@pytest.mark.parametrize(
    ("options", "shape", "dtype"),
    [
        ({}, (95, 5), "uint8"),
        ({"normalize": True}, (95, 5, 1), "float32"),
        ({"one_hot": True}, (95, 5, 10), "bool"),
    ],
)
def test_npz_for_other_tools(
    tmp_path: Path, options: dict[str, bool], shape: tuple[int, ...], dtype: str
) -> None:
    """X, y and the characters load with numpy alone, without pickle."""
    write_npz(corpus(tmp_path, "abcdefghij" * 10), tmp_path / "data.npz", window=5, **options)
    with np.load(tmp_path / "data.npz", allow_pickle=False) as data:
        X, y, characters = data["X"], data["y"], data["characters"]
    assert X.shape == shape
    assert X.dtype == dtype
    assert "".join(characters) == "abcdefghij"
    ids = X.argmax(-1) if "one_hot" in options else X[..., 0] * 10 if options else X
    assert "".join(characters[np.rint(ids[3]).astype(int)]) == "defgh"
    assert characters[y[3]] == "i"


def test_npz_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    """No dates inside; and blocks make no difference to one array."""
    source = corpus(tmp_path, "abcdefghij" * 10)
    for name in ("one.npz", "two.npz"):
        write_npz(source, tmp_path / name, window=5, stride=3)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.npz") as archive:
        assert archive.testzip() is None


def test_windows_longer_than_the_text_are_refused(tmp_path: Path) -> None:
    """The numbers and the option to change stand in the message."""
    with pytest.raises(CorpusError, match=r"10 characters.*windows of 50"):
        write_npz(corpus(tmp_path, "abcdefghij"), tmp_path / "data.npz", window=50)
    assert not (tmp_path / "data.npz").exists()


def test_a_text_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the two passes, at the same length, in characters of the vocabulary or not."""
    for first, second in (("abab" * 9, "baba" * 9), ("abab" * 9, "abax" * 9)):
        source = corpus(tmp_path, first)

        def surveyed(given: Corpus, text: str = second) -> Survey:
            found = survey(given)
            given.sources[0].path.write_text(text)
            return found

        monkeypatch.setattr("charlstm.text.dataset.survey", surveyed)
        with pytest.raises(CorpusError, match="changed while it was read"):
            encode_corpus(source)


def test_a_directory_with_some_dataset_json_is_no_dataset(tmp_path: Path) -> None:
    """Only with the ids beside it."""
    (tmp_path / "dataset.json").write_text("{}")
    (tmp_path / "a.txt").write_text("to be or not to be")
    assert len(load_dataset([str(tmp_path)], TextOptions()).ids) == 18


def test_absurd_json_is_refused(tmp_path: Path) -> None:
    """However deeply it nests."""
    write_dataset(corpus(tmp_path, "to be or not to be"), tmp_path / "data")
    (tmp_path / "data" / "dataset.json").write_text("[" * 200_000)
    with pytest.raises(CorpusError, match="not a valid dataset"):
        open_dataset(tmp_path / "data")


def test_what_was_released_can_be_read_again(tmp_path: Path) -> None:
    """Of a map, of a part of one, and of an array that is none."""
    path = tmp_path / "ids"
    path.write_bytes(bytes(range(256)) * 64)
    ids = np.memmap(path, np.uint8, "r")
    for part in (ids, ids[100:], np.asarray(ids)):
        before = part[[0, 5000, 9000]].tolist()
        release(part)
        assert part[[0, 5000, 9000]].tolist() == before


@pytest.mark.parametrize("name", ["dataset.json", "ids.bin"])
def test_a_link_in_a_dataset_is_refused(tmp_path: Path, name: str) -> None:
    """The directory may be of unknown origin, and the link may lead to any file."""
    write_dataset(corpus(tmp_path, "to be or not to be"), tmp_path / "data")
    (tmp_path / "data" / name).rename(tmp_path / name)
    (tmp_path / "data" / name).symlink_to(tmp_path / name)
    with pytest.raises(CorpusError, match=f"{name} is a symbolic link"):
        load_dataset([str(tmp_path / "data")], TextOptions())


def test_a_pipe_in_a_dataset_is_refused(tmp_path: Path) -> None:
    """At once: nobody may ever write to it."""
    write_dataset(corpus(tmp_path, "to be or not to be"), tmp_path / "data")
    (tmp_path / "data" / "ids.bin").unlink()
    os.mkfifo(tmp_path / "data" / "ids.bin")
    with pytest.raises(CorpusError, match="is a pipe or a device"):
        open_dataset(tmp_path / "data")


@pytest.mark.parametrize(
    ("characters", "change"),
    [
        ("ab", lambda ids: ids[:-1]),
        ("ab", lambda ids: ids + b"\0"),
        ("ab", lambda ids: b""),
        ("".join(map(chr, range(32, 600))), lambda ids: ids[:-1]),
        ("".join(map(chr, range(32, 600))), lambda ids: ids + b"\0"),
        ("".join(map(chr, range(32, 600))), lambda ids: ids + b"\0\0"),
    ],
)
def test_ids_cut_short_or_grown_are_refused(
    tmp_path: Path, characters: str, change: Callable[[bytes], bytes]
) -> None:
    """By whole ids or by half of one."""
    write_dataset(corpus(tmp_path, characters * 9), tmp_path / "data")
    path = tmp_path / "data" / "ids.bin"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(CorpusError, match="not a valid dataset"):
        open_dataset(tmp_path / "data")


def test_a_description_beyond_all_bounds_is_not_read(tmp_path: Path) -> None:
    """Its size is looked at first."""
    write_dataset(corpus(tmp_path, "to be or not to be"), tmp_path / "data")
    with (tmp_path / "data" / "dataset.json").open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(CorpusError, match="more than any description"):
        open_dataset(tmp_path / "data")


def test_one_hot_needs_no_table_of_the_vocabulary(tmp_path: Path) -> None:
    """A large vocabulary squared would not fit into memory."""
    V = 5000
    path = tmp_path / "text.txt"
    path.write_text("".join(chr(0x4E00 + i) for i in range(V)) * 2)
    corpus = open_corpus([str(path)], TextOptions())
    tracemalloc.start()
    shape, _ = write_npz(corpus, tmp_path / "a.npz", window=2, stride=100, one_hot=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert shape == (100, 2, V)
    assert peak < V * V / 2
