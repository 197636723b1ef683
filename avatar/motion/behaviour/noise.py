"""Smooth, bounded, 1/f-like noise: the ground of every living posture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avatar.motion.behaviour.scene import FRAME_S

_CUTOFFS_HZ = (0.05, 0.16, 0.5)
_SHARES = (1.0, 0.62, 0.3)
"""Amplitude falls with frequency; nothing moves a head at more than 2 Hz unless it means something."""

_BOUND = 2.6


class SmoothNoise:
    """Independent processes of unit standard deviation, never beyond +-2.6."""

    def __init__(self, processes: int, rng: np.random.Generator) -> None:
        self._rng = rng
        share = np.array(_SHARES) / np.linalg.norm(_SHARES)
        alpha = 1.0 - np.exp(-2.0 * np.pi * np.array(_CUTOFFS_HZ) * FRAME_S)
        q = (1.0 - alpha) ** 2
        # Variance of white noise after two equal one-pole low-passes.
        variance = alpha**4 * (1.0 + q) / (1.0 - q) ** 3
        self._alpha = alpha
        self._scale = share / np.sqrt(variance)
        self._first = np.zeros((processes, len(alpha)))
        self._second = np.zeros((processes, len(alpha)))

    def step(self) -> NDArray[np.float64]:
        """The next frame's values, float64 [processes]."""
        white = self._rng.standard_normal(self._first.shape)
        self._first += self._alpha * (white - self._first)
        self._second += self._alpha * (self._first - self._second)
        values: NDArray[np.float64] = _BOUND * np.tanh(self._second @ self._scale / _BOUND)
        return values
