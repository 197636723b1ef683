"""Opus by libopus: what leaves in one slot of the clock."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

RATE_HZ = 48_000
FRAME_SAMPLES = 960


class OpusEncoder:
    """Encodes mono speech, 20 ms at a time. Not thread-safe."""

    def __init__(self) -> None:
        context = av.CodecContext.create("libopus", "w")
        context.sample_rate, context.format, context.layout = RATE_HZ, "s16", "mono"
        context.time_base = Fraction(1, RATE_HZ)
        context.bit_rate = 32_000  # transparent for wideband speech (RFC 7587 section 3.1.1: 28-40 kbit/s fullband)
        context.options = {
            "application": "voip",
            "frame_duration": "20",
            "vbr": "on",
            "fec": "1",
            "packet_loss": "10",  # what in-band FEC is dimensioned for; 0 would switch it off
        }
        self._context = context
        self._pts = 0

    def encode(self, pcm48k: NDArray[np.int16]) -> bytes:
        """One packet from int16 [960]."""
        frame = av.AudioFrame.from_ndarray(pcm48k.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, self._pts, Fraction(1, RATE_HZ)
        self._pts += FRAME_SAMPLES
        return b"".join(bytes(packet) for packet in self._context.encode(frame))
