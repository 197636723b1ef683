"""The running mean: follows a voice, leaves pauses and noise alone."""

from __future__ import annotations

import numpy as np

from avatar.motion.generator.features import BANDS, SILENT_MEL
from avatar.motion.generator.mean import PRIOR, CausalMean

TILT = np.linspace(2.0, -3.0, BANDS).astype(np.float32)


def voice(hops: int, seed: int = 0) -> np.ndarray:
    """Speech-like bands: 3 syllables a second with pauses, on a microphone with its own tilt."""
    rng = np.random.default_rng(seed)
    loud = np.sin(2 * np.pi * 3 * np.arange(hops) / 100) > -0.5
    level = np.where(loud, 0.0, -9.0)
    return (PRIOR + TILT + level[:, None] + 0.5 * rng.standard_normal((hops, BANDS))).astype(np.float32)


def test_a_voice_is_brought_to_zero_within_a_second() -> None:
    mel = voice(600)
    out = CausalMean().push(mel)
    loud = np.sin(2 * np.pi * 3 * np.arange(600) / 100) > -0.5
    later = np.arange(600) > 100
    assert np.abs(out[loud & later].mean(axis=0)).max() < 0.5
    assert np.abs(out[loud & ~later].mean(axis=0)).max() > 1.0, "it had to learn the microphone"


def test_pauses_and_steady_noise_teach_nothing() -> None:
    mean = CausalMean()
    mean.push(voice(600))
    silence = np.full((300, BANDS), SILENT_MEL, np.float32)
    noise = (PRIOR - 3.0 + 0.6 * np.random.default_rng(1).standard_normal((500, BANDS))).astype(np.float32)
    learned = mean._mean.copy()
    mean.push(silence)
    assert np.array_equal(mean._mean, learned)
    mean.push(noise[:250])  # noise that sets in might be a voice, until it has gone on for two seconds
    settled = mean._mean.copy()
    mean.push(noise[250:])
    assert np.abs(mean._mean - settled).max() < 0.1


def test_pieces_give_what_the_whole_gives() -> None:
    mel = voice(300)
    whole, pieces = CausalMean(), CausalMean()
    parts = np.concatenate([pieces.push(mel[i : i + 7]) for i in range(0, 300, 7)])
    assert np.array_equal(whole.push(mel), parts)


def test_memory_is_bounded() -> None:
    mean = CausalMean()
    for seed in range(20):
        mean.push(voice(500, seed))
    assert len(mean._levels) <= 201
