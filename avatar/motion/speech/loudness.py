"""How loud each stretch of speech is, against how loud this voice usually is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avatar.speech import SPEECH_RATE_HZ

HOP_MS = 10
_HOP = SPEECH_RATE_HZ * HOP_MS // 1000
_STRIDE = 4
"""Energy needs no more than every fourth sample: what folds over still counts as energy."""

_SILENCE_DB = -60.0
_LEVEL_SHARE = 0.15
"""Weight of a new vowel in the running level: adapts within a phrase, survives one shouted word."""

_GAIN_PER_DB = 0.03
_GAIN_RANGE = (0.75, 1.25)


def envelope_db(pcm48k: NDArray[np.int16]) -> NDArray[np.float32]:
    """Energy in dB of full scale every 10 ms, float32 [ceil(samples / 480)], at least -100."""
    sparse = pcm48k[::_STRIDE].astype(np.float32)
    width = _HOP // _STRIDE
    padded = np.zeros(-(-len(pcm48k) // _HOP) * width, np.float32)
    padded[: len(sparse)] = sparse[: len(padded)]
    power = np.square(padded / 32768.0).reshape(-1, width).mean(axis=1)
    level: NDArray[np.float32] = 10.0 * np.log10(np.maximum(power, 1e-10))
    return level


class VoiceLevel:
    """Running level of a voice's vowels, and each vowel's gain against it.

    Attributes:
        level_db: of ordinary vowels, dB of full scale; None before the first.
    """

    def __init__(self) -> None:
        self.level_db: float | None = None

    def gain(self, level_db: float) -> float:
        """Gain of a vowel of this level: 1 for an ordinary one, within 0.75..1.25; learns the level."""
        if level_db < _SILENCE_DB:
            return 1.0
        if self.level_db is None:
            self.level_db = level_db
        gain = 1.0 + _GAIN_PER_DB * (level_db - self.level_db)
        self.level_db += _LEVEL_SHARE * (level_db - self.level_db)
        return min(max(gain, _GAIN_RANGE[0]), _GAIN_RANGE[1])
