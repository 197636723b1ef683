"""Sound as it is where it was not recorded: with noise, in a room, over a telephone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from avatar.speech import SPEECH_RATE_HZ

Distortion = Callable[[NDArray[np.int16]], NDArray[np.int16]]

NOISE_DB = 20.0
ROOM_S = 0.4
"""Reverberation time of a furnished living room."""
_DIRECT_TO_ROOM_DB = 3.0
_PHONE_HZ = (300.0, 3400.0)


def _pcm(sound: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.clip(np.round(sound), -32768, 32767).astype(np.int16)


def speech_level(pcm: NDArray[np.int16]) -> float:
    """Root mean square of the louder half of 40 ms stretches: pauses do not count."""
    size = SPEECH_RATE_HZ // 25
    whole = pcm[: len(pcm) // size * size].astype(np.float64).reshape(-1, size)
    if not len(whole):
        return float(np.sqrt(np.mean(np.square(pcm.astype(np.float64))))) if len(pcm) else 0.0
    power = np.sort(np.square(whole).mean(1))
    return float(np.sqrt(power[len(power) // 2 :].mean()))


def noisy(pcm48k: NDArray[np.int16], *, snr_db: float = NOISE_DB, seed: int = 0) -> NDArray[np.int16]:
    """With pink noise below 8 kHz, ``snr_db`` under the speech."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal(len(pcm48k)))
    hertz = np.fft.rfftfreq(len(pcm48k), 1 / SPEECH_RATE_HZ)
    shape = np.where((hertz > 50) & (hertz < 8000), 1 / np.sqrt(np.maximum(hertz, 50)), 0)
    noise = np.fft.irfft(spectrum * shape, len(pcm48k))
    noise *= speech_level(pcm48k) * 10 ** (-snr_db / 20) / max(float(np.sqrt(np.mean(noise**2))), 1e-9)
    return _pcm(pcm48k + noise)


def in_a_room(pcm48k: NDArray[np.int16], *, seed: int = 0) -> NDArray[np.int16]:
    """In a room: the direct sound, then decaying noise from 5 ms on (Polack's model of late reverberation)."""
    rng = np.random.default_rng(seed)
    length = int(1.2 * ROOM_S * SPEECH_RATE_HZ)
    time = np.arange(length) / SPEECH_RATE_HZ
    tail = rng.standard_normal(length) * 10 ** (-3 * time / ROOM_S) * (time > 0.005)
    tail *= 10 ** (-_DIRECT_TO_ROOM_DB / 20) / float(np.sqrt(np.sum(tail**2)))
    tail[0] = 1.0
    size = 1 << (len(pcm48k) + length - 1).bit_length()
    out = np.fft.irfft(np.fft.rfft(pcm48k.astype(np.float64), size) * np.fft.rfft(tail, size), size)[: len(pcm48k)]
    return _pcm(out * speech_level(pcm48k) / max(speech_level(_pcm(out)), 1e-9))


def by_telephone(pcm48k: NDArray[np.int16]) -> NDArray[np.int16]:
    """Between 300 and 3400 Hz, and no finer than 8-bit mu-law."""
    hertz = np.fft.rfftfreq(len(pcm48k), 1 / SPEECH_RATE_HZ)
    low, high = _PHONE_HZ
    shape = 1 / (1 + (low / np.maximum(hertz, 1e-3)) ** 12) / (1 + (hertz / high) ** 24)
    band = np.fft.irfft(np.fft.rfft(pcm48k.astype(np.float64)) * shape, len(pcm48k)) / 32768.0
    folded = np.sign(band) * np.log1p(255 * np.minimum(np.abs(band), 1)) / np.log(256)
    folded = np.round(folded * 127) / 127
    return _pcm(32768.0 * np.sign(folded) * (256 ** np.abs(folded) - 1) / 255)


DISTORTIONS: dict[str, Distortion] = {"noise 20 dB": noisy, "room": in_a_room, "telephone": by_telephone}


def noise_alone(level_db: float, seconds: float = 10.0, *, seed: int = 0) -> NDArray[np.int16]:
    """White noise at a level in dB of full scale, and nothing else."""
    rng = np.random.default_rng(seed)
    return _pcm(rng.standard_normal(int(SPEECH_RATE_HZ * seconds)) * 32768 * 10 ** (level_db / 20))
