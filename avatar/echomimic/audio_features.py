"""Sound to the tokens that the denoiser attends to: Whisper's log-mel, its hidden states, and a window a frame."""

from __future__ import annotations

import functools

import numpy as np
import torch
from numpy.typing import NDArray

from avatar.echomimic.config import FEATURE_RATE_HZ
from avatar.echomimic.whisper import Whisper

SAMPLE_RATE_HZ = 16_000
FFT_SAMPLES = 400
HOP_SAMPLES = 160
SEGMENT_MEL_FRAMES = 3000
"""Whisper's 30 s; each segment is encoded on its own, filled up with zeros of normalised log-mel."""

DYNAMIC_RANGE = 8.0
"""Log-mel is clamped this many decades below the clip's loudest value."""

POSITIONS_BEFORE = 4
POSITIONS_AFTER = 6
"""A frame's window of features at 50 Hz: 4 before, its own, 5 after: 80 ms back, 120 ms ahead."""


def log_mel(pcm16k: NDArray[np.float32], mel_bands: int = 80) -> torch.Tensor:
    """Whisper's log-mel spectrogram of a whole clip, not normalised against anything but its own maximum.

    Args:
        pcm16k: float32 [samples] in [-1, 1] at 16 kHz.
        mel_bands: 80 for Whisper-tiny.

    Returns:
        float32 [bands, samples // 160] at 100 Hz.

    Raises:
        ValueError: fewer samples than half a Fourier window.
    """
    return normalise_log_mel(log_mel_power(torch.from_numpy(np.ascontiguousarray(pcm16k, np.float32)), mel_bands))


def log_mel_power(pcm16k: torch.Tensor, mel_bands: int = 80) -> torch.Tensor:
    """Log10 of mel power, before the clamp against the maximum: float32 [bands, samples // 160].

    Raises:
        ValueError: fewer samples than half a Fourier window.
    """
    if pcm16k.shape[-1] <= FFT_SAMPLES // 2:
        raise ValueError(f"{pcm16k.shape[-1]} samples are too few: at least {FFT_SAMPLES // 2 + 1} are needed.")
    window = torch.hann_window(FFT_SAMPLES, device=pcm16k.device)
    spectrum = torch.stft(pcm16k, FFT_SAMPLES, HOP_SAMPLES, window=window, return_complex=True)
    power = spectrum[..., :-1].abs() ** 2  # as Whisper: the last, centred on the end, is left out
    return torch.clamp(_filters_on(pcm16k.device, mel_bands) @ power, min=1e-10).log10()


def normalise_log_mel(log_power: torch.Tensor, loudest: torch.Tensor | float | None = None) -> torch.Tensor:
    """Clamp 8 decades below ``loudest`` (by default the clip's own maximum, which is not causal) and scale."""
    floor = (log_power.max() if loudest is None else loudest) - DYNAMIC_RANGE
    return (torch.maximum(log_power, torch.as_tensor(floor, device=log_power.device)) + 4.0) / 4.0


def encode_clip(whisper: Whisper, mel: torch.Tensor) -> torch.Tensor:
    """Features of a whole clip as the original makes them: 30 s segments on their own.

    Args:
        whisper: the encoder.
        mel: [bands, T] from ``log_mel``.

    Returns:
        [T // 2, 1 + layers, channels] at 50 Hz, in the dtype of the weights.
    """
    features = []
    for segment in mel.split(SEGMENT_MEL_FRAMES, dim=-1):
        filled = torch.nn.functional.pad(segment, (0, SEGMENT_MEL_FRAMES - segment.shape[-1]))
        features.append(whisper(filled[None])[0, : segment.shape[-1] // 2])
    return torch.cat(features)


def frame_count(features: int, fps: float) -> int:
    """How many windows the original cuts from ``features`` at 50 Hz: it runs two or three past the clip's end."""
    frame = 0
    while int(frame * (FEATURE_RATE_HZ / fps)) <= features:
        frame += 1
    return frame + 1


def window_indices(features: int, frames: int, fps: float) -> NDArray[np.int64]:
    """Which features each frame sees: int64 [frames, 10], clamped to the clip."""
    centre = np.array([int(frame * FEATURE_RATE_HZ / fps) for frame in range(frames)], np.int64)
    reach = np.arange(-POSITIONS_BEFORE, POSITIONS_AFTER)
    return np.clip(centre[:, None] + reach, 0, features - 1)


def slice_windows(features: torch.Tensor, frames: int, fps: float) -> torch.Tensor:
    """Audio tokens of each video frame.

    Args:
        features: [T, levels, channels] from ``encode_clip``.
        frames: how many; frames past the end see the last feature.
        fps: of the video.

    Returns:
        [frames, 10 * levels, channels]; their order within a frame does not matter (no positions in that attention).
    """
    chosen = torch.from_numpy(window_indices(features.shape[0], frames, fps)).to(features.device)
    return features[chosen].flatten(1, 2)


@functools.cache
def _filters_on(device: torch.device, mel_bands: int) -> torch.Tensor:
    """Copied once: a copy from the host's memory waits for the device."""
    return torch.from_numpy(mel_filters(mel_bands)).to(device)


@functools.cache
def mel_filters(mel_bands: int) -> NDArray[np.float32]:
    """Slaney's mel scale and area normalisation (as librosa and Whisper): float32 [bands, 201], 0 to 8 kHz."""
    bins_hz = np.linspace(0, SAMPLE_RATE_HZ / 2, FFT_SAMPLES // 2 + 1)
    edges_hz = _slaney_hz(np.linspace(0, _slaney_mel(SAMPLE_RATE_HZ / 2), mel_bands + 2))
    width_hz = np.diff(edges_hz)
    ramps = edges_hz[:, None] - bins_hz
    rising = -ramps[:-2] / width_hz[:-1, None]
    falling = ramps[2:] / width_hz[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(triangles * (2.0 / (edges_hz[2:] - edges_hz[:-2]))[:, None], np.float32)


_LINEAR_HZ_PER_MEL = 200.0 / 3
_LOG_FROM_HZ = 1000.0
_LOG_STEP = np.log(6.4) / 27.0
"""Slaney's Auditory Toolbox: linear below 1 kHz, then 27 mels to a factor of 6.4."""


def _slaney_mel(hz: float) -> float:
    """Of a frequency above 1 kHz."""
    return float(_LOG_FROM_HZ / _LINEAR_HZ_PER_MEL + np.log(hz / _LOG_FROM_HZ) / _LOG_STEP)


def _slaney_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    linear_until = _LOG_FROM_HZ / _LINEAR_HZ_PER_MEL
    logarithmic = _LOG_FROM_HZ * np.exp(_LOG_STEP * (mel - linear_until))
    return np.where(mel < linear_until, mel * _LINEAR_HZ_PER_MEL, logarithmic)
