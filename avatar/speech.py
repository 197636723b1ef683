"""Speech as the avatar receives it: 48 kHz sound, with phoneme timings where the voice knows them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SPEECH_RATE_HZ = 48_000
"""The one sample rate inside the output path: Opus's own, so nothing is resampled after synthesis."""

FRAME_RATE_HZ = 25
BEAT_SAMPLES = SPEECH_RATE_HZ // FRAME_RATE_HZ
"""Samples of sound that belong to one video frame (1920)."""


@dataclass(frozen=True, slots=True)
class Phoneme:
    """One phoneme of a chunk.

    Attributes:
        symbol: IPA, without stress marks; ``""`` or ``"_"`` is silence.
        start_ms: from the chunk's first sample.
        end_ms: from the chunk's first sample, ``>= start_ms``.
        stressed: carries primary stress (drives head nods and brows).
    """

    symbol: str
    start_ms: float
    end_ms: float
    stressed: bool = False


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    """A stretch of speech to be spoken next.

    Attributes:
        pcm48k: mono int16, shape [samples], 48 kHz.
        language: BCP 47 tag of the speech ("en", "cmn").
        phonemes: in order of time, or None where the voice gives no timings
            (the motion is then read from the sound).
    """

    pcm48k: NDArray[np.int16]
    language: str = "en"
    phonemes: tuple[Phoneme, ...] | None = None

    @property
    def duration_ms(self) -> float:
        return len(self.pcm48k) * 1000 / SPEECH_RATE_HZ
