"""Pitch of a voice, causal: the highest peak of the autocorrelation, corrected for the window's own.

Boersma, "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a sampled sound" (1993), with
his costs for octaves and octave jumps, on sound below 1 kHz; his search back from the end becomes a step from the hop before, since the rest is not
known yet.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

LOWEST_HZ, HIGHEST_HZ = 62.5, 500.0

_RATE_HZ = 4_000
_HOP = _RATE_HZ // 100
_CUTOFF_HZ = 1_000.0
"""Enough harmonics of any voice; above it breath and noise only blur the peak."""
_FILTER_MS = 8

_WINDOW = 192
"""48 ms: three periods of the lowest pitch."""
_POINTS = 512
_FINE = 2
"""The autocorrelation is interpolated to 8 kHz: at 500 Hz a period is 16 lags, not 8."""
_LAGS = np.arange(int(_RATE_HZ * _FINE / HIGHEST_HZ), int(_RATE_HZ * _FINE / LOWEST_HZ) + 1)

_OCTAVE_COST = 0.01
_JUMP_COST = 0.35
_VOICED = 0.45
_NOISE_POWER = 1e-6
"""Counted as unperiodic sound under everything: -60 dB of full scale, so that the rounding of near silence has no pitch."""

_HANN = (0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(_WINDOW) + 0.5) / _WINDOW)).astype(np.float32)


def _autocorrelation(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of each row, at lag 0 and at ``_LAGS``: float32 [rows, 1 + lags]."""
    spectrum = np.fft.rfft(windows, _POINTS, axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    correlation = np.fft.irfft(power, _POINTS * _FINE, axis=1) * _FINE
    out: NDArray[np.float32] = correlation[:, np.concatenate(([0], _LAGS))].astype(np.float32)
    return out


_OF_WINDOW = _autocorrelation(_HANN[None])[0]
_CORRECTION = _OF_WINDOW[0] / _OF_WINDOW[1:]
_NOISE = np.float32(_NOISE_POWER * _OF_WINDOW[0])
_OCTAVES = np.log2(_LAGS).astype(np.float32)
_PREFERENCE = (_OCTAVE_COST * (_OCTAVES - _OCTAVES[0])).astype(np.float32)


class PitchTracker:
    """``push`` whole hops of 10 ms; F0 and voicing of each come back.

    Args:
        rate_hz: of the sound, a multiple of 4 kHz.
    """

    def __init__(self, rate_hz: int) -> None:
        self._decimation = rate_hz // _RATE_HZ
        taps = rate_hz * _FILTER_MS // 1000
        at = np.arange(taps) - (taps - 1) / 2
        lowpass = np.sinc(2 * _CUTOFF_HZ / rate_hz * at) * np.hamming(taps)
        self._lowpass = (lowpass / lowpass.sum()).astype(np.float32)
        self.reset()

    def reset(self) -> None:
        """Silence comes before what is pushed next."""
        self._before = np.zeros(len(self._lowpass) - self._decimation, np.float32)
        self._low = np.zeros(_WINDOW - _HOP, np.float32)
        self._last_octave: float | None = None

    def push(self, sound: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Args:
            sound: float32 [hops * rate / 100].

        Returns:
            F0 in Hz (0 where unvoiced) and voicing 0..1, float32 [hops] each.
        """
        padded = np.concatenate((self._before, sound))
        self._before = padded[len(padded) - len(self._before) :].copy()
        low = sliding_window_view(padded, len(self._lowpass))[:: self._decimation] @ self._lowpass
        known = np.concatenate((self._low, low))
        self._low = known[len(known) - len(self._low) :].copy()
        windows = sliding_window_view(known, _WINDOW)[::_HOP]
        windows = (windows - windows.mean(axis=1, keepdims=True)) * _HANN
        correlation = _autocorrelation(windows)
        strength = correlation[:, 1:] / (correlation[:, :1] + _NOISE) * _CORRECTION
        return self._track(strength)

    def _track(self, strength: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        f0, voicing = np.zeros(len(strength), np.float32), np.zeros(len(strength), np.float32)
        scores = strength - _PREFERENCE
        for hop, score in enumerate(scores):
            if self._last_octave is not None:
                score = score - _JUMP_COST * np.abs(_OCTAVES - self._last_octave)
            best = int(score.argmax())
            peak = float(strength[hop, best])
            voicing[hop] = min(max(peak, 0.0), 1.0)
            if peak < _VOICED:
                self._last_octave = None
                continue
            self._last_octave = float(_OCTAVES[best])
            f0[hop] = _RATE_HZ * _FINE / (_LAGS[best] + _vertex(strength[hop], best))
        return f0, voicing


def _vertex(curve: NDArray[np.float32], at: int) -> float:
    """Where the parabola through ``at`` and its neighbours peaks, relative to ``at``."""
    if not 0 < at < len(curve) - 1:
        return 0.0
    before, here, after = (float(v) for v in curve[at - 1 : at + 2])
    bend = before - 2 * here + after
    return 0.5 * (before - after) / bend if bend < 0.0 else 0.0
