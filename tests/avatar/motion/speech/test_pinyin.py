"""Pinyin to IPA: every syllable that exists."""

from __future__ import annotations

import pytest
from pypinyin.constants import PINYIN_DICT

from avatar.motion.speech.ipa import parse
from avatar.motion.speech.pinyin import to_ipa


def test_every_syllable_of_the_dictionary_is_read() -> None:
    syllables = {s for readings in PINYIN_DICT.values() for s in readings.split(",")}
    assert len(syllables) > 1400
    for syllable in syllables:
        symbols = to_ipa(syllable)
        assert all(sound.articulation is not None for symbol in symbols for sound in parse(symbol)), syllable


@pytest.mark.parametrize(
    ("syllable", "expected"),
    [
        ("zhong1", ("ʈʂ", "ʊŋ")),
        ("nǚ", ("n", "y")),
        ("nv3", ("n", "y")),
        ("lu:4", ("l", "y")),
        ("yuan2", ("ɥɛn",)),
        ("you", ("jou",)),
        ("wu3", ("u",)),
        ("ying", ("iŋ",)),
        ("xue", ("ɕ", "ɥɛ")),
        ("shi4", ("ʂ", "ɨ")),
        ("si4", ("s", "ɨ")),
        ("xi1", ("ɕ", "i")),
        ("ger1", ("k", "ɤɚ")),
        ("er2", ("ɑɚ",)),
        ("r5", ("ɚ",)),
    ],
)
def test_syllables(syllable: str, expected: tuple[str, ...]) -> None:
    assert to_ipa(syllable) == expected


@pytest.mark.parametrize("wrong", ["", "5", "b", "zh", "xyz", "hello", "ü!"])
def test_what_is_not_pinyin_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="is not a pinyin syllable"):
        to_ipa(wrong)
