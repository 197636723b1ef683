"""What the learned motion hears: log-mel bands, energy and pitch of a stream of sound, 100 times a second.

One piece of code computes them where training data is made, in training and while serving. All of it is causal and
carries its state: sound may come in pieces of any size, and the features are those of the whole.

Hop ``k`` is described from sound that *ends* with sample ``(k + 1) * rate / 100``: the 25 ms before that moment for bands and energy,
the 48 ms before it for pitch; nothing of the sound after it is used. Frame ``f`` of the picture (25 Hz) ends with hop ``4 f + 3``, so what may look 80 ms
ahead of a frame's end may use hops up to ``4 f + 11``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from avatar.motion.generator.pitch import PitchTracker

RATES_HZ = (16_000, 48_000)
HOP_RATE_HZ = 100
HOPS_PER_FRAME = 4
LOOK_AHEAD_FRAMES = 2
LOOK_AHEAD_HOPS = LOOK_AHEAD_FRAMES * HOPS_PER_FRAME
"""80 ms: measured, 120 or 200 ms buy nothing, 0 loses closures and roundings."""

BANDS = 64
BIN_HZ = 31.25
"""512 points at 16 kHz, 1536 at 48 kHz: the same bins at either rate."""
LOWEST_HZ, HIGHEST_HZ = 50.0, 7600.0
_LAST_BIN = int(HIGHEST_HZ / BIN_HZ) + 2

_WINDOW_MS = 25
_POWER_FLOOR = 1e-10
"""Added to every band's power: well above the rounding of 16-bit sound at either rate, well below quiet speech."""
SILENT_MEL = float(np.log(_POWER_FLOOR))
"""What every band is in digital silence, where no sound has been yet."""
_ENERGY_FLOOR_DB = -100.0
_BLOCK_HOPS = 512
"""Long sound is worked on in blocks of five seconds, so that memory does not grow with it."""


def _hertz_to_mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    mel: NDArray[np.float64] = 2595.0 * np.log10(1.0 + hertz / 700.0)
    return mel


def _filterbank() -> NDArray[np.float32]:
    """Triangles equally wide on the mel scale (O'Shaughnessy 1987), integrated over each bin, each summing to one.

    Integrated, not sampled at the bins' middles: the lowest triangles are narrower than a bin.

    Returns:
        float32 [bins, BANDS].
    """
    low, high = _hertz_to_mel(np.array([LOWEST_HZ, HIGHEST_HZ]))
    corners = 700.0 * (10.0 ** (np.linspace(low, high, BANDS + 2) / 2595.0) - 1.0)
    fine = 16
    hertz = ((np.arange(_LAST_BIN * fine) + 0.5) / fine - 0.5) * BIN_HZ
    weights = np.empty((_LAST_BIN, BANDS))
    for band in range(BANDS):
        left, middle, right = corners[band : band + 3]
        triangle = np.minimum((hertz - left) / (middle - left), (right - hertz) / (right - middle))
        weights[:, band] = np.maximum(triangle, 0.0).reshape(_LAST_BIN, fine).mean(axis=1)
    filters: NDArray[np.float32] = (weights / weights.sum(axis=0)).astype(np.float32)
    return filters


_FILTERBANK = _filterbank()


@dataclass(frozen=True, slots=True, eq=False)
class SoundFeatures:
    """Features of some hops, in order.

    Attributes:
        mel: natural log of each band's power, un-normalised, float32 [hops, BANDS]. A full-scale sine is about -1.4
            in its band; digital silence is ``SILENT_MEL`` in all.
        energy_db: power between 0 and 7.6 kHz in dB of full scale, at least -100, float32 [hops].
        f0_hz: fundamental frequency; 0 where unvoiced, float32 [hops].
        voicing: how periodic the sound is, 0..1, float32 [hops].
    """

    mel: NDArray[np.float32]
    energy_db: NDArray[np.float32]
    f0_hz: NDArray[np.float32]
    voicing: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.mel)


class FeatureStream:
    """Turns a stream of sound into features; each hop is told as soon as its last sample is there.

    Args:
        rate_hz: one of ``RATES_HZ``. Features of the same sound at either rate agree (sound above 7.6 kHz aside).
        pitch: F0 and voicing are wanted; without, they are zero and cost nothing.

    Raises:
        ValueError: another rate.
    """

    def __init__(self, rate_hz: int, *, pitch: bool = True) -> None:
        if rate_hz not in RATES_HZ:
            raise ValueError(f"the rate must be one of {RATES_HZ} Hz, not {rate_hz}")
        self._hop = rate_hz // HOP_RATE_HZ
        size = rate_hz * _WINDOW_MS // 1000
        self._points = round(rate_hz / BIN_HZ)
        window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(size) + 0.5) / size)
        self._window = (window / window.sum()).astype(np.float32)  # then equal sound has equal power at either rate
        # Parseval, one-sided: from the sum over bins to the mean power of the sound under the window
        self._to_power = 2.0 / (self._points * float(np.square(self._window).sum()))
        self._pitch = PitchTracker(rate_hz) if pitch else None
        self.reset()

    def reset(self) -> None:
        """What comes next has silence before it."""
        self._before = np.zeros(len(self._window) - self._hop, np.float32)
        self._rest = np.zeros(0, np.float32)
        if self._pitch is not None:
            self._pitch.reset()

    def push(self, pcm: NDArray[np.float32]) -> SoundFeatures:
        """The hops that ``pcm`` completes.

        Args:
            pcm: mono float32 within -1..1, [samples], what follows the sound pushed before.
        """
        sound = np.concatenate((self._rest, np.asarray(pcm, np.float32)))
        hops = len(sound) // self._hop
        parts = []
        for first in range(0, hops, _BLOCK_HOPS):
            parts.append(self._analyse(sound[first * self._hop : min(first + _BLOCK_HOPS, hops) * self._hop]))
        self._rest = sound[hops * self._hop :].copy()
        if len(parts) == 1:
            return parts[0]
        return join(parts)

    def _analyse(self, sound: NDArray[np.float32]) -> SoundFeatures:
        """Features of whole hops."""
        padded = np.concatenate((self._before, sound))
        self._before = padded[len(padded) - len(self._before) :].copy()
        windows = sliding_window_view(padded, len(self._window))[:: self._hop] * self._window
        spectrum = np.fft.rfft(windows, self._points, axis=1)[:, :_LAST_BIN]
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        mel = np.log(power @ _FILTERBANK + np.float32(_POWER_FLOOR))
        energy = 10.0 * np.log10(power.sum(axis=1) * self._to_power + 10.0 ** (_ENERGY_FLOOR_DB / 10.0))
        hops = len(mel)
        if self._pitch is None:
            f0, voicing = np.zeros(hops, np.float32), np.zeros(hops, np.float32)
        else:
            f0, voicing = self._pitch.push(sound)
        return SoundFeatures(mel.astype(np.float32, copy=False), energy.astype(np.float32), f0, voicing)


def join(parts: list[SoundFeatures]) -> SoundFeatures:
    """Features one after the other; of no parts, no hops."""
    if not parts:
        none = np.zeros(0, np.float32)
        return SoundFeatures(np.zeros((0, BANDS), np.float32), none, none, none)
    return SoundFeatures(
        np.concatenate([part.mel for part in parts]),
        np.concatenate([part.energy_db for part in parts]),
        np.concatenate([part.f0_hz for part in parts]),
        np.concatenate([part.voicing for part in parts]),
    )


def analyse(pcm: NDArray[np.float32], rate_hz: int) -> SoundFeatures:
    """Features of a whole piece of sound.

    Args:
        pcm: mono float32 within -1..1, [samples].
        rate_hz: one of ``RATES_HZ``.

    Returns:
        ``samples // (rate_hz / 100)`` hops.
    """
    return FeatureStream(rate_hz).push(pcm)


def log_mel(pcm: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    """Natural-log mel bands of a whole piece of sound, un-normalised, float32 [hops, BANDS]; see ``analyse``."""
    return FeatureStream(rate_hz, pitch=False).push(pcm).mel
