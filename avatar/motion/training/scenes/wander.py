"""Slow random wandering, many frames at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avatar.motion.behaviour.scene import FRAME_S


def wander(frames: int, channels: int, period_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Smooth noise of unit standard deviation, float64 [frames, channels].

    Args:
        frames: how many.
        channels: independent of each other.
        period_s: what is slower passes; white noise under a Hann window twice as long.
        rng: where it comes from.
    """
    kernel = np.hanning(max(round(2.0 * period_s / FRAME_S), 3) + 2)[1:-1]
    kernel /= np.linalg.norm(kernel)
    white = rng.standard_normal((frames + len(kernel) - 1, channels))
    size = 1 << (len(white) - 1).bit_length()
    spectrum = np.fft.rfft(white, size, axis=0) * np.fft.rfft(kernel, size)[:, None]
    smooth: NDArray[np.float64] = np.fft.irfft(spectrum, size, axis=0)[len(kernel) - 1 : len(kernel) - 1 + frames]
    return smooth
