"""The predictors that a model is compared with."""

import bz2
import lzma
import math

import numpy as np
import pytest

from charlstm.analysis.baselines import baselines
from charlstm.text.vocabulary import Vocabulary


def test_all_baselines_of_a_text() -> None:
    """Frequencies by hand; compressors give the sizes of the modules of Python, in UTF-8."""
    vocabulary = Vocabulary("ab\u20ac")
    train = vocabulary.encode("aab" * 30)
    text = "b" + "ab\u20ac" * 50
    found = {b.name: b for b in baselines(vocabulary, train, vocabulary.encode(text))}
    assert list(found) == ["character frequencies", "n-gram of order 6", "xz -9e", "bzip2 -9"]
    frequencies = found["character frequencies"]
    assert frequencies.accuracy == pytest.approx(1 / 3)
    shares = [(60 - 1.5 + 1) / 90, (30 - 1.5 + 1) / 90, 1 / 90]  # 1.5 is taken from each count
    assert frequencies.loss == pytest.approx(-sum(map(math.log, shares)) / 3)
    data = text[1:].encode()
    for name, packed in (
        ("xz -9e", lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)),
        ("bzip2 -9", bz2.compress(data, 9)),
    ):
        assert found[name].bits_per_char == pytest.approx(8 * len(packed) / 150)
        assert found[name].accuracy is None


@pytest.mark.parametrize("size", [0, 1, 2])
def test_a_training_part_of_almost_nothing(size: int) -> None:
    """What was never counted is as likely as anything else."""
    vocabulary = Vocabulary("abc")
    found = baselines(vocabulary, np.zeros(size, np.uint8), vocabulary.encode("abcabc"))
    assert all(math.isfinite(baseline.loss) for baseline in found)
    if not size:
        assert found[0].loss == pytest.approx(math.log(3))
