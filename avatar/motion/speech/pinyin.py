"""Pinyin syllables (Mandarin forced aligners, text front ends) to IPA, initial and final."""

from __future__ import annotations

import unicodedata

_INITIALS = {
    "zh": "ʈʂ", "ch": "ʈʂʰ", "sh": "ʂ", "b": "p", "p": "pʰ", "m": "m", "f": "f", "d": "t", "t": "tʰ", "n": "n",
    "l": "l", "g": "k", "k": "kʰ", "h": "x", "j": "tɕ", "q": "tɕʰ", "x": "ɕ", "r": "ʐ", "z": "ts", "c": "tsʰ",
    "s": "s",
}  # fmt: skip

_FINALS = {
    "a": "a", "o": "uo", "e": "ɤ", "ê": "ɛ", "ai": "ai", "ei": "ei", "ao": "ɑu", "ou": "ou", "an": "an", "en": "ən",
    "ang": "ɑŋ", "eng": "əŋ", "ong": "ʊŋ", "er": "ɑɚ", "i": "i", "ia": "ja", "ie": "jɛ", "iao": "jɑu", "iu": "jou",
    "iou": "jou", "ian": "jɛn", "in": "in", "iang": "jɑŋ", "ing": "iŋ", "iong": "jʊŋ", "io": "jo", "u": "u", "ua": "wa",
    "uo": "wo", "uai": "wai", "ui": "wei", "uei": "wei", "uan": "wan", "un": "wən", "uen": "wən", "uang": "wɑŋ",
    "ueng": "wəŋ", "uong": "wʊŋ", "ü": "y", "üe": "ɥɛ", "üan": "ɥɛn", "ün": "yn", "m": "m", "n": "n", "ng": "ŋ",
}  # fmt: skip

_APICAL = {"zh": "ɨ", "ch": "ɨ", "sh": "ɨ", "r": "ɨ", "z": "ɨ", "c": "ɨ", "s": "ɨ"}
"""After these, "i" is no [i]: the tongue stays where the consonant was and the lips do not spread."""


def to_ipa(syllable: str) -> tuple[str, ...]:
    """IPA symbols of one syllable, the initial (if any) and the final.

    Args:
        syllable: with or without tone, as a digit or a mark: "zhong1", "lǜ", "lv4", "r5" (erhua).

    Raises:
        ValueError: not a pinyin syllable.
    """
    plain = _plain(syllable)
    if plain == "r":
        return ("ɚ",)
    erhua = len(plain) > 2 and plain.endswith("r") and plain != "er"
    body = plain[:-1] if erhua else plain
    initial = next((i for i in _INITIALS if body.startswith(i) and body not in _FINALS), "")
    final = _spelled_out(initial, body[len(initial) :])
    if final not in _FINALS or not body:
        raise ValueError(f"{syllable!r} is not a pinyin syllable")
    ipa = _APICAL[initial] if final == "i" and initial in _APICAL else _FINALS[final]
    if erhua:
        ipa = ipa.rstrip("nŋ") + "ɚ"
    return (_INITIALS[initial], ipa) if initial else (ipa,)


def _plain(syllable: str) -> str:
    text = syllable.strip().lower().rstrip("012345").replace("u:", "ü").replace("v", "ü")
    # Tone marks go; the dots of ü and the hat of ê stay.
    kept = "".join(c for c in unicodedata.normalize("NFD", text) if c not in "\u0300\u0301\u0304\u030c")
    return unicodedata.normalize("NFC", kept)


def _spelled_out(initial: str, final: str) -> str:
    """Undo the spelling rules: y and w for i and u, u for ü after j, q, x, y."""
    if initial in ("j", "q", "x") and final.startswith("u"):
        return "ü" + final[1:]
    if initial or not final or final[0] not in "yw":
        return final
    if final.startswith("yu"):
        return "ü" + final[2:]
    if final[0] == "y":
        return final[1:] if final[1:2] == "i" else "i" + final[1:]
    return final[1:] if final[1:2] == "u" else "u" + final[1:]
