"""Phone names of the engines, as IPA that the mouth understands."""

from __future__ import annotations

import pytest

from avatar.motion.speech import ipa
from avatar.motion.speech.ipa import Consonant, Place, parse
from avatar.motion.speech.visemes import viseme
from avatar.motion.training.synthesis import symbols

LETTERS = {*ipa._VOWELS, *ipa._CONSONANTS}


@pytest.mark.parametrize("language", sorted(symbols._TABLES))
def test_every_symbol_is_read(language: str) -> None:
    """Each letter of each symbol is an articulation that the rules know (an unknown one would be a half-open mouth)."""
    for name in symbols._TABLES[language]:
        (symbol,) = symbols.to_ipa([name], language)
        letters = [letter for letter in symbol if letter not in "ːʲ"]
        for letter in letters:
            assert letter in LETTERS, (name, letter)


@pytest.mark.parametrize(
    ("language", "name", "place"),
    [
        ("en", "pau", None), ("en", "m", Place.BILABIAL), ("en", "hv", Place.GLOTTAL), ("cs", "ch", Place.HIDDEN),
        ("cs", "c~", Place.POSTALVEOLAR), ("ru", "pp", Place.BILABIAL), ("ru", "sch", Place.ALVEOLOPALATAL),
        ("fi", "p:", Place.BILABIAL), ("it", "nf", Place.LABIODENTAL), ("hi", "bh", Place.BILABIAL),
    ],
)  # fmt: skip
def test_places(language: str, name: str, place: Place | None) -> None:
    (symbol,) = symbols.to_ipa([name], language)
    articulation = parse(symbol)[0].articulation
    assert (articulation.place if isinstance(articulation, Consonant) else None) is place


def test_catalan_b_is_closed_only_where_it_is() -> None:
    heard = symbols.to_ipa(["pau", "b", "a", "b", "m", "b"], "ca")
    assert heard == ["", "b", "a", "β", "m", "b"]
    assert [viseme(parse(symbol)[0]).seals for symbol in heard] == [False, True, False, False, True, True]


def test_stress_in_names() -> None:
    assert symbols.is_stressed("aa", "ru") and not symbols.is_stressed("aa", "hi")
    assert symbols.is_stressed("E1", "it") and not symbols.is_stressed("E", "it")


@pytest.mark.parametrize("language", ["cs", "en"])
def test_an_unknown_name_is_refused(language: str) -> None:
    with pytest.raises(ValueError, match="qq"):
        symbols.to_ipa(["a", "qq"] if language == "cs" else ["aa", "qq"], language)
