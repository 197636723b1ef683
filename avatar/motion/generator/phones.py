"""Phone classes: what the sound encoder is asked to tell apart besides the mouth.

Few enough that every class is frequent in every language, and cut where lips differ: an affricate counts as its
fricative (``ipa.parse`` drops its stop), a diphthong as its two vowels.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from avatar.motion.speech.ipa import Consonant, Place, Sound, Vowel, parse
from avatar.speech import Phoneme

NAMES = (
    "silence",
    "p", "b", "m", "f", "v", "θ", "t", "d", "n", "l", "s", "z", "ʃ", "ʂ", "ɕ", "ɹ", "w", "j", "k", "ɡ", "ŋ", "x", "h",
    "i", "e", "a", "ə", "ɑ", "o", "u", "y",
)  # fmt: skip
"""A class is called after its commonest phone: "θ" is both dental fricatives, "l" every alveolar liquid, tap and
trill, "ʃ" "ʂ" "ɕ" also the voiced ones, "ŋ" every hidden nasal, "y" every rounded front vowel."""

COUNT = len(NAMES)
INDEX = {name: number for number, name in enumerate(NAMES)}
SILENCE = 0
HOP_MS = 10.0

_NASALS = frozenset("mɱnɳɲŋɴ")
_PLACES = {
    # place: (voiceless stop, voiced stop, nasal, voiceless, voiced)
    Place.BILABIAL: ("p", "b", "m", "f", "v"),
    Place.LABIODENTAL: ("f", "v", "v", "f", "v"),
    Place.DENTAL: ("θ", "θ", "θ", "θ", "θ"),
    Place.ALVEOLAR: ("t", "d", "n", "l", "l"),
    Place.SIBILANT: ("s", "z", "z", "s", "z"),
    Place.POSTALVEOLAR: ("ʃ", "ʃ", "ʃ", "ʃ", "ʃ"),
    Place.RETROFLEX_SIBILANT: ("ʂ", "ʂ", "ʂ", "ʂ", "ʂ"),
    Place.ALVEOLOPALATAL: ("ɕ", "ɕ", "ɕ", "ɕ", "ɕ"),
    Place.RHOTIC: ("ɹ", "ɹ", "ɹ", "ɹ", "ɹ"),
    Place.LABIOVELAR: ("w", "w", "w", "w", "w"),
    Place.PALATAL: ("k", "ɡ", "ŋ", "j", "j"),
    Place.HIDDEN: ("k", "ɡ", "ŋ", "x", "x"),
    Place.GLOTTAL: ("h", "h", "h", "h", "h"),
}


@lru_cache(maxsize=4096)
def classes(symbol: str) -> tuple[tuple[int, float], ...]:
    """Classes of one IPA symbol, in order, each with its share of the symbol's time (shares sum to 1)."""
    nasal = not _NASALS.isdisjoint(symbol)
    return tuple((_class(sound, nasal=nasal), sound.share) for sound in parse(symbol))


def timeline(phonemes: Iterable[Phoneme], hops: int) -> NDArray[np.uint8]:
    """The class heard at the middle of every 10 ms hop.

    Args:
        phonemes: in order of time; what they leave out is silence.
        hops: how many.

    Returns:
        uint8 [hops].
    """
    line = np.full(hops, SILENCE, np.uint8)
    for phoneme in phonemes:
        at = phoneme.start_ms
        for number, share in classes(phoneme.symbol):
            until = at + (phoneme.end_ms - phoneme.start_ms) * share
            line[max(round(at / HOP_MS), 0) : max(round(until / HOP_MS), 0)] = number
            at = until
    return line


def _class(sound: Sound, *, nasal: bool) -> int:
    what = sound.articulation
    if what is None:
        return SILENCE
    if isinstance(what, Vowel):
        return INDEX[_vowel(what)]
    return INDEX[_PLACES[what.place][_manner(what, nasal=nasal)]]


def _manner(what: Consonant, *, nasal: bool) -> int:
    if what.stop:
        return 0 if not what.voiced else 2 if nasal else 1
    return 4 if what.voiced else 3


def _vowel(vowel: Vowel) -> str:
    if vowel.rounded > 0.1:
        if vowel.back < 0.5:
            return "y"
        return "u" if vowel.open < 0.3 else "o"
    if vowel.open > 0.8:
        return "ɑ" if vowel.back > 0.6 else "a"
    if vowel.back < 0.5:
        return "i" if vowel.open < 0.3 else "e"
    return "ɑ" if vowel.open > 0.65 and vowel.back > 0.6 else "ə"
