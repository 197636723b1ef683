from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np
import pytest

from avatar.motion.evaluation.baselines import FOUR_BANDS, LOUDNESS, LinearMouth, band_levels
from avatar.motion.evaluation.distortions import (
    DISTORTIONS,
    by_telephone,
    in_a_room,
    noise_alone,
    noisy,
    speech_level,
)
from avatar.motion.evaluation.drive import lips_of, speak
from avatar.motion.evaluation.lips import score
from avatar.motion.evaluation.material import Clip, aligned_clips, held_out_clips, reference_of
from avatar.motion.rules import RuleMotionSource
from avatar.speech import Phoneme, SpeechChunk

RATE = 48_000


def tone(hertz: float, seconds: float, level: float = 0.3) -> np.ndarray:
    return (level * 32767 * np.sin(2 * np.pi * hertz * np.arange(int(RATE * seconds)) / RATE)).astype(np.int16)


def syllables(count: int = 10) -> SpeechChunk:
    """ "ma" again and again, 200 ms each: hum, then a louder and brighter vowel."""
    hum, vowel = tone(180, 0.08, 0.03), (tone(180, 0.12) + tone(900, 0.12)).astype(np.int16)
    pcm = np.concatenate([np.concatenate([hum, vowel])] * count)
    phonemes = []
    for i in range(count):
        phonemes += [Phoneme("m", 200 * i, 200 * i + 80), Phoneme("a", 200 * i + 80, 200 * i + 200, True)]
    return SpeechChunk(pcm, "en", tuple(phonemes))


def clip(speech: SpeechChunk, name: str = "ma") -> Clip:
    return Clip(name, "made", speech, reference_of(speech))


def test_the_reference_closes_for_every_m() -> None:
    reference = reference_of(syllables())
    assert len(reference.mouth) == 50
    assert 9 <= np.sum(np.diff(reference.closures.astype(int)) == 1) + reference.closures[0] <= 10
    assert (reference.mouth.opening[reference.closures] < 0.01).all()
    assert not reference.silent.any()


def test_the_rule_on_timings_agrees_with_its_own_reference() -> None:
    made = clip(syllables())
    found = score([(made.name, lips_of(RuleMotionSource, made.speech), made.reference)], lags=False)
    assert found.opening.value > 0.9 and found.recalled.value == 1.0


def test_sound_alone_is_pushed_in_hops_and_gives_every_frame() -> None:
    made = clip(syllables())
    assert len(speak(RuleMotionSource(0), made.untimed)) == 50
    assert made.untimed.phonemes is None
    assert len(speak(RuleMotionSource(0), SpeechChunk(np.zeros(0, np.int16)))) == 0


def test_silence_around_speech_is_a_pause() -> None:
    speech = SpeechChunk(
        np.concatenate([np.zeros(RATE, np.int16), tone(200, 0.2), np.zeros(RATE, np.int16)]), "en",
        (Phoneme("", 0, 1000), Phoneme("a", 1000, 1200, True)),
    )  # fmt: skip
    silent = reference_of(speech).silent
    assert silent[:22].all() and not silent[24:32].any() and silent[-20:].all()


def test_aligned_recordings_are_read(tmp_path: Path) -> None:
    (tmp_path / "aligned").mkdir()
    with wave.open(str(tmp_path / "one.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * 16_000))
    words = {"transcript": "pa", "phonemes": [["SIL", 0, 0.4], ["P", 0.4, 0.5], ["AA1", 0.5, 1.0]]}
    (tmp_path / "aligned" / "one.json").write_text(json.dumps(words))
    (found,) = aligned_clips(tmp_path)
    assert found.name == "one" and len(found.reference.mouth) == 25
    assert found.speech.phonemes is not None and found.speech.phonemes[2].stressed
    assert found.reference.closures.any()
    assert aligned_clips(tmp_path / "aligned") == []


def shard(path: Path, count: int, engine: str) -> None:
    frames, samples = 50, 32_000
    np.savez(
        path,
        pcm16k=np.zeros(count * samples, np.int16),
        pcm_offset=np.arange(count + 1) * samples,
        mouth=np.zeros((count * frames, 11), np.float16),
        sealed=np.arange(count * frames) % frames == 5,
        touching=np.zeros(count * frames, bool),
        frame_offset=np.arange(count + 1) * frames,
        phoneme_symbol=np.array(["a"] * count),
        phoneme_start_ms=np.zeros(count),
        phoneme_end_ms=np.full(count, 500.0),
        phoneme_stressed=np.ones(count, bool),
        phoneme_offset=np.arange(count + 1),
        voice=np.array([f"voice{i}" for i in range(count)]),
        engine=np.array([engine] * count),
        language=np.array(["en"] * count),
    )


def test_held_out_speech_is_taken_evenly_from_all_shards(tmp_path: Path) -> None:
    shard(tmp_path / "0000.npz", 10, "espeak")
    shard(tmp_path / "0001.npz", 10, "flite")
    assert len(list(held_out_clips(tmp_path))) == 20
    some = list(held_out_clips(tmp_path, most=6))
    assert [one.group for one in some] == ["espeak"] * 3 + ["flite"] * 3
    assert len(some[0].speech.pcm48k) == 96_000 and len(some[0].reference.mouth) == 50
    assert some[0].reference.silent[20:].all()
    assert list(held_out_clips(tmp_path / "absent")) == []


def test_a_linear_mouth_learns_loudness(tmp_path: Path) -> None:
    made = clip(syllables())
    energy = LinearMouth.fitted([made], LOUDNESS)
    found = score([(made.name, energy(made), made.reference)], lags=False)
    assert found.opening.value > 0.5
    assert LinearMouth.fitted([made], FOUR_BANDS).weights.shape == (5, 3)
    with pytest.raises(ValueError, match="no clips"):
        LinearMouth.fitted([], LOUDNESS)


def test_band_levels_follow_the_bands() -> None:
    low, high = tone(200, 0.4), tone(5000, 0.4)
    levels = band_levels(np.concatenate([low, high]), FOUR_BANDS, 20)
    assert levels.shape == (20, 5) and (levels[:, 4] == 1).all()
    assert levels[3, 0] > 0.8 > 0.5 > levels[3, 3]
    assert levels[15, 3] > 0.8 > 0.5 > levels[15, 0]
    assert len(band_levels(low, FOUR_BANDS, 30)) == 30  # sound that ends early is silence


def test_noise_is_as_loud_as_it_says() -> None:
    speech = np.concatenate([tone(300, 2.0, 0.1), np.zeros(2 * RATE, np.int16)])
    noise = noisy(speech).astype(np.float64) - speech
    ratio = 20 * np.log10(speech_level(speech) / np.sqrt(np.mean(noise**2)))
    assert ratio == pytest.approx(20, abs=0.3)
    assert np.sqrt(np.mean(noise_alone(-30, 1.0).astype(float) ** 2)) == pytest.approx(
        32768 * 10 ** (-30 / 20), rel=0.02
    )


def test_a_room_goes_on_sounding() -> None:
    click = np.zeros(RATE, np.int16)
    click[1000:1200] = 20_000
    out = in_a_room(click).astype(float)
    assert np.abs(out[6000:8000]).mean() > 3 * np.abs(out[12_000:14_000]).mean() > 3
    assert np.abs(out[-5000:]).max() < 3


def test_a_telephone_has_no_bass_and_no_hiss() -> None:
    for hertz, kept in ((100, False), (1000, True), (6000, False)):
        rms = float(np.sqrt(np.mean(by_telephone(tone(hertz, 0.5)).astype(float) ** 2)))
        assert (rms > 3000) is kept, hertz


@pytest.mark.parametrize("name", DISTORTIONS)
def test_distortions_keep_length_and_repeat(name: str) -> None:
    speech = tone(250, 0.5)
    once, again = DISTORTIONS[name](speech), DISTORTIONS[name](speech)
    assert once.dtype == np.int16 and len(once) == len(speech)
    assert np.array_equal(once, again) and not np.array_equal(once, speech)
