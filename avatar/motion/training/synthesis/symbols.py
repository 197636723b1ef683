"""Phone names of flite's and festival's voices to IPA.

Read from each voice's phone set (``defPhoneSet``). Where a name is not a letter of the IPA or of ARPABET, the comment says
what the set's features or the letter-to-sound rules make of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from avatar.motion.speech import arpabet
from avatar.motion.speech.ipa import Vowel, parse

SILENCES = frozenset(("pau", "#", "##", "h#", "brth", "sil", "ssil"))

_CZECH = {
    "a": "a", "e": "ɛ", "i": "ɪ", "o": "o", "u": "u", "_": "ʔ",
    "b": "b", "c": "ts", "c~": "tʃ", "ch": "x", "d": "d", "d~": "ɟ", "dz": "dz", "dz~": "dʒ", "f": "f", "g": "ɡ",
    "h": "ɦ", "j": "j", "k": "k", "l": "l", "m": "m", "n": "n", "n*": "ŋ", "n~": "ɲ", "p": "p", "r": "r",
    "r~": "ʒ", "r~*": "ʃ",  # a trill with a hushing noise, which is what shows and what is heard
    "s": "s", "s~": "ʃ", "t": "t", "t~": "c", "v": "v", "z": "z", "z~": "ʒ",
}  # fmt: skip
_FINNISH = {
    "a": "ɑ", "e": "e", "i": "i", "o": "o", "u": "u", "y": "y", "@": "æ", "7": "ø", "&": "ə",
    "p": "p", "t": "t", "k": "k", "b": "b", "d": "d", "g": "ɡ", "f": "f", "T": "θ", "D": "ð", "s": "s", "z": "z",
    "S": "ʃ", "Z": "ʒ", "h": "h", "v": "ʋ", "m": "m", "n": "n", "N": "ŋ", "l": "l", "L": "l", "r": "r", "j": "j",
    "w": "w", "?": "ʔ",
}  # fmt: skip
_ITALIAN = {
    "i": "i", "e": "e", "E": "ɛ", "a": "a", "o": "o", "O": "ɔ", "u": "u", "j": "j", "w": "w",
    "p": "p", "t": "t", "k": "k", "b": "b", "d": "d", "g": "ɡ", "f": "f", "s": "s", "S": "ʃ", "v": "v", "z": "z",
    "Z": "ʒ", "ts": "ts", "tS": "tʃ", "dz": "dz", "dZ": "dʒ", "m": "m", "n": "n", "J": "ɲ", "ng": "ŋ", "nf": "ɱ",
    "l": "l", "L": "ʎ", "r": "r",
}  # fmt: skip
_CATALAN = {**_ITALIAN, "ax": "ə", "r": "ɾ", "rr": "r", "N": "ŋ"}
_RUSSIAN = {
    "ii": "i", "yy": "ɨ", "uu": "u", "ee": "ɛ", "oo": "o", "aa": "a",  # stressed
    "a": "ɐ", "e": "e", "i": "ɪ", "y": "ɨ", "u": "u", "ae": "ə", "ay": "ɪ", "ur": "ʊ",
    "p": "p", "b": "b", "t": "t", "d": "d", "k": "k", "g": "ɡ", "c": "ts", "ch": "tɕ", "f": "f", "v": "v", "s": "s",
    "z": "z", "sh": "ʂ", "sch": "ɕː", "zh": "ʐ", "h": "x", "m": "m", "n": "n", "l": "ɫ", "r": "r", "j": "j",
    **{2 * soft: soft + "ʲ" for soft in "pbtdkfvszmnlr"}, "gg": "ɡʲ", "hh": "xʲ",
}  # fmt: skip
_NSK = {
    # One Telugu speaker's diphones, which Hindi and Marathi borrow; their short "a" is a schwa.
    "a": "ʌ", "aa": "aː", "ih": "ɪ", "iy": "iː", "uh": "ʊ", "uw": "uː", "eh": "e", "ee": "eː", "ay": "aɪ", "oh": "o",
    "oo": "oː", "aw": "aʊ", "@": "ʌ", "w": "ʊ",
    "f": "f", "k": "k", "kh": "k", "g": "ɡ", "gh": "ɡ", "ch": "tʃ", "j": "dʒ", "T": "ʈ", "td": "t", "D": "ɖ", "N": "ɳ",
    "th": "t", "tth": "t", "dh": "d", "ddh": "d", "n": "n", "p": "p", "b": "b", "bh": "b", "m": "m", "y": "j", "r": "ɾ",
    "l": "l", "v": "ʋ", "L": "ɭ", "R": "ɽ", "s": "s", "sh": "ʃ", "zh": "ʒ", "h": "h", "ksh": "kʂ", "sri": "ʃɾi",
}  # fmt: skip

_TABLES = {
    "cs": _CZECH, "fi": _FINNISH, "it": _ITALIAN, "ca": _CATALAN, "ru": _RUSSIAN, "hi": _NSK, "mr": _NSK, "te": _NSK,
}  # fmt: skip
_STRESSED = {"ru": frozenset(("ii", "yy", "uu", "ee", "oo", "aa"))}
"""Languages whose phone names tell stress."""


def is_vowel(symbol: str) -> bool:
    """Whether an IPA symbol has a vowel, which stress is told of."""
    return any(isinstance(sound.articulation, Vowel) for sound in parse(symbol))


def is_stressed(name: str, language: str) -> bool:
    """The phone's name says that it carries stress (Russian's doubled vowels, Italian's and Catalan's "a1")."""
    return name in _STRESSED.get(language, ()) or (language in ("it", "ca") and name.endswith("1"))


def to_ipa(names: Sequence[str], language: str) -> list[str]:
    """IPA of an utterance's phones, ``""`` for silence.

    Raises:
        ValueError: a name that the language's phone set does not have.
    """
    symbols: list[str] = []
    for name in names:
        symbol = "" if name in SILENCES else _one(name, language)
        if language == "ca" and symbol == "b" and symbols and symbols[-1] not in ("", "m"):
            symbol = "β"  # within a phrase Catalan's b is closed after m alone
        symbols.append(symbol)
    return symbols


def _one(name: str, language: str) -> str:
    if language == "en":
        return "ɦ" if name == "hv" else arpabet.to_ipa(name)
    bare = name.rstrip("1:") if name not in ("1", ":") else name
    try:
        symbol = _TABLES[language][bare]
    except KeyError:
        raise ValueError(f"{name!r} is not a phone of {language!r}") from None
    return symbol + "ː" if name.endswith(":") else symbol
