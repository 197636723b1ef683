"""What happens to a voice before it is heard leaves its clock alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from avatar.motion.training.synthesis import augmentation
from avatar.motion.training.synthesis.augmentation import Sound, augment, background
from avatar.motion.training.synthesis.take import RATE_HZ, level_db


def speech(seconds: float = 2.0) -> Sound:
    """Noise in syllables, between 200 and 3000 Hz."""
    rng = np.random.default_rng(7)
    samples = int(seconds * RATE_HZ)
    at = np.arange(samples) / RATE_HZ
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    hertz = np.fft.rfftfreq(samples, 1 / RATE_HZ)
    spectrum[(hertz < 200) | (hertz > 3000)] = 0
    sound = np.fft.irfft(spectrum, samples)
    return (0.2 * sound / sound.std() * np.maximum(np.sin(2 * np.pi * 4 * at), 0)).astype(np.float32)


def lag(clean: Sound, heard: Sound) -> int:
    """Samples by which ``heard`` is late."""
    points = 1 << (len(clean) * 2).bit_length()
    product = np.fft.rfft(heard, points) * np.conj(np.fft.rfft(clean, points))
    at = int(np.abs(np.fft.irfft(product, points)).argmax())
    return at if at < points // 2 else at - points


CHANGES: dict[str, Callable[[Sound, np.random.Generator], Sound]] = {
    "equalise": augmentation.equalise,
    "telephone": augmentation.telephone,
    "room": augmentation.room,
    "compress": augmentation.compress,
    "lowpass": lambda pcm, rng: augmentation.lowpass(pcm, 2000.0),
    "opus": lambda pcm, rng: augmentation.opus(pcm, 16_000),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("seed", range(4))
def test_nothing_comes_late(name: str, seed: int) -> None:
    clean = speech()
    heard = CHANGES[name](clean, np.random.default_rng(seed))
    assert heard.shape == clean.shape and heard.dtype == np.float32 and np.isfinite(heard).all()
    assert abs(lag(clean, heard)) <= 8  # half a millisecond
    assert np.abs(heard - clean).max() > 0.001


def test_opus_of_an_odd_length() -> None:
    clean = speech()[:12_345]
    assert augmentation.opus(clean, 24_000).shape == clean.shape


def test_a_telephone_has_neither_lows_nor_highs() -> None:
    rng = np.random.default_rng(1)
    heard = augmentation.telephone((0.1 * rng.standard_normal(RATE_HZ)).astype(np.float32), rng)
    power = np.square(np.abs(np.fft.rfft(heard)))
    assert power[:100].mean() < 0.02 * power[500:3000].mean()
    assert power[4200:].mean() < 0.02 * power[500:3000].mean()


def test_a_room_rings_after_the_voice() -> None:
    clean = np.zeros(RATE_HZ, np.float32)
    clean[:1600] = speech()[800:2400]
    heard = augmentation.room(clean, np.random.default_rng(3))
    assert np.square(heard[1700:3200]).mean() > 1e-8


@pytest.mark.parametrize("seed", range(25))
def test_every_rendition_is_sound(seed: int) -> None:
    clean = speech()
    heard, kind = augment(clean, [clean, -clean, clean], np.random.default_rng(seed))
    again, _ = augment(clean, [clean, -clean, clean], np.random.default_rng(seed))
    assert heard.shape == clean.shape and heard.dtype == np.float32
    assert np.isfinite(heard).all() and np.abs(heard).max() <= 1.0 and np.abs(heard).max() > 1e-4
    assert kind.endswith("gain") and np.array_equal(heard, again)


def test_silence_survives() -> None:
    for seed in range(10):
        heard, _ = augment(np.zeros(RATE_HZ, np.float32), [], np.random.default_rng(seed))
        assert np.isfinite(heard).all()


def test_all_kinds_of_noise_come() -> None:
    voices = [speech()] * 3
    kinds = {background(8000, voices, np.random.default_rng(seed))[1] for seed in range(80)}
    assert kinds == {"white", "pink", "brown", "hum", "clicks", "music", "babble"}
    assert "babble" not in {background(8000, [], np.random.default_rng(seed))[1] for seed in range(80)}


def test_levels() -> None:
    tone = (0.1 * np.sin(np.arange(RATE_HZ))).astype(np.float32)
    assert level_db(tone) == pytest.approx(20 * np.log10(0.1 / np.sqrt(2)), abs=0.1)
    padded = np.concatenate([tone, np.zeros(RATE_HZ, np.float32)])
    assert level_db(padded) == pytest.approx(level_db(tone), abs=0.1)  # silence does not count
    assert level_db(np.zeros(0, np.float32)) == -100.0
