"""Which language a short text is written in, as far as its script tells."""

from __future__ import annotations

_LATIN_PRIMARY = "en"
_OTHER_SCRIPTS = frozenset(
    # Languages whose own script is not Latin: Latin sentences within them are read as English.
    "cmn zh yue wuu hak ja ko ru uk be bg sr mk el he ar fa ur hi bn ta te ml kn th ka hy am my ne mr gu pa si".split()
)


def is_han(char: str) -> bool:
    """CJK ideographs (unified, extension A, compatibility, and the supplementary planes)."""
    return (
        "\u4e00" <= char <= "\u9fff"
        or "\u3400" <= char <= "\u4dbf"
        or "\uf900" <= char <= "\ufaff"
        or ("\U00020000" <= char <= "\U0003ffff")
    )


def is_kana(char: str) -> bool:
    return "\u3041" <= char <= "\u30ff" and char != "・"


def is_hangul(char: str) -> bool:
    return "\uac00" <= char <= "\ud7a3" or "\u1100" <= char <= "\u11ff"


def is_wide(char: str) -> bool:
    """Written without spaces between words, about one syllable a character."""
    return is_han(char) or is_kana(char)


def primary(language: str) -> str:
    """The primary subtag in lower case, with Chinese unified: ``zh-Hans-CN`` and ``cmn`` are both ``cmn``."""
    tag = language.replace("_", "-").split("-")[0].lower()
    return "cmn" if tag == "zh" else tag


def language_of(text: str, default: str) -> str:
    """BCP 47 tag of ``text``: by its script where that decides, otherwise ``default``.

    Han is Mandarin unless kana stands beside it or the default is another language written in Han. A few
    foreign names in a Chinese sentence leave it Chinese: a Han character weighs three Latin letters,
    about what either takes to say.
    """
    han = sum(map(is_han, text))
    kana = sum(map(is_kana, text))
    hangul = sum(map(is_hangul, text))
    latin = sum(char.isalpha() and char < "\u0250" for char in text)
    if kana and 3 * (kana + han) >= latin:
        return default if primary(default) == "ja" else "ja"
    if hangul and 2 * hangul >= latin:
        return default if primary(default) == "ko" else "ko"
    if han and 3 * han >= latin:
        return default if primary(default) in ("cmn", "yue", "hak", "wuu", "ja") else "cmn"
    if latin and primary(default) in _OTHER_SCRIPTS:
        return _LATIN_PRIMARY
    return default
