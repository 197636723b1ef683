"""From samples at a camera's own times to 25 Hz without delay: gaps filled or marked, jitter taken out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avatar.speech import FRAME_RATE_HZ

Floats = NDArray[np.float32]

LONGEST_FILLED_S = 0.4
"""A face lost for longer did something that nobody saw: it goes to rest instead."""

EASE_S = 0.24
"""How long going to rest takes, and coming back."""

_SAVITZKY_GOLAY = {
    # Quadratic fits (Savitzky & Golay 1964): symmetric, so nothing comes late.
    3: np.array([0.25, 0.5, 0.25]),  # a quadratic through three points is no filter; this halves what one frame jumps
    5: np.array([-3, 12, 17, 12, -3]) / 35,
    7: np.array([-2, 3, 6, 7, 6, 3, -2]) / 21,
    9: np.array([-21, 14, 39, 54, 59, 54, 39, 14, -21]) / 231,
}


def frame_times(end_s: float) -> NDArray[np.float64]:
    """Centres of the 25 Hz frames of a video that ends at ``end_s``, at least one."""
    return (np.arange(max(1, round(end_s * FRAME_RATE_HZ))) + 0.5) / FRAME_RATE_HZ


def resampled(
    times_s: NDArray[np.float64], values: Floats, at_s: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Linear between samples; where samples are missing for long, the last known value.

    Args:
        times_s: float64 [samples], rising: the middle of the time at which each was shown.
        values: float32 [samples, channels]; a row with NaN was not seen.
        at_s: float64 [frames].

    Returns:
        float32 [frames, channels] without NaN (zeros where nothing was ever seen), and float32 [frames], 0..1: how much
        of it is to be believed. It falls to 0 within ``EASE_S`` where a gap is longer than ``LONGEST_FILLED_S``.
    """
    known = np.isfinite(values).all(1)
    if not known.any():
        return np.zeros((len(at_s), values.shape[1]), np.float32), np.zeros(len(at_s), np.float32)
    times, rows = times_s[known], values[known]
    out = np.stack([np.interp(at_s, times, rows[:, i]) for i in range(rows.shape[1])], 1)
    after = np.searchsorted(times, at_s)
    before_s = np.where(after > 0, at_s - times[np.maximum(after - 1, 0)], np.inf)
    until_s = np.where(after < len(times), times[np.minimum(after, len(times) - 1)] - at_s, np.inf)
    away_s = np.minimum(before_s, until_s)
    filled = before_s + until_s <= LONGEST_FILLED_S
    held = np.clip(1 - (away_s - 1 / FRAME_RATE_HZ) / EASE_S, 0, 1)
    return out.astype(np.float32), np.where(filled, 1.0, held).astype(np.float32)


def smoothed(values: Floats, width: int) -> Floats:
    """Symmetric smoothing along frames, no lag; ``width`` 1 leaves as is.

    Args:
        values: float32 [frames, ...].
        width: 1, 3, 5, 7 or 9 frames.
    """
    if width == 1 or len(values) < 3:
        return values
    kernel = _SAVITZKY_GOLAY[width]
    half = width // 2
    padded = np.concatenate([values[:1].repeat(half, 0), values, values[-1:].repeat(half, 0)])
    out = np.zeros(values.shape, np.float64)
    for i, weight in enumerate(kernel):
        out += weight * padded[i : i + len(values)]
    return out.astype(np.float32)


def without_spikes(values: Floats) -> Floats:
    """Median of three along frames: a landmark that jumps away for one frame and back is a mistake."""
    if len(values) < 3:
        return values
    out = values.copy()
    out[1:-1] = np.median(np.stack([values[:-2], values[1:-1], values[2:]]), 0)
    return out
