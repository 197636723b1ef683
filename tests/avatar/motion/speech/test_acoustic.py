"""The mouth read from sound: opens with the voice, stays shut without one, closes at dips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from avatar.motion.rules import RuleMotionSource
from avatar.motion.speech.mouth import measures
from avatar.speech import SpeechChunk
from benchmarks.motion_rules import main, noise_opening, read_clip, score

RATE = 48_000


def vowel(formants: tuple[float, ...], ms: float, level: float = 0.2) -> NDArray[np.float64]:
    """A buzz at 120 Hz through resonances."""
    count = int(RATE * ms / 1000)
    time = np.arange(count) / RATE
    out = np.zeros(count)
    for harmonic in range(1, 60):
        frequency = 120.0 * harmonic
        gain = sum(1.0 / (1.0 + ((frequency - f) / 90.0) ** 2) for f in formants) / harmonic**0.5
        out += gain * np.sin(2 * np.pi * frequency * time)
    ramp = np.minimum(1.0, np.minimum(np.arange(count), np.arange(count)[::-1]) / (0.01 * RATE))
    return level * ramp * out / np.abs(out).max()


AH, EE, OO = (750.0, 1200.0, 2500.0), (290.0, 2300.0, 3000.0), (310.0, 800.0, 2300.0)


def mouth(*parts: NDArray[np.float64]) -> dict[str, NDArray[np.float32]]:
    pcm = (np.concatenate(parts) * 32767).astype(np.int16)
    source = RuleMotionSource(0)
    source.push(SpeechChunk(pcm, "en", None))
    source.finish()
    return measures(source.take(source.ready(), speaking=True).values)


def silence(ms: float) -> NDArray[np.float64]:
    return np.zeros(int(RATE * ms / 1000))


def test_silence_is_a_closed_mouth() -> None:
    assert mouth(silence(2000))["opening"].max() < 0.02


def test_noise_alone_hardly_moves_the_mouth() -> None:
    assert max(noise_opening().values()) <= 0.15


def test_a_voice_opens_the_mouth_and_pauses_close_it() -> None:
    opening = mouth(vowel(AH, 600), silence(600), vowel(AH, 600))["opening"]
    assert opening[5:12].min() > 0.2
    assert opening[19:27].mean() < 0.1
    assert opening[34:42].min() > 0.2


def test_loudness_of_the_recording_does_not_matter() -> None:
    syllables = (mouth(*[vowel(AH, 300, level), silence(100)] * 8)["opening"] for level in (0.5, 0.02))
    loud, quiet = (opening[40:].mean() for opening in syllables)
    assert quiet > 0.6 * loud


def test_ah_opens_ee_spreads_oo_rounds() -> None:
    shapes = {name: mouth(vowel(AH, 400), vowel(f, 500)) for name, f in (("ah", AH), ("ee", EE), ("oo", OO))}
    at = {name: {k: float(v[14:20].mean()) for k, v in shape.items()} for name, shape in shapes.items()}
    assert at["ah"]["opening"] > at["oo"]["opening"]
    assert at["ee"]["width"] > at["ah"]["width"] and at["ee"]["width"] > at["oo"]["width"] + 0.1
    assert at["oo"]["rounding"] > at["ee"]["rounding"] + 0.05


def test_a_dip_between_vowels_closes_the_lips() -> None:
    opening = mouth(vowel(AH, 400), vowel(AH, 80, 0.004), vowel(AH, 400))["opening"]
    assert opening[9:13].min() == 0.0
    assert opening[5:8].min() > 0.15 and opening[14:17].min() > 0.15


def test_sound_cut_in_any_pieces_gives_the_same_mouth() -> None:
    pcm = (np.concatenate([vowel(AH, 500), silence(100), vowel(EE, 400)]) * 32767).astype(np.int16)
    results = []
    for cuts in ([], [1920], [100, 5000, 5001, 40_000]):
        source = RuleMotionSource(0)
        for piece in np.split(pcm, cuts):
            source.push(SpeechChunk(piece, "en", None))
        source.finish()
        results.append(measures(source.take(source.ready(), speaking=True).values)["opening"])
    assert np.array_equal(results[0], results[1]) and np.array_equal(results[0], results[2])


def test_against_the_viseme_rules_on_recordings(shared: Path) -> None:
    folder = shared / "samples" / "speech"
    figures = score("pooled", [read_clip(folder, "en-librivox-0870"), read_clip(folder, "en-neural-jane-16s")])
    assert figures.opening > 0.55 and figures.rounding > 0.2 and abs(figures.lag_ms) <= 40
    assert figures.pause_opening <= 0.10


def test_the_benchmark_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "no alignments found" in capsys.readouterr().err
