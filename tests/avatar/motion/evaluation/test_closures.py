"""Where closures fail is told by the sound."""

from __future__ import annotations

import numpy as np

from avatar.motion.evaluation.closures import causes
from avatar.motion.evaluation.lips import Mouth
from avatar.motion.evaluation.material import Clip, reference_of
from avatar.speech import BEAT_SAMPLES, Phoneme, SpeechChunk

PHONES = "a m a t a b a n a".split()
EACH_MS = 200.0


def clip() -> Clip:
    phonemes = tuple(Phoneme(name, i * EACH_MS, (i + 1) * EACH_MS, False) for i, name in enumerate(PHONES))
    speech = SpeechChunk(np.zeros(len(PHONES) * 5 * BEAT_SAMPLES, np.int16), "en", phonemes)
    return Clip("made", "made", speech, reference_of(speech))


def mouth(closed_on: str) -> Mouth:
    closed = np.zeros(5 * len(PHONES), bool)
    for i, name in enumerate(PHONES):
        closed[5 * i + 1 : 5 * i + 4] = name in closed_on
    opening = np.where(closed, 0.0, 0.5).astype(np.float32)
    return Mouth(opening, opening, opening, closed)


def test_a_closure_that_is_there_is_not_told() -> None:
    found = causes([(mouth("mb"), clip())])
    assert found["wanted"] == {"m": 1, "b": 1} and sum(found["missed"].values()) == 0 and not found["made up"]


def test_what_is_missed_and_what_is_taken_for_one() -> None:
    found = causes([(mouth("mtn"), clip()), (mouth("mbn"), clip())])
    assert found["wanted"] == {"m": 2, "b": 2}
    assert found["missed"]["b"] == 1 and found["missed"]["m"] == 0
    assert found["made up"] == {"n": 2, "t": 1}
