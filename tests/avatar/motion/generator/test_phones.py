"""Phone classes, from IPA."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar.motion.generator import phones
from avatar.speech import Phoneme
from tests.avatar.motion.speech_material import ENGLISH, MANDARIN


def named(symbol: str) -> list[str]:
    return [phones.NAMES[number] for number, _ in phones.classes(symbol)]


@pytest.mark.parametrize(
    ("symbol", "names"),
    [
        ("", ["silence"]), ("_", ["silence"]), ("p", ["p"]), ("pʰ", ["p"]), ("b", ["b"]), ("m", ["m"]), ("mʲ", ["m"]),
        ("f", ["f"]), ("v", ["v"]), ("ɱ", ["v"]), ("β", ["v"]), ("θ", ["θ"]), ("ð", ["θ"]), ("t", ["t"]), ("d", ["d"]),
        ("n", ["n"]), ("ɲ", ["ŋ"]), ("ɾ", ["l"]), ("s", ["s"]), ("z", ["z"]), ("tʃ", ["ʃ"]), ("dʒ", ["ʃ"]), ("ʈʂʰ", ["ʂ"]),
        ("tɕ", ["ɕ"]), ("ɹ", ["ɹ"]), ("w", ["w"]), ("ɥ", ["w"]), ("j", ["j"]), ("k", ["k"]), ("g", ["ɡ"]), ("ŋ", ["ŋ"]),
        ("x", ["x"]), ("h", ["h"]), ("iː", ["i"]), ("ɛ", ["e"]), ("æ", ["a"]), ("a", ["a"]), ("ə", ["ə"]), ("ɚ", ["ə"]),
        ("ɤ", ["ə"]), ("ɨ", ["ə"]), ("ʌ", ["ɑ"]), ("ɑː", ["ɑ"]), ("ɔː", ["o"]), ("uː", ["u"]), ("ʊ", ["u"]), ("y", ["y"]),
        ("ø", ["y"]), ("aɪ", ["a", "i"]), ("oʊ", ["o", "u"]), ("ən", ["ə", "n"]), ("kʂ", ["k", "ʂ"]),
    ],
)  # fmt: skip
def test_classes(symbol: str, names: list[str]) -> None:
    assert named(symbol) == names


def test_every_class_is_somebodys() -> None:
    assert phones.COUNT == len(phones.NAMES) == len(set(phones.NAMES)) == 32
    assert {name for symbol in (*ENGLISH, *MANDARIN, "", "x", "y") for name in named(symbol)} == set(phones.NAMES)


@given(st.text(max_size=6))
def test_any_symbol_has_classes(symbol: str) -> None:
    told = phones.classes(symbol)
    assert sum(share for _, share in told) == pytest.approx(1.0)
    assert all(0 <= number < phones.COUNT for number, _ in told)


def test_a_timeline() -> None:
    spoken = [
        Phoneme("m", 20.0, 50.0),
        Phoneme("aɪ", 50.0, 150.0),
        Phoneme("", 150.0, 170.0),
        Phoneme("s", 190.0, 500.0),
    ]
    line = [phones.NAMES[number] for number in phones.timeline(spoken, 22)]
    assert line[:5] == ["silence"] * 2 + ["m"] * 3
    assert line[5:15] == ["a"] * 6 + ["i"] * 4
    assert line[15:19] == ["silence"] * 4 and line[19:] == ["s"] * 3
