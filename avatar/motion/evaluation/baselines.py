"""What a model has to be better than: the mouth from loudness, and from a linear fit on four bands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.motion.evaluation.lips import CLOSED_OPENING, MEASURES, Mouth
from avatar.motion.evaluation.material import Clip
from avatar.speech import BEAT_SAMPLES, SPEECH_RATE_HZ

LOUDNESS = ((80.0, 7600.0),)
FOUR_BANDS = ((80.0, 600.0), (600.0, 1500.0), (1500.0, 3000.0), (3000.0, 7600.0))
"""Voice and first formant, first and second formant, second and third, hiss."""

_RANGE_DB = 50.0
_WINDOW = 2 * BEAT_SAMPLES
"""80 ms about a frame's middle: it may look 20 ms ahead of the frame."""


@dataclass(frozen=True, slots=True, eq=False)
class LinearMouth:
    """Opening, width and rounding as a linear function of band levels.

    Levels are taken against the clip's own loud moments, which no stream knows: the baseline is flattered.

    Attributes:
        bands: (low, high) in Hz.
        weights: float64 [len(bands) + 1, 3].
    """

    bands: tuple[tuple[float, float], ...]
    weights: NDArray[np.float64]

    @staticmethod
    def fitted(clips: Iterable[Clip], bands: tuple[tuple[float, float], ...]) -> LinearMouth:
        """Least squares against the references of training clips.

        Raises:
            ValueError: no clips.
        """
        size = len(bands) + 1
        squares, products = np.zeros((size, size)), np.zeros((size, len(MEASURES)))
        for clip in clips:
            frames = len(clip.reference.mouth)
            features = band_levels(clip.speech.pcm48k, bands, frames)
            targets = np.stack([getattr(clip.reference.mouth, name) for name in MEASURES], 1)
            squares += features.T @ features
            products += features.T @ targets
        if not squares.any():
            raise ValueError("a linear mouth cannot be fitted to no clips")
        return LinearMouth(bands, np.asarray(np.linalg.lstsq(squares, products, rcond=None)[0], np.float64))

    def __call__(self, clip: Clip) -> Mouth:
        out = band_levels(clip.speech.pcm48k, self.bands, len(clip.reference.mouth)) @ self.weights
        opening, width, rounding = out.astype(np.float32).T
        return Mouth(np.maximum(opening, 0), width, rounding, opening < CLOSED_OPENING)


def band_levels(pcm48k: NDArray[np.int16], bands: tuple[tuple[float, float], ...], frames: int) -> NDArray[np.float64]:
    """Levels of the bands in 0..1 over ``_RANGE_DB`` below the clip's loud moments, and a 1: [frames, len(bands) + 1]."""
    before = (_WINDOW - BEAT_SAMPLES) // 2
    sound = np.zeros(before + frames * BEAT_SAMPLES + _WINDOW, np.float32)
    kept = pcm48k[: frames * BEAT_SAMPLES + _WINDOW - BEAT_SAMPLES]
    sound[before : before + len(kept)] = kept / 32768.0
    windows = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::BEAT_SAMPLES][:frames]
    power = np.abs(np.fft.rfft(windows * np.hanning(_WINDOW), axis=1)) ** 2
    hertz = np.fft.rfftfreq(_WINDOW, 1 / SPEECH_RATE_HZ)
    sums = np.stack([power[:, (hertz >= low) & (hertz < high)].sum(1) for low, high in bands], 1)
    decibels = 10 * np.log10(sums + 1e-9)
    loud = np.percentile(decibels.max(1), 95)
    levels = np.clip((decibels - loud + _RANGE_DB) / _RANGE_DB, 0, 1.2)
    return np.concatenate([levels, np.ones((frames, 1))], 1)
