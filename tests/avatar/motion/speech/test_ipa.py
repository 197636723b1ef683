"""IPA symbols to articulations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar.motion.speech.arpabet import to_ipa
from avatar.motion.speech.ipa import Consonant, Place, Vowel, parse
from tests.avatar.motion.speech_material import ENGLISH, MANDARIN


def kinds(symbol: str) -> list[str]:
    out = []
    for sound in parse(symbol):
        what = sound.articulation
        out.append(
            what.place.name if isinstance(what, Consonant) else "vowel" if isinstance(what, Vowel) else "silence"
        )
    return out


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("", ["silence"]),
        ("_", ["silence"]),
        ("ˈ", ["silence"]),
        ("p", ["BILABIAL"]),
        ("pʰ", ["BILABIAL"]),
        ("ph", ["BILABIAL"]),
        ("tʃ", ["POSTALVEOLAR"]),
        ("t͡ʃ", ["POSTALVEOLAR"]),
        ("ʧ", ["POSTALVEOLAR"]),
        ("ts", ["SIBILANT"]),
        ("ʈʂʰ", ["RETROFLEX_SIBILANT"]),
        ("ts.h", ["RETROFLEX_SIBILANT"]),
        ("tɕ", ["ALVEOLOPALATAL"]),
        ("aɪ", ["vowel", "vowel"]),
        ("aɪɚ", ["vowel", "vowel", "vowel"]),
        ("ɑːɹ", ["vowel", "RHOTIC"]),
        ("əl", ["vowel", "ALVEOLAR"]),
        ("n̩", ["ALVEOLAR"]),
        ("iɛ", ["vowel", "vowel"]),
        ("ã", ["vowel"]),
        ("ɡ", ["HIDDEN"]),
        ("g", ["HIDDEN"]),
        ("ɓ", ["BILABIAL"]),
        ("ʘ", ["BILABIAL"]),
        ("ɱ", ["LABIODENTAL"]),
        ("h", ["GLOTTAL"]),
        ("?!", ["vowel"]),
        ("(en)", ["silence"]),
        ("(fr-fr)b", ["BILABIAL"]),
        ("ʲ", ["PALATAL"]),
        ("ʷ", ["LABIOVELAR"]),
    ],
)
def test_symbols(symbol: str, expected: list[str]) -> None:
    assert kinds(symbol) == expected


def test_only_plosives_and_nasals_of_the_lips_stop() -> None:
    def stops(symbol: str) -> bool:
        what = parse(symbol)[0].articulation
        return isinstance(what, Consonant) and what.stop and what.place is Place.BILABIAL

    assert all(stops(s) for s in ("p", "b", "m", "pʰ", "bʲ", "mː"))
    assert not any(stops(s) for s in ("β", "ɸ", "w", "f", "t"))


@pytest.mark.parametrize("symbol", [*ENGLISH, *MANDARIN])
def test_every_english_and_mandarin_symbol_is_known(symbol: str) -> None:
    sounds = parse(symbol)
    assert sum(sound.share for sound in sounds) == pytest.approx(1.0)
    assert all(sound.articulation is not None for sound in sounds)


def test_length_marks_lengthen_their_own_vowel() -> None:
    plain, long = parse("aɪ"), parse("aːɪ")
    assert long[0].share > plain[0].share


def test_diacritics_that_lips_show_are_kept() -> None:
    assert parse("kʷ")[0].labialised
    assert parse("tʲ")[0].palatalised
    assert parse("a˞")[0].rhotic
    assert parse("ɚ")[0].rhotic


@given(st.text(max_size=12))
def test_any_text_is_some_mouth(symbol: str) -> None:
    sounds = parse(symbol)
    assert sounds
    assert sum(sound.share for sound in sounds) == pytest.approx(1.0)


def test_every_letter_of_the_ipa_chart_is_read() -> None:
    chart = (
        "p b t d ʈ ɖ c ɟ k ɡ q ɢ ʔ m ɱ n ɳ ɲ ŋ ɴ ʙ r ʀ ⱱ ɾ ɽ ɸ β f v θ ð s z ʃ ʒ ʂ ʐ ç ʝ x ɣ χ ʁ ħ ʕ h ɦ ɬ ɮ ʋ ɹ ɻ j ɰ "
        "l ɭ ʎ ʟ ʘ ǀ ǃ ǂ ǁ ɓ ɗ ʄ ɠ ʛ ʍ w ɥ ʜ ʢ ʡ ɕ ʑ ɺ ɧ i y ɨ ʉ ɯ u ɪ ʏ ʊ e ø ɘ ɵ ɤ o ə ɛ œ ɜ ɞ ʌ ɔ æ ɐ a ɶ ɑ ɒ"
    ).split()
    neutral = parse("☃")
    for letter in chart:
        if letter != "ə":
            assert parse(letter) != neutral, letter


def test_arpabet() -> None:
    assert [to_ipa(s) for s in ("HH", "AH0", "l", "OW1", "SIL", "+SPN+", "<sil>")] == ["h", "ə", "l", "oʊ", "", "", ""]
    assert kinds(to_ipa("ER0")) == ["vowel"]
    with pytest.raises(ValueError, match="'XX' is not an ARPABET symbol"):
        to_ipa("XX")
