"""Other vocal tracts, microphones, rooms and noises, on un-normalised log-mel bands: cheap enough to differ in every batch.

On top of the renditions in the shards, whose noise, rooms and codecs are made on the sound itself. Strengths are drawn for each row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from avatar.motion.generator.features import BANDS, HIGHEST_HZ, LOWEST_HZ

_MEL_LOW, _MEL_HIGH = (2595.0 * np.log10(1.0 + hertz / 700.0) for hertz in (LOWEST_HZ, HIGHEST_HZ))
_BAND_HZ = 700.0 * (10.0 ** (np.linspace(_MEL_LOW, _MEL_HIGH, BANDS + 2)[1:-1] / 2595.0) - 1.0)
_HOP_S = 0.01

_WARP_SHARE, _WARP = 0.7, 0.11
"""Formants by up to a factor of e**±0.11 beyond the voices' own: vocal tracts differ by about ±15 %."""
_BEND_HZ = (250.0, 700.0, 1500.0, 2600.0, 4200.0)
_BEND = 0.045
"""Standard deviation, nepers of frequency, of each of these regions by itself: between people the formants do not scale alike, and
not by one factor for all vowels (Fant, Non-uniform vowel normalization, STL-QPSR 16, 1975)."""
_MASK_SHARE, _MASK_BANDS = 0.25, 7
"""Bands that fall silent as far as they tell anything (Park et al., SpecAugment, arXiv 1904.08779)."""
_COLOUR_SHARE, _TILT, _RIPPLE = 0.7, 1.6, 0.6
"""Nepers of power: tilt from the lowest band to the highest, and slow ripples."""
_GAIN = 1.5
_BAND_SHARE, _BAND_LOSS = 0.12, (3.0, 9.0)
"""Telephones and small loudspeakers: bands outside are lower by 13..40 dB."""
_ROOM_SHARE, _ROOM_T60_S, _ROOM_GAIN = 0.3, (0.15, 0.7), (-4.5, -1.2)
"""Decay, and level of the tail's first hop against the sound, natural log of power."""
_TAIL_HOPS = 72
_NOISE_SHARE, _NOISE_BELOW = 0.5, (1.0, 9.0)
"""Noise is 4..39 dB under the row's loud hops."""
_NOISE_SHAPE = 3.0
"""Of the gamma distribution of a band's power from hop to hop."""
_LOUD = 0.9


def augment(mel: Tensor, rng: np.random.Generator) -> Tensor:
    """Args:
        mel: natural log of power, [rows, hops, BANDS].

    Returns:
        The same shape; ``mel`` is left as it is.
    """
    rows = len(mel)
    mel = _mask(_warp(mel, rng), rng)
    mel = mel + torch.from_numpy(_colour(rows, rng))[:, None, :]
    mel = _room(mel, rng)
    mel = _noise(mel, rng)
    mel = mel - torch.from_numpy(_narrow(rows, rng))[:, None, :]
    return mel + torch.from_numpy(rng.normal(0.0, _GAIN, (rows, 1, 1)).astype(np.float32))


def _chosen(share: float, rows: int, rng: np.random.Generator) -> NDArray[Any]:
    return rng.random(rows) < share


def _warp(mel: Tensor, rng: np.random.Generator) -> Tensor:
    """Formants moved by a factor, and each region by a little more or less: bands are read at other frequencies."""
    rows = len(mel)
    chosen = _chosen(_WARP_SHARE, rows, rng)[:, None]
    factor = rng.uniform(-_WARP, _WARP, (rows, 1))
    bends = rng.normal(0.0, _BEND, (rows, len(_BEND_HZ)))
    bend = np.stack([np.interp(_BAND_HZ, _BEND_HZ, row) for row in bends])
    hertz = np.clip(_BAND_HZ * np.exp((factor + bend) * chosen), _BAND_HZ[0], _BAND_HZ[-1])
    at = np.stack([np.interp(row, _BAND_HZ, np.arange(BANDS)) for row in hertz])
    low = np.minimum(at.astype(np.int64), BANDS - 2)
    share = torch.from_numpy((at - low).astype(np.float32))[:, None, :]
    below = torch.from_numpy(low)[:, None, :].expand(-1, mel.shape[1], -1)
    return torch.lerp(mel.gather(2, below), mel.gather(2, below + 1), share)


def _mask(mel: Tensor, rng: np.random.Generator) -> Tensor:
    """A few neighbouring bands of some rows stay at their mean."""
    out = mel.clone()
    for row in np.flatnonzero(_chosen(_MASK_SHARE, len(mel), rng)):
        first = int(rng.integers(BANDS - _MASK_BANDS))
        bands = slice(first, first + 1 + int(rng.integers(_MASK_BANDS)))
        out[row, :, bands] = mel[row, :, bands].mean(dim=0)
    return out


def _colour(rows: int, rng: np.random.Generator) -> NDArray[Any]:
    """Equalisation, natural log of power, float32 [rows, BANDS]."""
    band = np.linspace(-0.5, 0.5, BANDS)
    curve = rng.normal(0.0, _TILT, (rows, 1)) * band
    for ripples in (1, 2, 3, 5):
        phase = rng.uniform(0, 2 * np.pi, (rows, 1))
        curve += rng.normal(0.0, _RIPPLE, (rows, 1)) * np.cos(2 * np.pi * ripples * band + phase)
    return (curve * _chosen(_COLOUR_SHARE, rows, rng)[:, None]).astype(np.float32)


def _narrow(rows: int, rng: np.random.Generator) -> NDArray[Any]:
    """Loss outside a narrow band, float32 [rows, BANDS]."""
    low, high = rng.uniform(150, 400, (rows, 1)), rng.uniform(3000, 4500, (rows, 1))
    outside = (low > _BAND_HZ) | (high < _BAND_HZ)
    loss = rng.uniform(*_BAND_LOSS, (rows, 1)) * _chosen(_BAND_SHARE, rows, rng)[:, None]
    return (outside * loss).astype(np.float32)


def _room(mel: Tensor, rng: np.random.Generator) -> Tensor:
    """A tail that decays: powers of past hops added."""
    index = np.flatnonzero(_chosen(_ROOM_SHARE, len(mel), rng))
    if not len(index):
        return mel
    t60 = torch.from_numpy(rng.uniform(*_ROOM_T60_S, len(index)).astype(np.float32))
    gain = torch.from_numpy(np.exp(rng.uniform(*_ROOM_GAIN, len(index))).astype(np.float32))
    age = torch.arange(_TAIL_HOPS - 1, -1, -1)  # of the tap, oldest first
    taps = torch.where(age > 0, gain[:, None] * (-13.8155 * _HOP_S / t60[:, None] * age).exp(), 1.0)
    power = functional.pad(
        mel[index].exp().permute(2, 0, 1), (_TAIL_HOPS - 1, 0)
    )  # each row is a channel with its own room
    out = mel.clone()
    out[index] = functional.conv1d(power, taps[:, None], groups=len(index)).permute(1, 2, 0).log()
    return out


def _noise(mel: Tensor, rng: np.random.Generator) -> Tensor:
    index = np.flatnonzero(_chosen(_NOISE_SHARE, len(mel), rng))
    if not len(index):
        return mel
    loud = torch.quantile(mel[index].mean(dim=2), _LOUD, dim=1).numpy()
    band = np.linspace(-0.5, 0.5, BANDS)
    tilt = rng.normal(-1.0, 2.0, (len(index), 1)) * band  # most noises fall with frequency
    level = loud[:, None] - rng.uniform(*_NOISE_BELOW, (len(index), 1)) + tilt
    flicker = rng.standard_gamma(_NOISE_SHAPE, (len(index), mel.shape[1], BANDS), np.float32) / _NOISE_SHAPE
    power = np.exp(level)[:, None, :].astype(np.float32) * flicker
    out = mel.clone()
    out[index] = torch.logaddexp(mel[index], torch.from_numpy(power).clamp(min=1e-12).log())
    return out
