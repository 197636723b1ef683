"""Sound features: what the bands hear, at either rate, in pieces of any size, and never ahead of time."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from avatar.motion.generator.features import (
    BANDS,
    SILENT_MEL,
    FeatureStream,
    SoundFeatures,
    analyse,
    join,
    log_mel,
)

Pcm = NDArray[np.float32]


def tone(hertz: float, rate_hz: int, seconds: float = 0.5, level: float = 0.5) -> Pcm:
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(rate_hz * seconds)) / rate_hz)).astype(np.float32)


def buzz(hertz: float, rate_hz: int, seconds: float = 0.5) -> Pcm:
    """A voice-like sound: harmonics up to 4 kHz, falling by 6 dB an octave."""
    time = np.arange(int(rate_hz * seconds)) / rate_hz
    harmonics = range(1, int(4000 / hertz))
    return (0.2 * sum(np.sin(2 * np.pi * hertz * h * time) / h for h in harmonics)).astype(np.float32)


def speech_like(seconds: float = 1.5, rate_hz: int = 48_000) -> Pcm:
    """Noise below 7 kHz that comes and goes at syllables' pace."""
    rng = np.random.default_rng(1)
    spectrum = np.fft.rfft(rng.standard_normal(int(rate_hz * seconds)))
    spectrum[np.fft.rfftfreq(int(rate_hz * seconds), 1 / rate_hz) > 7000] = 0
    noise = np.fft.irfft(spectrum)
    swell = 0.5 - 0.5 * np.cos(2 * np.pi * 4 * np.arange(len(noise)) / rate_hz)
    return (0.1 * swell * noise / noise.std()).astype(np.float32)


@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
def test_a_hop_every_ten_milliseconds(rate_hz: int) -> None:
    assert log_mel(np.zeros(rate_hz // 2 + 7, np.float32), rate_hz).shape == (50, BANDS)
    assert log_mel(np.zeros(5, np.float32), rate_hz).shape == (0, BANDS)


def test_other_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="44100"):
        FeatureStream(44_100)


def test_digital_silence() -> None:
    heard = analyse(np.zeros(16_000, np.float32), 16_000)
    assert np.allclose(heard.mel, SILENT_MEL)
    assert np.allclose(heard.energy_db, -100.0, atol=1e-3)
    assert not heard.f0_hz.any()
    assert not heard.voicing.any()


def test_both_rates_hear_the_same() -> None:
    sound = speech_like()
    at_16k = soxr.resample(sound, 48_000, 16_000, "VHQ")
    wide, narrow = analyse(sound, 48_000), analyse(at_16k, 16_000)
    loud = wide.energy_db > -45
    below_7k = slice(0, 61)
    assert np.abs(wide.mel[loud][:, below_7k] - narrow.mel[loud][:, below_7k]).mean() < 0.01
    assert np.abs(wide.energy_db[loud] - narrow.energy_db[loud]).max() < 0.1


def test_a_tone_is_loudest_in_its_own_band_and_bands_are_in_order() -> None:
    loudest = [int(log_mel(tone(f, 48_000), 48_000)[-1].argmax()) for f in (60, 150, 400, 1000, 2500, 5000, 7400)]
    assert loudest == sorted(set(loudest))
    assert loudest[0] <= 1
    assert loudest[-1] >= 61


def test_a_full_scale_sine_is_as_loud_as_promised() -> None:
    heard = analyse(tone(1000.0, 16_000, level=1.0), 16_000)
    assert heard.energy_db[-1] == pytest.approx(-3.0, abs=0.1)
    assert -3.0 < heard.mel[-1].max() < -1.0


def assert_close(one: SoundFeatures, other: SoundFeatures) -> None:
    assert np.allclose(one.mel, other.mel, atol=1e-3)
    assert np.allclose(one.energy_db, other.energy_db, atol=1e-3)
    assert np.allclose(one.f0_hz, other.f0_hz, atol=0.05)
    assert np.allclose(one.voicing, other.voicing, atol=1e-3)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 3000), max_size=12), st.sampled_from([16_000, 48_000]))
def test_pieces_give_what_the_whole_gives(sizes: list[int], rate_hz: int) -> None:
    sound = np.concatenate((buzz(180.0, rate_hz, 0.3), speech_like(0.3, 48_000)[: rate_hz // 10]))
    stream, at, parts = FeatureStream(rate_hz), 0, []
    for size in [*sizes, len(sound)]:
        parts.append(stream.push(sound[at : at + size]))
        at += size
    assert_close(join(parts), analyse(sound, rate_hz))


def test_a_long_sound_is_the_same_in_blocks() -> None:
    sound = np.tile(speech_like(1.0, 16_000), 7)
    whole = analyse(sound, 16_000)
    assert len(whole) == 700
    stream = FeatureStream(16_000)
    assert_close(whole, join([stream.push(sound[i : i + 16_000]) for i in range(0, len(sound), 16_000)]))


@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
def test_a_hop_knows_nothing_of_the_sound_after_it(rate_hz: int) -> None:
    sound = buzz(150.0, rate_hz)
    other = sound.copy()
    other[rate_hz * 30 // 100 :] = 0.9
    one, two = analyse(sound, rate_hz), analyse(other, rate_hz)
    assert np.array_equal(one.mel[:30], two.mel[:30])
    assert np.array_equal(one.f0_hz[:30], two.f0_hz[:30])
    assert not np.allclose(one.mel[30], two.mel[30]), "and the next one hears it at once"


@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
@pytest.mark.parametrize("hertz", [75.0, 110.0, 220.0, 330.0, 450.0])
def test_pitch(hertz: float, rate_hz: int) -> None:
    heard = analyse(buzz(hertz, rate_hz), rate_hz)
    assert heard.f0_hz[10:] == pytest.approx(hertz, rel=0.01)
    assert heard.voicing[10:].min() > 0.9


def test_pitch_follows_a_glide() -> None:
    rate_hz = 16_000
    hertz = np.linspace(120.0, 240.0, rate_hz)
    phase = 2 * np.pi * np.cumsum(hertz) / rate_hz
    glide = (0.1 * sum(np.sin(h * phase) / h for h in range(1, 12))).astype(np.float32)
    heard = analyse(glide, rate_hz).f0_hz[10:]
    expected = hertz[:: rate_hz // 100][10:]
    assert np.abs(heard / expected - 1).max() < 0.04, "24 ms late, no octave missed"


def test_noise_has_no_pitch() -> None:
    noise = (0.1 * np.random.default_rng(0).standard_normal(16_000)).astype(np.float32)
    heard = analyse(noise, 16_000)
    assert (heard.f0_hz > 0).mean() < 0.2
    assert heard.voicing.mean() < 0.45


def test_without_pitch_there_is_none_to_pay_for() -> None:
    heard = FeatureStream(16_000, pitch=False).push(buzz(150.0, 16_000))
    assert not heard.f0_hz.any()
    assert len(heard.voicing) == len(heard)


def test_reset_forgets() -> None:
    stream, sound = FeatureStream(48_000), buzz(150.0, 48_000)[:10_007]
    first = stream.push(sound)
    stream.reset()
    assert_close(stream.push(sound), first)
