"""IPA strings to articulations: every base letter by its place, height and rounding.

Covers the whole IPA chart, so a language nobody tuned still moves plausibly. Diacritics are stripped
except those that lips show: labialised, rhotic and palatalised. espeak-ng's Mandarin keeps some ASCII mnemonics
("s." for a retroflex, "ph" for an aspirated stop); they are read here too.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache


class Place(Enum):
    """Where a consonant shows on the outside."""

    BILABIAL = auto()
    LABIODENTAL = auto()
    DENTAL = auto()
    ALVEOLAR = auto()
    SIBILANT = auto()
    POSTALVEOLAR = auto()
    RETROFLEX_SIBILANT = auto()
    ALVEOLOPALATAL = auto()
    RHOTIC = auto()
    LABIOVELAR = auto()
    PALATAL = auto()
    HIDDEN = auto()
    GLOTTAL = auto()


@dataclass(frozen=True, slots=True)
class Consonant:
    """Attributes:
    place: what shows.
    stop: a plosive or nasal, so that bilabials seal (a fricative or trill only nears).
    voiced: voiceless stops are heard at their release; see ``closures``.
    """

    place: Place
    stop: bool = False
    voiced: bool = True


@dataclass(frozen=True, slots=True)
class Vowel:
    """Attributes:
    open: 0 close .. 1 open.
    back: 0 front .. 1 back.
    rounded: 0 spread or neutral .. 1 fully rounded.
    """

    open: float
    back: float
    rounded: float = 0.0


@dataclass(frozen=True, slots=True)
class Sound:
    """One articulation of a phoneme.

    Attributes:
        articulation: what the mouth does; None is silence.
        share: part of the phoneme's time, the shares of one phoneme sum to 1.
        labialised: lips round (ʷ).
        rhotic: r-coloured (˞).
        palatalised: fronted, lips a little spread (ʲ).
    """

    articulation: Consonant | Vowel | None
    share: float = 1.0
    labialised: bool = False
    rhotic: bool = False
    palatalised: bool = False


SILENCE = Sound(None)

_HEIGHT = {
    "close": 0.0,
    "near-close": 0.22,
    "close-mid": 0.38,
    "mid": 0.5,
    "open-mid": 0.68,
    "near-open": 0.86,
    "open": 1.0,
}


def _vowels() -> dict[str, Vowel]:
    table: dict[str, Vowel] = {}
    for height, front, central, back in (
        # unrounded then rounded at each position of the IPA chart
        ("close", "iy", "ɨʉ", "ɯu"),
        ("near-close", "ɪʏ", "ᵻᵿ", " ʊ"),
        ("close-mid", "eø", "ɘɵ", "ɤo"),
        ("mid", "  ", "ə ", "  "),
        ("open-mid", "ɛœ", "ɜɞ", "ʌɔ"),
        ("near-open", "æ ", "ɐ ", "  "),
        ("open", "aɶ", "  ", "ɑɒ"),
    ):
        for backness, pair in ((0.0, front), (0.5, central), (1.0, back)):
            for rounded, letter in enumerate(pair):
                if letter != " ":
                    # Open rounded vowels round the lips less than close ones.
                    amount = rounded * (1.0 - 0.55 * _HEIGHT[height])
                    table[letter] = Vowel(_HEIGHT[height], backness, amount)
    table["ʊ"] = Vowel(0.22, 0.8, 0.6)  # lax: clearly less rounded than u
    table["ɐ"] = Vowel(0.6, 0.5)  # espeak's reduced a
    table["ə"] = Vowel(0.42, 0.5)
    table["ɚ"] = Vowel(0.36, 0.5)
    table["ɝ"] = Vowel(0.42, 0.5)
    return table  # fmt: skip


_VOWELS = _vowels()
_RHOTIC_VOWELS = "ɚɝ"


def _consonants() -> dict[str, Consonant]:
    table: dict[str, Consonant] = {}
    for place, voiceless_stops, voiced_stops, voiceless, voiced in (
        (Place.BILABIAL, "p", "bmɓʘ", "ɸ", "βʙ"),
        (Place.LABIODENTAL, "", "", "f", "vɱʋⱱ"),
        (Place.DENTAL, "", "", "θ", "ðǀ"),
        (Place.ALVEOLAR, "tʈ", "dnɖɳɗᶑ", "ɬꞎ", "lɾɫɭɽɮɺrǃǁ"),
        (Place.SIBILANT, "", "", "s", "z"),
        (Place.POSTALVEOLAR, "", "", "ʃ", "ʒ"),
        (Place.RETROFLEX_SIBILANT, "", "", "ʂ", "ʐ"),
        (Place.ALVEOLOPALATAL, "", "", "ɕ", "ʑ"),
        (Place.RHOTIC, "", "", "", "ɹɻ"),
        (Place.LABIOVELAR, "", "", "ʍ", "wɥ"),
        (Place.PALATAL, "c", "ɟɲʄ", "ç", "jʝʎǂ"),
        (Place.HIDDEN, "kq", "gɡŋɢɴɠʛ", "xχɧ", "ɣʁɰʟʀ"),
        (Place.GLOTTAL, "ʔ", "", "hħʜ", "ɦʕʢʡ"),
    ):
        for letters, stop, is_voiced in (
            (voiceless_stops, True, False),
            (voiced_stops, True, True),
            (voiceless, False, False),
            (voiced, False, True),
        ):
            for letter in letters:
                table[letter] = Consonant(place, stop, is_voiced)
    return table


_CONSONANTS = _consonants()

_SIBILANTS = (Place.SIBILANT, Place.POSTALVEOLAR, Place.RETROFLEX_SIBILANT, Place.ALVEOLOPALATAL)

_LIGATURES = {"ʦ": "ts", "ʣ": "dz", "ʧ": "tʃ", "ʤ": "dʒ", "ʨ": "tɕ", "ʥ": "dʑ", "ꭧ": "ʈʂ", "ꭦ": "ɖʐ"}
_RETROFLEX_MNEMONIC = {"s": "ʂ", "z": "ʐ", "i": "ɨ", "t": "ʈ", "d": "ɖ", "n": "ɳ", "l": "ɭ", "r": "ɻ"}
_LANGUAGE_SWITCH = re.compile(r"\([a-z-]*\)")
"""espeak-ng announces a word in another language as an event of its own: "(en)"."""

_LONE_MODIFIERS = {"\u02b2": "j", "\u02b7": "w"}
"""ʲ and ʷ as symbols of their own (espeak-ng's Russian and Polish) are glides."""

_CONSONANT_SHARE = 0.6
"""A consonant written beside a vowel in one symbol ("ɑːɹ", "əl", "wei") is shorter than a short vowel."""


@lru_cache(maxsize=4096)
def parse(symbol: str) -> tuple[Sound, ...]:
    """The articulations of one phoneme, in order.

    Diphthongs are two articulations (the glide shorter), affricates one (their fricative shows, and their
    stop is too short to be seen), ``""`` and ``"_"`` silence. An unknown letter is skipped; a symbol with no
    known letter at all is a neutral half-open mouth, because somebody is speaking.
    """
    text = _LANGUAGE_SWITCH.sub("", unicodedata.normalize("NFD", symbol)).replace("g", "ɡ")
    for ligature, letters in _LIGATURES.items():
        text = text.replace(ligature, letters)
    if not text.strip(" _ˈˌ|‖.:;"):
        return (SILENCE,)
    parts: list[tuple[Sound, float]] = []
    for i, letter in enumerate(text):
        following = text[i + 1] if i + 1 < len(text) else ""
        if not parts:
            letter = _LONE_MODIFIERS.get(letter, letter)
        if letter in "\u02b7\u032b":  # labialised
            _amend(parts, labialised=True)
        elif letter in "\u02de\u02b5":  # rhotic hook
            _amend(parts, rhotic=True)
        elif letter == "\u02b2":
            _amend(parts, palatalised=True)
        elif letter == "ː" and parts:
            parts[-1] = (parts[-1][0], parts[-1][1] * 1.8)
        elif letter == "h" and parts and isinstance(parts[-1][0].articulation, Consonant):
            continue  # aspiration of the consonant before it
        else:
            if following == "." and letter in _RETROFLEX_MNEMONIC:
                letter = _RETROFLEX_MNEMONIC[letter]
            vowel, consonant = _VOWELS.get(letter), _CONSONANTS.get(letter)
            if vowel is not None:
                _add_vowel(parts, vowel, following, rhotic=letter in _RHOTIC_VOWELS)
            elif consonant is not None:
                _add_consonant(parts, consonant)
    if not parts:
        parts = [(Sound(Vowel(0.42, 0.5)), 1.0)]
    total = sum(weight for _, weight in parts)
    return tuple(Sound(s.articulation, w / total, s.labialised, s.rhotic, s.palatalised) for s, w in parts)


def _amend(parts: list[tuple[Sound, float]], **changes: bool) -> None:
    if parts:
        sound, weight = parts[-1]
        kept = {"labialised": sound.labialised, "rhotic": sound.rhotic, "palatalised": sound.palatalised} | changes
        parts[-1] = (Sound(sound.articulation, 1.0, **kept), weight)


def _add_vowel(parts: list[tuple[Sound, float]], vowel: Vowel, following: str, *, rhotic: bool) -> None:
    # Second half of a diphthong: the glide is shorter and does not quite reach its target.
    second = bool(parts) and isinstance(parts[-1][0].articulation, Vowel)
    non_syllabic = following == "\u032f"
    parts.append((Sound(vowel, rhotic=rhotic), 0.7 if second or non_syllabic else 1.0))


def _add_consonant(parts: list[tuple[Sound, float]], consonant: Consonant) -> None:
    before = parts[-1][0].articulation if parts else None
    if (
        isinstance(before, Consonant)
        and before.stop
        and before.place in (Place.ALVEOLAR, Place.PALATAL)
        and not consonant.stop
        and consonant.place in _SIBILANTS
    ):
        parts[-1] = (Sound(consonant), parts[-1][1])  # an affricate
        return
    parts.append((Sound(consonant), _CONSONANT_SHARE))
