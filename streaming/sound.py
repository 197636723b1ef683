"""Sample rates of the output path."""

from __future__ import annotations

import numpy as np
import soxr

from avatar.speech import SPEECH_RATE_HZ

PROTOCOL_RATE_HZ = 24_000
"""The Realtime protocol's ``audio/pcm``."""


class Downsampler:
    """48 kHz speech as it is played -> 24 kHz for clients that get sound as events. One utterance after another."""

    def __init__(self) -> None:
        self._stream = self._fresh()

    def feed(self, pcm48k: bytes, *, last: bool) -> bytes:
        """Mono int16 little-endian in and out; ``last`` flushes the utterance's tail."""
        out = self._stream.resample_chunk(np.frombuffer(pcm48k, np.int16), last=last)
        if last:
            self.reset()
        return bytes(out.tobytes())

    def reset(self) -> None:
        """Forget the utterance: it was cut off."""
        self._stream = self._fresh()

    @staticmethod
    def _fresh() -> soxr.ResampleStream:
        return soxr.ResampleStream(SPEECH_RATE_HZ, PROTOCOL_RATE_HZ, 1, dtype="int16")
