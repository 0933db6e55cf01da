"""Encodings: recognised where that is certain, said with an example, and never guessed."""
# ruff: noqa: RUF001 (letters of many scripts)

import codecs
from contextlib import suppress
from pathlib import Path
from typing import Any

import charset_normalizer
import pytest

from charlstm.cli.hints import explained
from charlstm.errors import CorpusError
from charlstm.text import decoding, encodings
from charlstm.text.corpus import open_corpus, survey
from charlstm.text.decoding import TextOptions

from .conftest import VERSE, Run

GERMAN = "Die Bücher lagen über dem Stuhl, größer als er gehofft hätte, und schön.\n"
SPANISH = "El niño soñó que mañana habría más árboles. ¿Quién lo diría? ¡Nadie!\n"
SWEDISH = "Han gick över ån och såg att allt var stängt på andra sidan, även kvarnen.\n"
POLISH = "Chłopiec wszedł na górę, żeby zobaczyć, jak słońce świeci nad łąką.\n"
HUNGARIAN = "Az öreg hídőr fűtött, és a szűk kis szobából nézte a felhőket.\n"
TURKISH = "Küçük kız ağacın altında oturmuş, güneşin batışını izliyordu.\n"
RUSSIAN = "Мальчик вышел на берег и долго смотрел, как уходит последняя лодка.\n"
GREEK = "Το παιδί καθόταν δίπλα στη θάλασσα και άκουγε τα κύματα ως το βράδυ.\n"
JAPANESE = "子供は海のそばにすわって、夕方まで波の音を聞いていた。それから家に帰った。\n"
CHINESE = "孩子坐在海边，听着波浪的声音，一直到晚上。然后他回家去了，没有说一句话。\n"
TRADITIONAL = "孩子坐在海邊，聽著波浪的聲音，一直到晚上。然後他回家去了，沒有說一句話。\n"
KOREAN = "아이는 바닷가에 앉아 저녁까지 파도 소리를 들었다. 그리고 집으로 돌아갔다.\n"
QUOTED = "\u201cI don\u2019t know,\u201d she said\u2014and that\u2019s all.\n"


def read(path: Path, encoding: str = "auto") -> tuple[str, list[str]]:
    """The text of a file or a directory, and the notes."""
    notes: list[str] = []
    text = "".join(open_corpus([str(path)], TextOptions(encoding=encoding)).chunks(notes))
    return text, notes


@pytest.mark.parametrize(
    ("text", "encoding", "word"),
    [
        (GERMAN, "latin-1", "Bücher"),
        (SPANISH, "latin-1", "niño"),
        (SWEDISH, "latin-1", "över"),
        (QUOTED, "cp1252", "\u201cI"),
        (POLISH, "cp1250", "Chłopiec"),
        (POLISH, "iso8859-2", "Chłopiec"),
        (HUNGARIAN, "cp1250", "öreg"),
        (TURKISH, "cp1254", "Küçük"),
        (RUSSIAN, "cp1251", "Мальчик"),
        (RUSSIAN, "koi8-r", "Мальчик"),
        (RUSSIAN, "cp866", "Мальчик"),
        (GREEK, "cp1253", "Το"),
        (JAPANESE, "shift-jis", "子供は海のそばにすわって"),
        (JAPANESE, "euc-jp", "子供は海のそばにすわって"),
        (CHINESE, "gb18030", "孩子坐在海边"),
        (TRADITIONAL, "big5", "孩子坐在海邊"),
        (KOREAN, "cp949", "아이는"),
        *((text, "utf-16", word) for text, word in ((GERMAN, "Bücher"), (RUSSIAN, "Мальчик"))),
        (QUOTED, "utf-16-le", "\u201cI"),
        (CHINESE, "utf-16-le", "孩子坐在海边"),
        *((text, "utf-16-be", word) for text, word in ((VERSE, "The"), (RUSSIAN, "Мальчик"))),
        *((text, "utf-32", word) for text, word in ((VERSE, "The"), (GREEK, "Το"))),
        (GERMAN, "utf-32-le", "Bücher"),
        (CHINESE, "utf-32-be", "孩子坐在海边"),
    ],
)  # fmt: skip
def test_an_encoding_is_recognised_and_that_is_said(
    tmp_path: Path, text: str, encoding: str, word: str
) -> None:
    """The text is the same as from UTF-8, and one line has a word of it that shows it."""
    text = VERSE + 20 * text
    file = tmp_path / "t.txt"
    file.write_bytes(text.encode(encoding))
    got, notes = read(file)
    assert got == text
    assert len(notes) == 1
    assert notes[0].startswith(f"{file}: read as ")
    assert repr(word)[:-1] in notes[0] or "'The'" in notes[0]


@pytest.mark.parametrize(
    "data",
    [
        b"plain\n",
        (GERMAN + CHINESE).encode(),
        codecs.BOM_UTF8 + GERMAN.encode(),
        "na\u00efve".encode(),
    ],
)
def test_utf8_stays_what_it_is(tmp_path: Path, data: bytes) -> None:
    """Nothing is guessed of it, and nothing said."""
    (tmp_path / "t.txt").write_bytes(data)
    got, notes = read(tmp_path / "t.txt")
    assert got == data.decode("utf-8-sig")
    assert not any("read as" in note for note in notes)


def test_each_file_is_read_by_itself(tmp_path: Path) -> None:
    """One file in Latin-1 among many is no end, nor several: they are said in one line."""
    for name, encoding in (("a", "utf-8"), ("b", "latin-1"), ("c", "latin-1"), ("d", "utf-16")):
        (tmp_path / f"{name}.txt").write_bytes((GERMAN * 9).encode(encoding))
    got, notes = read(tmp_path)
    assert got == GERMAN * 36
    b, c, d = (tmp_path / f"{name}.txt" for name in "bcd")
    assert notes == [
        f"{b}, {c}: read as cp1252, for example 'Bücher'",
        f"{d}: read as utf-16, for example 'Bücher'",
    ]


@pytest.mark.parametrize("size", [3, 50, 1 << 20])
def test_the_first_bytes_that_are_not_utf8_may_come_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """A long text in ASCII before them is read as it is, however it is cut into blocks."""
    monkeypatch.setattr(decoding, "CHUNK_BYTES", size)
    text = VERSE * 9 + GERMAN * 9
    (tmp_path / "t.txt").write_bytes(text.encode("latin-1"))
    assert read(tmp_path / "t.txt")[0] == text


@pytest.mark.parametrize(
    "before",
    [
        pytest.param("word " * 60_000, id="one long line"),
        pytest.param("a line\r" * 60_000, id="line ends of an old Mac"),
        pytest.param("a\n" * (decoding.CHUNK_BYTES // 2 - 1), id="the end of a block"),
    ],
)
def test_what_is_not_ascii_counts_wherever_it_begins(tmp_path: Path, before: str) -> None:
    """Far inside a line that is longer than the sample, or just before a block ends."""
    text = before + RUSSIAN * 9
    (tmp_path / "t.txt").write_bytes(text.encode("cp1251"))
    got, notes = read(tmp_path / "t.txt")
    assert got == text.replace("\r", "\n")
    assert "read as cp1251, for example 'Мальчик'" in notes[0]


@pytest.mark.parametrize(
    ("data", "said", "not_said"),
    [
        pytest.param(
            (VERSE * 3).encode() + "Sur la côte, près de là\n".encode("mac-roman"),
            ["line 28", "0x99 at offset", "mac-roman ('côte')"],
            ["latin-1", "cp1252"],
            id="mac",
        ),
        pytest.param(
            (GERMAN * 9 + "ein Schaden").encode() + b"\xff hier\n",
            ["line 10", "0xff at offset 722", "iconv -c"],
            ["latin-1", "cp1252"],
            id="one damaged byte",
        ),
        pytest.param(
            "zaczynał i mówił".encode("cp1250"),
            ["line 1", "0xb3 at offset 7", "cp1250 ('zaczynał')"],
            [],
            id="short Polish",
        ),
        pytest.param(b"a line\nab\0cd\n", ["line 2", "NUL byte at offset 9", r"tr -d '\0' <"],
                     ["utf-16", "--encoding"], id="stray NUL"),
        pytest.param(b"one\0two\0three\0" * 9, ["line 1", "NUL byte at offset 3", "tr -d"],
                     ["utf-16", "--encoding"], id="names that end with NUL"),
    ],
)  # fmt: skip
def test_what_is_not_certain_is_refused_with_what_would_make_sense(
    tmp_path: Path, data: bytes, said: list[str], not_said: list[str]
) -> None:
    """Line, offset and bytes, and only encodings in which the text can be read."""
    (tmp_path / "t.txt").write_bytes(data)
    with pytest.raises(CorpusError) as caught:
        survey(open_corpus([str(tmp_path / "t.txt")], TextOptions()))
    message = explained(caught.value)
    for words in said:
        assert words in message
    for words in not_said:
        assert words not in message


@pytest.mark.parametrize(
    ("data", "tried", "said"),
    [
        ((GERMAN * 3).encode("cp1252"), "utf-8", "--encoding cp1252 ('Bücher')"),
        ((GERMAN * 3).encode("utf-16"), "utf-8", "--encoding utf-16 ('Bücher')"),
        ((GERMAN * 3).encode("utf-16-le"), "utf-8", "--encoding utf-16-le ('Bücher')"),
        ((GERMAN * 3).encode("utf-16-le"), "utf-16", "--encoding utf-16-le ('Bücher')"),
        ((GERMAN * 3).encode("utf-16-be"), "latin-1", "--encoding utf-16-be ('Bücher')"),
    ],
)
def test_what_was_tried_is_not_offered_again(
    tmp_path: Path, data: bytes, tried: str, said: str
) -> None:
    """An encoding that was named is used alone, and another one is offered if it does not fit."""
    (tmp_path / "t.txt").write_bytes(data)
    with pytest.raises(CorpusError) as caught:
        survey(open_corpus([str(tmp_path / "t.txt")], TextOptions(encoding=tried)))
    message = explained(caught.value)
    assert said in message
    assert f"--encoding {tried} " not in message


def test_an_example_is_short_and_has_the_letter_that_shows_the_encoding() -> None:
    """A word in ASCII before it, however long, is not gone through once for each of its letters."""
    word = "a" * 1_000_000 + "é"
    assert encodings.example(f"{word} über") == "a" * (encodings.LONGEST_EXAMPLE - 1) + "é"
    assert encodings.example("“" + "a" * 50 + " und über") == "über"
    assert encodings.example("a" * 50 + "’ and more") == "a" * 19 + "’"


@pytest.mark.parametrize(
    ("text", "encoding"), [(RUSSIAN, "cp1251"), ("Sur la côte\n", "mac-roman")]
)
def test_an_encoding_is_looked_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, encoding: str
) -> None:
    """Though a text is read twice, and what is refused is gone through for the message, too."""
    looked_for: list[bytes] = []
    from_bytes = charset_normalizer.from_bytes

    def counted(evidence: bytes, **options: Any) -> charset_normalizer.CharsetMatches:
        looked_for.append(evidence)
        return from_bytes(evidence, **options)

    monkeypatch.setattr(charset_normalizer, "from_bytes", counted)
    encodings._readings.cache_clear()
    (tmp_path / "t.txt").write_bytes((text * 9).encode(encoding))
    corpus = open_corpus([str(tmp_path / "t.txt")], TextOptions())
    for _ in range(2):
        with suppress(CorpusError):
            survey(corpus)
    assert len(looked_for) == 1


def test_every_command_recognises_an_encoding(charlstm: Run, trained: Path, tmp_path: Path) -> None:
    """From a file, from standard input, and for a model that was trained on UTF-8."""
    plain = (VERSE + "And the stair’s café.\n") * 4
    data = plain.encode("cp1252")
    (tmp_path / "t.txt").write_bytes(data)
    (tmp_path / "u.txt").write_text(plain, encoding="utf-8")
    model = ["-m", trained, "--unknown", "skip"]
    for words in (
        ["vocab", "{}"],
        ["score", "{}", *model],
        ["score", "--lines", "{}", *model],
        ["evaluate", "{}", *model, "--split", "all", "--json"],
        ["predict", "--seed-file", "{}", *model],
        ["novelty", "{}", "u.txt"],
        ["visualize", "--text-file", "{}", *model],
    ):
        results = []
        for file, given in (("u.txt", b""), ("t.txt", b""), ("-", data)):
            call = [file if word == "{}" else word for word in words]
            done = charlstm(*call, cwd=tmp_path, input=given)
            assert done.returncode == 0, done.stderr
            name = "standard input" if file == "-" else file
            said = f"{name}: read as cp1252, for example 'café'".encode()
            assert (said in done.stderr) == (file != "u.txt"), (words, done.stderr)
            results.append(done.stdout.count(b"\n"))
        assert len({*results}) == 1


def test_a_run_on_such_a_text_goes_on_with_it(charlstm: Run, tmp_path: Path) -> None:
    """What was recognised once is recognised again, from the state and from config.toml."""
    (tmp_path / "t.txt").write_bytes((VERSE + GERMAN).encode("latin-1") * 4)
    words = ["--steps", 4, "--hidden-size", 8, "-q"]
    assert charlstm("train", "t.txt", *words, cwd=tmp_path).returncode == 0
    longer = charlstm("train", "--resume", "runs/t", "--steps", 6, cwd=tmp_path)
    assert longer.returncode == 0, longer.stderr
    again = charlstm("train", "--config", "runs/t/config.toml", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    evaluated = charlstm("evaluate", "t.txt", "-m", "runs/t", cwd=tmp_path)
    assert evaluated.returncode == 0, evaluated.stderr


# Texts of the corpora beside a checkout, and the encodings that fit their language.
REAL = {
    "trial/*": ["latin-1", "cp1252"],
    "base/*/*": ["latin-1", "cp1252"],
    "*/*polish*": ["cp1250", "iso8859-2"],
    "*/polish/*": ["cp1250", "iso8859-2"],
    "*/*russian*": ["cp1251", "koi8-r", "cp866"],
    "*/russian/*": ["cp1251", "koi8-r", "cp866"],
    "other/chinese*": ["gb18030", "big5"],
}


def test_real_texts_are_never_read_wrong(shared_corpora: Path, tmp_path: Path) -> None:
    """Each is what it is in UTF-8, or is refused; most are read."""
    read_right, refused = 0, []
    for path in sorted(shared_corpora.glob("*/**/*.txt"))[::4]:
        name = path.relative_to(shared_corpora)
        encodings = next((e for p, e in reversed(REAL.items()) if name.match(p)), ["cp1252"])
        text = path.read_text(encoding="utf-8-sig")[:20_000]
        for encoding in encodings:
            data = text.encode(encoding, "ignore")
            (tmp_path / "t.txt").write_bytes(data)
            try:
                got = read(tmp_path / "t.txt")[0]
            except CorpusError:
                refused.append((str(name), encoding))
            else:
                assert got == data.decode(encoding), (name, encoding)
                read_right += 1
    assert len(refused) < read_right / 20, refused
