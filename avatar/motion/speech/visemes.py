"""Articulations to viseme targets and their dominance.

A viseme is a target for every mouth parameter and, for each *group* of parameters (jaw, seal, rounding,
spreading, lips, tongue), how strongly and how far around itself it insists on it. Vowels are computed from height,
backness and rounding; consonants are tabled by place. Targets are amplitudes for an ordinary
speaking style (jaw 0.1..0.55), set by looking at rendered portraits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from avatar.motion.speech.ipa import Consonant, Place, Sound, Vowel
from avatar.motion.speech.mouth import (
    COUNT,
    FUNNEL,
    JAW,
    LOWER,
    PRESS,
    PUCKER,
    ROLL_LOWER,
    ROLL_UPPER,
    SEAL,
    SPREAD,
    TONGUE,
    UPPER,
)

GROUPS = ("jaw", "seal", "rounding", "spreading", "lips", "tongue")
GROUP_OF = np.zeros(COUNT, np.intp)
for _parameter, _group in (
    (JAW, 0), (SEAL, 1), (PUCKER, 2), (FUNNEL, 2), (SPREAD, 3),
    (UPPER, 4), (LOWER, 4), (ROLL_LOWER, 4), (ROLL_UPPER, 4), (PRESS, 1), (TONGUE, 5),
):  # fmt: skip
    GROUP_OF[_parameter] = _group


@dataclass(frozen=True, slots=True, eq=False)
class Viseme:
    """One articulation's goal.

    Attributes:
        target: float32 [COUNT].
        strength: peak dominance of each group, float32 [groups].
        before_ms, after_ms: how far the dominance reaches ahead of and behind the segment, float32 [groups].
        loud: how much loudness opens it further, 0..1 (vowels: JALI's jaw axis, Edwards et al. 2016).
        seals: both lips must meet (p, b, m).
        touches: lower lip must touch the upper teeth (f, v).
        voiceless_stop: heard at its release; the gap before it is the closure.
        holds: the goal is held for the whole segment, not only in its core (silence).
    """

    target: NDArray[np.float32]
    strength: NDArray[np.float32]
    before_ms: NDArray[np.float32]
    after_ms: NDArray[np.float32]
    loud: float = 0.0
    seals: bool = False
    touches: bool = False
    voiceless_stop: bool = False
    holds: bool = False


# (jaw, seal, rounding, spreading, lips, tongue)
_BEFORE_MS = (75.0, 34.0, 150.0, 90.0, 60.0, 55.0)  # rounding is anticipated two segments ahead
_AFTER_MS = (80.0, 30.0, 85.0, 80.0, 55.0, 50.0)
_VOWEL_STRENGTH = (1.2, 1.0, 1.0, 0.9, 0.6, 0.4)

_CONSONANTS: dict[Place, tuple[dict[int, float], tuple[float, ...]]] = {
    Place.BILABIAL: (
        {JAW: 0.1, SEAL: 1.0, PRESS: 0.28, ROLL_LOWER: 0.14, ROLL_UPPER: 0.12},
        (0.55, 4.0, 0.12, 0.2, 3.0, 0.05),
    ),
    Place.LABIODENTAL: (
        {JAW: 0.14, SEAL: 0.2, ROLL_LOWER: 0.75, UPPER: 0.45},
        (0.9, 2.5, 0.25, 0.35, 4.0, 0.05),
    ),
    Place.DENTAL: ({JAW: 0.17, LOWER: 0.14, UPPER: 0.06, TONGUE: 0.95}, (0.6, 1.0, 0.15, 0.25, 0.9, 3.0)),
    Place.ALVEOLAR: ({JAW: 0.15, LOWER: 0.08, TONGUE: 0.85}, (0.5, 1.0, 0.1, 0.15, 0.5, 3.0)),
    # The jaw must rise for a sibilant whatever is around it (Mooshammer et al. 2007).
    Place.SIBILANT: ({JAW: 0.08, SPREAD: 0.28, LOWER: 0.28, UPPER: 0.14}, (2.8, 1.0, 0.22, 0.6, 1.2, 0.4)),
    Place.POSTALVEOLAR: (
        {JAW: 0.09, FUNNEL: 0.4, PUCKER: 0.32, LOWER: 0.12, UPPER: 0.12},
        (2.5, 1.0, 1.1, 0.7, 1.0, 0.4),
    ),
    # Mandarin's zh ch sh r round the lips less than English sh; j q x not at all (Lin 2007).
    Place.RETROFLEX_SIBILANT: (
        {JAW: 0.1, FUNNEL: 0.26, PUCKER: 0.08, LOWER: 0.1, UPPER: 0.08},
        (2.2, 1.0, 0.7, 0.5, 1.0, 0.6),
    ),
    Place.ALVEOLOPALATAL: (
        {JAW: 0.08, SPREAD: 0.34, LOWER: 0.14, UPPER: 0.08},
        (2.5, 1.0, 0.4, 0.9, 1.0, 0.4),
    ),
    Place.RHOTIC: ({JAW: 0.14, FUNNEL: 0.2, PUCKER: 0.26, TONGUE: 0.25}, (0.5, 1.0, 0.7, 0.4, 0.4, 0.6)),
    Place.LABIOVELAR: ({JAW: 0.1, PUCKER: 0.78, FUNNEL: 0.1}, (1.0, 1.0, 2.4, 1.0, 0.8, 0.2)),
    Place.PALATAL: ({JAW: 0.12, SPREAD: 0.3, LOWER: 0.06}, (0.6, 1.0, 0.2, 0.7, 0.4, 0.4)),
    Place.HIDDEN: ({JAW: 0.18, LOWER: 0.05}, (0.3, 1.0, 0.06, 0.1, 0.25, 0.4)),
    # h and the glottal stop have the mouth of whatever follows.
    Place.GLOTTAL: ({JAW: 0.22}, (0.08, 0.5, 0.04, 0.05, 0.08, 0.1)),
}

_SILENCE_STRENGTH = (0.9, 0.3, 0.5, 0.5, 0.8, 0.5)
_SILENCE_REACH_MS = 55.0


def _array(values: tuple[float, ...]) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def _consonant(consonant: Consonant) -> Viseme:
    targets, strength = _CONSONANTS[consonant.place]
    target = np.zeros(COUNT, np.float32)
    for parameter, value in targets.items():
        target[parameter] = value
    if consonant.place is Place.BILABIAL and not consonant.stop:
        target[SEAL], target[PRESS] = 0.7, 0.0  # a bilabial fricative or trill leaves a slit
    if consonant.place is Place.ALVEOLAR and not consonant.stop:
        target[JAW] = 0.2  # l and taps are opener than t, d, n
    return Viseme(
        target,
        _array(strength),
        _array(_BEFORE_MS),
        _array(_AFTER_MS),
        loud=0.25,
        seals=consonant.place is Place.BILABIAL and consonant.stop,
        touches=consonant.place is Place.LABIODENTAL,
        voiceless_stop=consonant.stop and not consonant.voiced,
    )


def _vowel(vowel: Vowel) -> Viseme:
    target = np.zeros(COUNT, np.float32)
    frontness = 1.0 - vowel.back
    closeness = 1.0 - vowel.open
    target[JAW] = 0.13 + 0.4 * vowel.open
    # Close rounding is a pucker, open rounding a funnel.
    target[PUCKER] = 0.8 * vowel.rounded * (0.25 + 0.75 * closeness)
    target[FUNNEL] = vowel.rounded * (0.22 + 0.5 * vowel.open)
    unrounded = 1.0 - vowel.rounded
    target[SPREAD] = unrounded * frontness * (0.12 + 0.4 * closeness)
    target[LOWER] = unrounded * (0.07 + 0.18 * frontness)
    target[UPPER] = unrounded * 0.1 * frontness
    strength = _array(_VOWEL_STRENGTH)
    if vowel.rounded:
        strength[2] = 1.2 + 0.8 * vowel.rounded
    if 0.3 < vowel.open < 0.5 and vowel.back == 0.5:
        strength *= 0.6  # schwas are what their neighbours make of them
    return Viseme(target, strength, _array(_BEFORE_MS), _array(_AFTER_MS), loud=1.0)


def _silence() -> Viseme:
    reach = np.full(len(GROUPS), _SILENCE_REACH_MS, np.float32)
    return Viseme(np.zeros(COUNT, np.float32), _array(_SILENCE_STRENGTH), reach, reach, holds=True)


@lru_cache(maxsize=512)
def viseme(sound: Sound) -> Viseme:
    """The goal of one articulation."""
    if sound.articulation is None:
        return _silence()
    shape = _consonant(sound.articulation) if isinstance(sound.articulation, Consonant) else _vowel(sound.articulation)
    target, strength = shape.target.copy(), shape.strength.copy()
    if sound.labialised or sound.rhotic:
        pucker, funnel = (0.6, 0.1) if sound.labialised else (0.22, 0.2)
        target[PUCKER] = max(target[PUCKER], pucker)
        target[FUNNEL] = max(target[FUNNEL], funnel)
        target[SPREAD] *= 0.3
        strength[2] = max(strength[2], 1.2)
    if sound.palatalised:
        target[SPREAD] = max(target[SPREAD], 0.25)
        strength[3] = max(strength[3], 0.5)
    return replace(shape, target=target, strength=strength)
