from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.errors import EngineUnavailable
from streaming.hearing import voice
from streaming.hearing.voice import WINDOW_SAMPLES, VoiceDetector, find_model
from tests.streaming.hearing.conftest import noise, read_pcm16k

SECOND = 16_000


def probabilities(sound: NDArray[np.int16]) -> NDArray[np.float64]:
    return np.array(VoiceDetector().feed(sound))


def test_the_voice_is_where_the_aligned_phonemes_are(shared: Path) -> None:
    """en-jfk: three pauses of about a second inside one sentence."""
    heard = probabilities(read_pcm16k(shared / "samples" / "speech" / "en-jfk-11s.flac"))
    seconds = (np.arange(len(heard)) + 0.5) * WINDOW_SAMPLES / SECOND
    for start, end in ((0.6, 1.9), (3.3, 4.3), (5.6, 7.3), (8.4, 10.2)):
        assert heard[(seconds > start) & (seconds < end)].max() > 0.55
    for start, end in ((2.5, 3.0), (4.7, 5.2)):
        assert np.median(heard[(seconds > start) & (seconds < end)]) < 0.3


@pytest.mark.parametrize("change", ["quiet", "clipped", "offset", "noisy"])
def test_a_voice_is_heard_however_it_was_recorded(recording: NDArray[np.int16], change: str) -> None:
    sound = recording.astype(np.float64)
    altered = {
        "quiet": sound * 0.02,
        "clipped": sound * 20,
        "offset": sound + 6000,
        "noisy": sound + noise(len(sound) / SECOND, 60),
    }[change]
    assert (probabilities(np.clip(altered, -32768, 32767).astype(np.int16)) > 0.5).mean() > 0.7


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(3 * SECOND, np.int16),
        np.full(3 * SECOND, 32_767, np.int16),
        noise(3, 10),
        noise(3, 3000),
        (8000 * np.sin(2 * np.pi * 440 / SECOND * np.arange(3 * SECOND))).astype(np.int16),
        np.tile(np.array([32_767] * 80 + [-32_768] * 80, np.int16), 300),
    ],
    ids=["silence", "constant", "hiss", "noise", "tone", "square wave"],
)
def test_what_is_no_voice(sound: NDArray[np.int16]) -> None:
    assert probabilities(sound).max() < 0.5


def test_how_the_sound_is_cut_does_not_matter(recording: NDArray[np.int16]) -> None:
    whole = probabilities(recording)
    assert len(whole) == len(recording) // WINDOW_SAMPLES
    detector = VoiceDetector()
    random = np.random.default_rng(1)
    heard: list[float] = []
    rest = recording
    while len(rest):
        length = int(random.integers(0, 1500))
        heard += detector.feed(rest[:length])
        rest = rest[length:]
    np.testing.assert_allclose(heard, whole, atol=1e-4)


def room(seconds: float, loudness: float = 100) -> NDArray[np.int16]:
    """Pink noise: a fan, traffic."""
    random = np.random.default_rng(3)
    spectrum = np.fft.rfft(random.standard_normal(round(seconds * SECOND)))
    sound = np.fft.irfft(spectrum / np.sqrt(np.arange(len(spectrum)) + 1))
    return np.asarray(sound / sound.std() * loudness).astype(np.int16)


def onset_s(before: NDArray[np.int16], sound: NDArray[np.int16]) -> float:
    """How long after ``before`` three windows of four are voiced."""
    voiced = probabilities(np.concatenate((before, sound)))[len(before) // WINDOW_SAMPLES :] >= 0.5
    return float(np.flatnonzero(np.convolve(voiced, np.ones(4), "valid") >= 3)[0] * WINDOW_SAMPLES / SECOND)


def test_a_voice_after_a_long_pause_is_noticed_as_soon_as_after_a_short_one(long_recording: NDArray[np.int16]) -> None:
    long, short = room(20), room(1)
    heard = probabilities(long)
    assert heard.max() < 0.2
    assert onset_s(long, long_recording) <= onset_s(short, long_recording) + WINDOW_SAMPLES / SECOND


def test_certain_silence_is_not_asked_about(recording: NDArray[np.int16], monkeypatch: pytest.MonkeyPatch) -> None:
    detector = VoiceDetector()
    asked = 0
    run = detector._run

    def count(windows: NDArray[np.float32]) -> list[float]:
        nonlocal asked
        asked += len(windows)
        return run(windows)

    monkeypatch.setattr(detector, "_run", count)
    silence = np.random.default_rng(0).integers(-7, 8, 10 * SECOND).astype(np.int16)
    assert len(detector.feed(silence)) == 312 and asked == 16
    detector.feed(silence[:100])
    assert asked == 16
    heard = detector.feed(recording)
    assert max(heard) > 0.9 and asked > len(recording) // WINDOW_SAMPLES
    detector.feed(noise(1, 30))
    assert asked > len(recording) // WINDOW_SAMPLES + 30, "a noise is not silence"


def test_a_long_burst_is_heard_in_bounded_runs() -> None:
    sound = np.concatenate((noise(6), np.zeros(20_000, np.int16), noise(5)))
    parts = VoiceDetector()
    np.testing.assert_allclose(probabilities(sound), parts.feed(sound[:50_000]) + parts.feed(sound[50_000:]), atol=1e-4)


def test_conversations_do_not_mix_and_reset_forgets(recording: NDArray[np.int16]) -> None:
    expected = probabilities(recording)
    one, other = VoiceDetector(), VoiceDetector()
    heard: list[float] = []
    for start in range(0, len(recording), 320):
        heard += one.feed(recording[start : start + 320])
        other.feed(noise(0.02))
    np.testing.assert_allclose(heard, expected, atol=1e-4)
    one.feed(recording[:777])
    one.reset()
    np.testing.assert_allclose(one.feed(recording), expected, atol=1e-4)


def test_wrong_sound_is_refused() -> None:
    for wrong in (np.zeros(512, np.float32), np.zeros((512, 1), np.int16)):
        with pytest.raises(ValueError, match="one-dimensional int16"):
            VoiceDetector().feed(wrong)  # type: ignore[arg-type]


def test_a_missing_model_is_told_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_model().is_file()
    monkeypatch.setattr(voice, "_MODEL_PATTERN", "nothing*.onnx")
    with pytest.raises(EngineUnavailable, match="pip install"):
        find_model()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EngineUnavailable, match="not installed"):
        find_model()
