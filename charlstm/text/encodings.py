"""Which encoding a text is in: by its byte-order mark, its zeros, or the letters it would have.

The package charset-normalizer finds the likely encodings of other scripts. For Latin letters it is
too often wrong, because it knows how frequent letters are, but not which ones a language has: it
reads Swedish, whose letters are åäö, as ĺäö. So what it finds is compared here with the letters of
languages. A text that makes sense in two encodings is not decided.
"""

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

SAMPLE_BYTES = 1 << 18  # of a text are looked at
EVIDENCE_BYTES = 1 << 13  # of the lines in it that are not ASCII
MOST_MISFITS = 0.06  # the share of characters that the language does not have: foreign names
MOST_MISFITS_CJK = 0.1
LEAST_OTHER = 10  # characters in other letters than Latin ones; few bytes may be anything
LEAST_WIDE = 2  # NUL bytes of a text in UTF-16; a single one is a stray byte
LEAST_LETTERLESS = 3  # characters of a text without any letter beyond ASCII, such as quotes
LIKELY = 0.25  # the share of misfits up to which an encoding is worth a try
MOST_LIKELY = 3  # encodings that a message names
LONGEST_EXAMPLE = 20  # characters
WIDE_BYTES = 1 << 16  # of them it is looked at whether they are UTF-16 or UTF-32
PRINTABLE = bytes([*b"\t\n\r", *range(32, 127)])
BREAKS = b" \n\r.,!"  # bytes that are never a part of a longer character
MARKS = (  # that of UTF-16 is the beginning of that of UTF-32
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

# The letters beyond ASCII of languages, in lower case, each by itself.
# German, French, Spanish, Portuguese, Italian, Dutch, Danish and Norwegian, Swedish, Icelandic,
# Catalan, and English with its foreign words.
_WESTERN = (
    "äöüß àâæçéèêëîïôœùûü áéíóúüñ ãáâàçéêíóôõúü àèéìíîòóùú ëéèïöüóáê "
    "æøåéèêóòôäöü åäöéàü áéíóúýþæðö àèéíïòóúüç àâäåæçéèêëíïîñóôöøúûüœ"
)
# Polish, Czech, Slovak, Hungarian, Romanian, Croatian and German.
_CENTRAL = "ąćęłńóśźż áčďéěíňóřšťúůýž áäčďéíĺľňóôŕšťúýž áéíóöőúüű ăâîşţ čćđšž äöüß"
_BALTIC = "ąčęėįšųūž āčēģīķļņšūž äõöüšž"  # Lithuanian, Latvian and Estonian
_TURKISH = "çğıöşüâîûi̇"  # noqa: RUF001 (these are the letters)
# Russian, Ukrainian, Bulgarian, Belarusian, and Serbian with Macedonian.
_CYRILLIC = (
    "абвгдежзийклмнопрстуфхцчшщьюяыэъё абвгдежзийклмнопрстуфхцчшщьюяіїєґ "
    "абвгдежзийклмнопрстуфхцчшщьюяъ абвгдежзийклмнопрстуфхцчшщьюяыэёіў "
    "абвгдежзијклмнопрстћуфхцчџшђљњѓќѕ"
)
_GREEK = "αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώϊϋΐΰ"
_HEBREW = "".join(map(chr, (*range(0x5D0, 0x5EB), *range(0x5B0, 0x5C3))))
_ARABIC = "".join(map(chr, range(0x621, 0x653)))

_LATIN = {
    **dict.fromkeys(["cp1252", "iso8859-15"], _WESTERN),
    **dict.fromkeys(["cp1250", "iso8859-2"], _CENTRAL),
    "cp1257": _BALTIC,
    "cp1254": _TURKISH,
}
_OTHER = {  # the names as charset-normalizer has them
    **dict.fromkeys(["cp1251", "koi8_r", "koi8_u", "cp866", "iso8859_5"], _CYRILLIC),
    **dict.fromkeys(["cp1253", "iso8859_7"], _GREEK),
    "cp1255": _HEBREW,
    "cp1256": _ARABIC,
}
_CJK = {"cp932": "japanese", "euc_jp": "japanese", "cp949": "korean", "gb18030": "", "big5": ""}
_RARE = dict.fromkeys(["cp850", "mac-roman"], _WESTERN)  # never chosen, but named in messages

_OPENING = frozenset("„‚¿¡")  # noqa: RUF001
_WITHIN_WORDS = frozenset("’‘–—\xad·…\xa0")  # noqa: RUF001
_OTHER_PUNCTUATION = frozenset("“”«»•€£§°©®™½¼¾†№×²³¹ªº‹›¢¥")  # noqa: RUF001
_PUNCTUATION = _OPENING | _WITHIN_WORDS | _OTHER_PUNCTUATION


class Reading(NamedTuple):
    """A sample as one encoding reads it, and how many of its characters make no sense so."""

    misfits: int
    characters: int  # beyond ASCII
    encoding: str
    text: str

    @property
    def is_sensible(self) -> bool:
        """Whether the sample is a text of one language, with foreign names perhaps."""
        most = MOST_MISFITS_CJK if self.encoding in _CJK else MOST_MISFITS
        return self.misfits <= most * self.characters


def marked(first: bytes) -> str | None:
    """The encoding whose byte-order mark a file begins with; None for that of UTF-8, or none."""
    return next((encoding for mark, encoding in MARKS if first.startswith(mark)), None)


def wide(sample: bytes) -> str | None:
    r"""UTF-16 or UTF-32 without a byte-order mark, by the zeros in the beginning of a text.

    >>> wide("word".encode("utf-16-le")), wide(b"a word\0")
    ('utf-16-le', None)
    """
    if sample.count(0) < LEAST_WIDE or _is_ascii_with_zeros(sample):
        return None
    ascii_in = Counter[str]()  # in the wrong order of bytes there are no spaces and line ends
    for encoding in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):
        text = _decoded(sample[:WIDE_BYTES], encoding)
        if text and all(map(_is_assigned, text)):
            ascii_in[encoding] = sum(map(str.isascii, text))
    (best, most), (_, second), *_ = [*ascii_in.most_common(2), ("", 0), ("", 0)]
    return best if most > second else None


def recognised(sample: bytes) -> str | None:
    """The encoding of a text that is not UTF-8, if it is certain.

    ``sample`` is a part of it from the first line that is not ASCII.
    """
    if sample.isascii() or is_damaged_utf8(sample):
        return None
    readings = _readings(_evidence(sample))
    usual = _different(r for r in readings if r.encoding not in _RARE)
    # Quotes in cp1252 look like letters to the rare ones; but it is by far the most frequent.
    is_usual = bool(usual) and usual[0].encoding == "cp1252"
    best, *rivals = usual if is_usual else _different(readings)
    if best.encoding in _RARE or not best.is_sensible:
        return None
    certain = not rivals or rivals[0].misfits > 3 * best.misfits
    return best.encoding.replace("_", "-") if certain else None


def is_damaged_utf8(sample: bytes) -> bool:
    """Whether a sample is a text in UTF-8 with a few other bytes."""
    text = sample.decode("utf-8", "replace")
    beyond, bad = sum(not c.isascii() for c in text), text.count("\N{REPLACEMENT CHARACTER}")
    return beyond - bad > 2 * bad


def likely_by_zeros(sample: bytes, tried: str) -> list[str]:
    """UTF-16 or UTF-32 as ``likely`` names an encoding, if the beginning of a text is in it."""
    name = marked(sample) or wide(sample)
    return _named([name], [_decoded(sample, name) or ""], tried) if name else []


def likely(sample: bytes, tried: str) -> list[str]:
    """The encodings in which a sample would make sense, with an example; not the one ``tried``."""
    readings = _different(_readings(_evidence(sample)))
    found = [r for r in readings if r.misfits <= LIKELY * r.characters]
    return _named([r.encoding for r in found], [r.text for r in found], tried)


def _named(names: list[str], texts: list[str], tried: str) -> list[str]:
    shown = zip(names[:MOST_LIKELY], _differing(texts[:MOST_LIKELY]), strict=True)
    old = codecs.lookup(tried)
    return [
        f"{name.replace('_', '-')} ({word!r})" for name, word in shown if codecs.lookup(name) != old
    ]


def example(text: str) -> str:
    """A word of a text that shows how it was decoded: the first one that is not ASCII.

    >>> example("Alte Bücher, neu")
    'Bücher'
    """
    for kind, others in ((r"[^\W\x00-\x7f]", r"\w*"), (r"[^\x00-\x7f]", r"\S*"), (r"\w", r"\w*")):
        if first := re.search(kind, text):
            at = first.start()
            # The word may be very long: what is shown of it has this character.
            around = text[max(0, at - LONGEST_EXAMPLE + 1) : at + LONGEST_EXAMPLE]
            if word := re.search(others + kind + others, around):
                return word.group()[:LONGEST_EXAMPLE]
    return text[:LONGEST_EXAMPLE].strip()


def _differing(texts: list[str]) -> list[str]:
    """An example of each text; of texts of one length, the first word in which they differ."""
    if len({*map(len, texts)}) == 1:
        for at, characters in enumerate(zip(*texts, strict=True)):
            if len({*characters}) > 1:
                begins = texts[0].rfind(" ", 0, at) + 1
                return [example(text[begins:]) for text in texts]
    return [*map(example, texts)]


@lru_cache(maxsize=1)  # a text is read twice, and once more if it is refused
def _readings(evidence: bytes) -> tuple[Reading, ...]:
    """What a part of a text may be, in each encoding in which it decodes."""
    from charset_normalizer import from_bytes

    names = [*_LATIN, *_RARE]
    if found := from_bytes(evidence, cp_isolation=[*_OTHER, *_CJK], enable_fallback=False).best():
        names.append(found.encoding)
    readings = []
    for name in names:
        text = _decoded(evidence, name)
        if text is None:
            continue
        languages = {**_LATIN, **_OTHER, **_RARE}.get(name)
        if languages is None:
            misfits, characters = _misfits_cjk(text, _CJK.get(name, ""))
        else:
            misfits, characters = _misfits(text, languages)
        readings.append(Reading(misfits, characters, name, text))
    return tuple(readings)


def _different(readings: Iterable[Reading]) -> list[Reading]:
    """The best reading of each text, those with the fewest misfits first."""
    best: dict[str, Reading] = {}
    for reading in sorted(readings, key=lambda reading: reading.misfits):
        best.setdefault(reading.text, reading)
    return [*best.values()]


def _evidence(sample: bytes) -> bytes:
    """The first lines of a sample that are not ASCII, or the first part of a very long line."""
    lines: list[bytes] = []
    size = 0
    for line in sample.splitlines(keepends=True):
        if not line.isascii():
            lines.append(line)
            size += len(line)
            if size >= EVIDENCE_BYTES:
                break
    evidence = b"".join(lines)
    if size > 2 * EVIDENCE_BYTES:
        begins = next(i for i, byte in enumerate(evidence) if byte > 127)
        evidence = evidence[max(0, begins - LONGEST_EXAMPLE) :][:EVIDENCE_BYTES]
    if len(sample) == SAMPLE_BYTES or size > 2 * EVIDENCE_BYTES:
        ends = max(map(evidence.rfind, (bytes([byte]) for byte in BREAKS)))
        evidence = evidence[: ends + 1] or evidence
    return evidence


def _decoded(sample: bytes, encoding: str) -> str | None:
    """The text of a sample that may end within a character; None if it does not decode."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeError:
        return None


def _is_ascii_with_zeros(sample: bytes) -> bool:
    """Whether a sample is a text in ASCII with stray NUL bytes, or with names that end with one.

    In a text in Latin letters about every other byte of UTF-16 is zero, and one in another script
    has many bytes that are not ASCII.
    """
    rest = sample.replace(b"\0", b"")
    others = rest.translate(None, PRINTABLE)
    return sample.count(0) < 0.4 * len(sample) and len(others) < 0.1 * len(rest)


def _is_assigned(character: str) -> bool:
    if character in "\t\n\v\f\r\x1b\ufeff":
        return True
    return unicodedata.category(character) not in ("Cc", "Cn", "Co", "Cs")


def _misfits(text: str, languages: str) -> tuple[int, int]:
    """How many of the characters beyond ASCII the most fitting language has no use for; and all.

    A capital letter after a small one, letters of two scripts in one word, and most punctuation
    between two letters make no sense in any language.
    """
    misfits, characters, letters = 0, 0, Counter[str]()
    for before, c, after in zip(" " + text, text, text[1:] + " ", strict=False):
        if c.isascii():
            continue
        characters += 1
        if (c.isalpha() and c not in "ªº") or unicodedata.combining(c):
            two_scripts = any(n.isalpha() and _is_latin(n) != _is_latin(c) for n in (before, after))
            if two_scripts or (c.isupper() and before.islower()):
                misfits += 1
            else:
                letters[c.lower()] += 1
        elif c not in _PUNCTUATION:
            misfits += 1
        elif before.isalpha():
            misfits += c in _OPENING or (after.isalpha() and c not in _WITHIN_WORDS)
    least = 1 if _is_latin(languages[0]) else LEAST_OTHER
    if characters < (least if letters else LEAST_LETTERLESS):
        return characters, characters
    fewest = min(sum(n for c, n in letters.items() if c not in own) for own in languages.split())
    return misfits + fewest, characters


def _misfits_cjk(text: str, language: str) -> tuple[int, int]:
    """The same for Chinese, Japanese and Korean."""
    beyond = [c for c in text if not c.isascii()]
    characters = len(beyond)
    if characters < LEAST_OTHER or 3 * characters < sum(map(str.isalnum, text)):
        return characters, characters
    kana = sum("\u3041" <= c <= "\u30ff" for c in beyond)
    ideographs = sum("\u4e00" <= c <= "\u9fff" for c in beyond)
    fits = sum(c in _PUNCTUATION or _is_cjk_punctuation(c) for c in beyond)
    if language == "korean":
        fits += sum("\uac00" <= c <= "\ud7a3" for c in beyond)
    elif language != "japanese":
        fits += ideographs
    elif kana >= characters / 5:
        fits += kana + ideographs
    return characters - fits, characters


def _is_latin(letter: str) -> bool:
    return letter < "\u0250"


def _is_cjk_punctuation(character: str) -> bool:
    return "\u3000" <= character <= "\u302f" or "\uff01" <= character <= "\uff60"
