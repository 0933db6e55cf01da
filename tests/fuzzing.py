"""Hostile files by the thousand: what hypothesis makes of sound ones, and what becomes of them.

``python -m tests.fuzzing TARGET INPUTS`` runs one target and prints its figures as JSON. A file
may be refused with a CharLSTMError; one that is accepted is used. Nothing else may happen.
"""

import io
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save
from safetensors.torch import save as save_tensors

from charlstm.analysis.curves import read_history
from charlstm.cli import chart, inspect
from charlstm.cli.console import printable
from charlstm.cli.history import in_words
from charlstm.cli.main import main
from charlstm.errors import CharLSTMError
from charlstm.language_model import LanguageModel
from charlstm.model.model_file import METADATA_KEY, load_model, save_model
from charlstm.text.corpus import open_corpus
from charlstm.text.dataset import encode_corpus, load_dataset, write_dataset
from charlstm.text.decoding import TextOptions
from charlstm.training import resume_run, train
from charlstm.training.checkpoint import METADATA_KEY as STATE_KEY
from charlstm.training.config import Settings
from charlstm.training.events import Step

from .conftest import VERSE
from .hostile import (
    SUMMARY,
    anything,
    damaged,
    dumped,
    nested,
    plain,
    read_state,
    state_bytes,
    tweaked,
)
from .writing import make_model

SECONDS = 5.0  # that an input may take
Target = tuple[st.SearchStrategy[Any], Callable[[Any], None]]


def model_file(place: Path) -> Target:
    """Loaded, described, shown, made to write five characters, and evaluated."""
    save_model(make_model("\nabcdé"), place / "model")
    (place / "text").write_text("abcd\n" * 9)
    sound = (place / "model").read_bytes()
    size = int.from_bytes(sound[:8], "little")
    outer = json.loads(sound[8 : 8 + size])
    inner = json.loads(outer["__metadata__"][METADATA_KEY])
    inner["training"] = {"steps": 3, "val_loss": 1.5, "device": "cpu"}
    tensors = load(sound)
    odd = st.sampled_from(
        [
            np.zeros((), np.float32),
            np.full((8, 6), np.nan, np.float32),
            np.full(6, np.inf, np.float16),
            np.full(6, 3e38, np.float32),
            np.zeros(6, np.int64),
            np.zeros((0, 6), np.float32),
        ]
    )

    def enclosed(header: bytes) -> bytes:
        return len(header).to_bytes(8, "little") + header + sound[8 + size :]

    def described(value: Any) -> bytes:
        return save(tensors, metadata={METADATA_KEY: dumped(value).decode()})

    def weighed(changed: dict[str, Any]) -> bytes:
        return save(changed, metadata=outer["__metadata__"])

    inputs = st.one_of(
        st.binary(max_size=200),
        damaged(sound),
        nested(outer).map(dumped).map(enclosed),
        tweaked(inner).map(described),
        st.builds(lambda s, c: described({**inner, "training": s, "command": c}), SUMMARY, plain),
        st.tuples(st.sampled_from(sorted(tensors)), odd).map(
            lambda change: weighed({**tensors, change[0]: change[1]})
        ),
    )

    def use(data: bytes) -> None:
        (place / "model").write_bytes(data)
        model = load_model(place / "model")
        card = LanguageModel(model).card
        for line in inspect._lines(card):
            "".join(map(printable, line)).encode()
        json.dumps(card, ensure_ascii=False, allow_nan=False).encode()
        with np.errstate(all="ignore"):
            assert len(list(LanguageModel(model).generate(random_seed=1, length=5))) == 5
            assert LanguageModel(model).evaluate(place / "text", unknown="skip").loss >= 0

    return inputs, use


def state_file(place: Path) -> Target:
    """A run of six steps, stopped after three, goes on from it."""
    run, text = place / "run", place / "verse.txt"
    text.write_text(VERSE)
    sizes = {"hidden_size": 4, "embedding_size": 3, "num_layers": 2}
    window = {"seq_length": 8, "batch_size": 2}
    for event in train(
        text, output=run, steps=6, eval_every=2, device="cpu", threads=1, save_every=0.0,
        **sizes, **window,
    ):  # fmt: skip
        if isinstance(event, Step) and event.step == 5:
            break
    kept = {path.name: path.read_bytes() for path in run.iterdir()}
    sound = kept["state.safetensors"]
    state = read_state(run / "state.safetensors")
    tensors = state.pop("tensors")
    odd = st.sampled_from(
        [
            torch.zeros(16, 4, dtype=torch.float64),
            torch.full((16, 4), torch.nan),
            torch.full((), -1.0),
            torch.full((3,), torch.nan),
            torch.zeros(5056, dtype=torch.uint8),
            torch.zeros(16, 4, dtype=torch.bfloat16),
            torch.zeros(0),
        ]
    )
    strange = st.dictionaries(st.sampled_from([*tensors, "more", "rng"]), odd, max_size=3)

    def described(value: Any) -> bytes:
        return state_bytes({**value, "tensors": tensors})

    def weighed(changed: dict[str, torch.Tensor]) -> bytes:
        return state_bytes({**state, "tensors": changed})

    def without(part: str) -> bytes:
        return weighed({name: tensor for name, tensor in tensors.items() if name != part})

    inputs = st.one_of(
        st.binary(max_size=200),
        damaged(sound),
        nested(state).filter(lambda value: isinstance(value, dict)).map(described),
        tweaked(state).map(described),
        tweaked(state).map(described),
        tweaked(tensors).map(weighed),
        strange.map(lambda change: weighed({**tensors, **change})),
        strange.map(weighed),
        st.sampled_from(sorted(tensors)).map(without),
        nested(state).map(
            lambda value: save_tensors(tensors, metadata={STATE_KEY: dumped(value).decode()})
        ),
    )
    lines = st.lists(st.sampled_from([b"[" * 5000, b'{"step": 1e999}', b'{"step": []}', b"\xff"]))
    metrics = st.just(kept["metrics.jsonl"])
    metrics |= damaged(kept["metrics.jsonl"]) | lines.map(b"\n".join)

    def use(data: tuple[bytes, bytes]) -> None:
        files = {**kept, "state.safetensors": data[0], "metrics.jsonl": data[1]}
        for name, content in files.items():
            (run / name).write_bytes(content)
        steps = 0

        def enough() -> bool:
            nonlocal steps
            steps += 1
            return steps > 8

        for _ in resume_run(run, should_stop=enough):
            pass
        load_model(run / "model.safetensors")

    return st.tuples(inputs, st.just(kept["metrics.jsonl"])) | st.tuples(
        st.just(sound), metrics
    ), use


def dataset_directory(place: Path) -> Target:
    """Opened, split, and decoded."""
    (place / "verse.txt").write_text(VERSE)
    write_dataset(open_corpus([str(place / "verse.txt")], TextOptions()), place / "data")
    text = (place / "data/dataset.json").read_bytes()
    ids = (place / "data/ids.bin").read_bytes()
    description = json.loads(text)
    wide = {**description, "dtype": "uint16", "vocabulary": "".join(map(chr, range(32, 900)))}
    inputs = st.tuples(
        st.one_of(
            st.binary(max_size=200),
            damaged(text),
            nested(description).map(dumped),
            tweaked(description).map(dumped),
            nested(wide).map(dumped),
            st.sampled_from([text, text.decode().encode("utf-16")]),
        ),
        st.just(ids) | damaged(ids) | st.binary(max_size=20),
    )

    def use(data: tuple[bytes, bytes]) -> None:
        (place / "data/dataset.json").write_bytes(data[0])
        (place / "data/ids.bin").write_bytes(data[1])
        dataset = load_dataset([str(place / "data")], TextOptions())
        train_ids, val_ids = dataset.split(0.1)
        dataset.vocabulary.decode(train_ids).encode()
        assert dataset.vocabulary.encode(dataset.vocabulary.decode(val_ids)).size == len(val_ids)

    return inputs, use


def settings_file(place: Path) -> Target:
    """Read by ``train`` as far as the text, which is not there."""
    sound = (
        '[train]\ncorpus = ["absent.txt"]\nhidden_size = 12\nlearning_rate = 0.01\ntime = "3m"\n'
        'lowercase = true\ndevice = "cpu"\nencoding = "utf-8"\noutput = "out"\nthreads = 1\n'
    )
    names = [*dict.fromkeys([*Settings.__dataclass_fields__, "encoding", "min_count", "output"])]
    names += ["corpus", "config", "resume", "quiet", "a.b", "'\x1b[1m'", '"\\u202e"', "help"]
    value = st.one_of(
        anything.map(json.dumps),
        st.sampled_from(
            ["0x" + "f" * 5000, "9" * 5000, "9" * 400, "-9" + "9" * 400, "nan", "-inf", "1e999",
             "[" * 5000, "{a=" * 5000, "{" + "a." * 5000 + "a=1}", '"\\u0000"', '["\\u0000"]',
             "1979-05-27T07:32:00+23:59", "07:32:00", '"""\n"""', "[[1]]", '["-"]', '["/dev/zero"]',
             "'" + "9" * 5000 + "s'"]
        ),
    )  # fmt: skip
    line = st.tuples(st.sampled_from(names), value).map(" = ".join)
    inputs = st.one_of(
        st.binary(max_size=200),
        damaged(sound.encode()),
        st.lists(line, min_size=1, max_size=3).map(
            lambda lines: "\n".join(["[train]", *lines]).encode()
        ),
        st.tuples(st.just(sound), line).map(lambda parts: "".join(parts).encode()),
        st.sampled_from(
            [b"a." * 400_000 + b"a=1", b"[" + b"'a'." * 9000 + b"a]", b" " * (2 << 20)]
        ),
    )
    stopped = CharLSTMError("the text is not read")

    def use(data: bytes) -> None:
        (place / "c.toml").write_bytes(data)
        said, piped = io.StringIO(), signal.getsignal(signal.SIGPIPE)
        with (
            mock.patch("charlstm.training.start.load_dataset", side_effect=stopped),
            redirect_stdout(said),
            redirect_stderr(said),
        ):
            status = main(["train", "--config", str(place / "c.toml")])
        signal.signal(signal.SIGPIPE, piped)
        assert status in (1, 2)
        assert said.getvalue().startswith("charlstm: error: ")
        assert said.getvalue().count("\n") == 1
        assert "internal:" not in said.getvalue(), said.getvalue()

    return inputs, use


def corpus(place: Path) -> Target:
    """Encoded, and decoded again."""
    encodings = ["utf-8", "utf-8", "utf-8", "utf-8-sig", "latin-1", "cp1252", "cp037", "utf-16",
                 "utf-16-le", "utf-32", "utf-7", "gb18030", "shift_jis", "iso2022_jp", "hz", "big5",
                 "idna", "punycode", "unicode_escape", "raw_unicode_escape", "tis-620"]  # fmt: skip
    text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
    sound = (VERSE + "é€😀\ufeff\x1b[31m\u202e\r\n").encode()
    inputs = st.tuples(
        st.one_of(
            st.binary(max_size=200),
            damaged(sound),
            text.map(lambda t: t.encode()),
            st.tuples(text, st.sampled_from(["utf-16", "utf-32", "utf-7", "gb18030"])).map(
                lambda t: t[0].encode(t[1])
            ),
        ),
        st.sampled_from(encodings),
        st.booleans(),
        st.sampled_from([1, 1, 2, 10**12]),
        st.sampled_from([1 << 20, 1, 3, 16]),
        st.sampled_from([b"a.txt", b"\x1b[1m.txt", b"a\nb.txt", b"\xff.txt", b".txt", b"-"]),
    )

    def use(data: tuple[bytes, str, bool, int, int, bytes]) -> None:
        content, encoding, lowercase, min_count, chunk, name = data
        path = place / os.fsdecode(name)
        path.write_bytes(content)
        options = TextOptions(encoding=encoding, lowercase=lowercase, min_count=min_count)
        with mock.patch("charlstm.text.decoding.CHUNK_BYTES", chunk):
            dataset = encode_corpus(open_corpus([str(path)], options))
        assert len(dataset.vocabulary.decode(dataset.ids)) == len(dataset.ids)
        assert min_count > 1 or len(dataset.ids) == dataset.fingerprint.characters
        dataset.fingerprint.name.encode()

    return inputs, use


def metrics(place: Path) -> Target:
    """Read, drawn at two widths, and put into words."""
    run = place / "run"
    run.mkdir()
    point = {
        "step": 7, "epoch": 0.5, "loss": 2.5, "learning_rate": 0.01,
        "characters_per_second": 9000, "seconds": 3.5, "val_loss": 2.25, "sample": "To be\n",
    }  # fmt: skip
    points = [{**point, "step": n, "val_loss": 2 + n % 3} for n in range(7, 50, 7)]
    sound = b"".join(dumped(value) + b"\n" for value in points)
    line = tweaked(point) | nested(point)
    inputs = st.one_of(
        st.binary(max_size=200),
        damaged(sound),
        st.lists(line, min_size=1, max_size=8).map(lambda v: b"\n".join(map(dumped, v)) + b"\n"),
        st.tuples(st.just(sound), line.map(dumped)).map(lambda parts: b"\n".join(parts) + b"\n"),
    )

    def use(data: bytes) -> None:
        (run / "metrics.jsonl").write_bytes(data)
        found = read_history(str(run))
        "".join(in_words(found)).encode()
        for by in ("steps", "seconds", "epochs"):
            chart.draw([found], by, (40, 12), colour=False)
            chart.draw([found, found], by, (200, 40), colour=True)
        for lines in found.training, found.validation:
            assert np.isfinite(lines.losses).all()

    return inputs, use


TARGETS: dict[str, Callable[[Path], Target]] = {
    "model": model_file,
    "state": state_file,
    "dataset": dataset_directory,
    "settings": settings_file,
    "corpus": corpus,
    "metrics": metrics,
}


def fuzz(target: str, examples: int, place: Path) -> dict[str, Any]:
    """Give a target so many inputs; the figures. A failure is raised, with its input on stderr."""
    inputs, use = TARGETS[target](place)
    figures = {"target": target, "inputs": 0, "accepted": 0, "slowest_seconds": 0.0}

    @settings(
        max_examples=examples,
        deadline=timedelta(seconds=SECONDS),
        database=None,
        phases=[Phase.generate],  # to make a failing input small takes hours, to read it does not
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs)
    def check(data: Any) -> None:
        figures["inputs"] += 1
        before = time.perf_counter()
        try:
            use(data)
            figures["accepted"] += 1
        except CharLSTMError:
            pass
        except BaseException:
            sys.stderr.write(f"{target}: {data!r}"[:4000] + "\n")
            raise
        seconds = time.perf_counter() - before
        figures["slowest_seconds"] = max(figures["slowest_seconds"], round(seconds, 2))

    check()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures["peak_megabytes"] = peak // (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return figures


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        sys.stdout.write(json.dumps(fuzz(sys.argv[1], int(sys.argv[2]), Path(scratch))) + "\n")
