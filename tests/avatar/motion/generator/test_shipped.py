"""The weights that ship: whole, small, and a mouth that does what sound asks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from avatar.motion.evaluation.behaviour import moving, nods
from avatar.motion.generator.source import LearnedMotionSource
from avatar.motion.generator.weights import FILES, SHIPPED_DIR, MotionModel, check, load
from avatar.motion.motion import INDEX, Motion
from avatar.motion.source import Mode
from avatar.motion.sources import choose_motion, open_motion
from avatar.motion.speech.mouth import measures
from avatar.speech import BEAT_SAMPLES, SpeechChunk
from tests.avatar.motion.speech.test_acoustic import AH, OO, silence, vowel
from tests.avatar.motion.speech_material import spoken
from tests.avatar.motion.test_source import SENTENCE, WEIGHTS


@pytest.fixture(scope="module")
def model() -> MotionModel:
    return load()


def speak(model: MotionModel, *parts: NDArray[np.float64], seed: int = 0) -> Motion:
    source = LearnedMotionSource(model, seed)
    source.push(SpeechChunk((np.concatenate(parts) * 32767).astype(np.int16), "en", None))
    source.finish()
    return source.take(source.ready(), speaking=True)


def opening(motion: Motion) -> NDArray[np.float32]:
    return measures(motion.values)["opening"]


def test_they_are_whole_and_small_and_the_default() -> None:
    check()
    assert sum((SHIPPED_DIR / name).stat().st_size for name in FILES) < 16e6
    assert choose_motion("auto")[0] == "learned"
    assert isinstance(open_motion(), LearnedMotionSource)


def test_silence_is_a_closed_mouth(model: MotionModel) -> None:
    assert opening(speak(model, silence(2000))).mean() < 0.05


@pytest.mark.parametrize("level", [0.001, 0.01, 0.1])
def test_noise_alone_hardly_moves_the_mouth(model: MotionModel, level: float) -> None:
    noise = level * np.random.default_rng(0).standard_normal(48_000 * 4)
    assert opening(speak(model, noise.clip(-1, 1))).mean() <= 0.15


def test_a_voice_opens_the_mouth_and_pauses_close_it(model: MotionModel) -> None:
    word = (vowel(AH, 250), vowel(OO, 250))  # no voice holds one sound for half a second
    lips = opening(speak(model, *word, silence(600), *word))
    assert lips[:12].mean() > 0.15
    assert lips[16:26].mean() < 0.1
    assert lips[29:40].mean() > 0.15


def test_two_seeds_give_the_same_lips_and_different_heads(model: MotionModel) -> None:
    sources = [LearnedMotionSource(model, seed) for seed in (1, 2)]
    for source in sources:
        source.push(spoken(SENTENCE * 8, noise=True))
        source.finish()
    one, two = (source.take(source.ready(), speaking=True) for source in sources)
    assert np.corrcoef(opening(one), opening(two))[0, 1] >= 0.98
    assert np.corrcoef(one["headYaw"], two["headYaw"])[0, 1] < 0.9


def test_frames_one_by_one_as_sound_trickles_in(model: MotionModel) -> None:
    """The shortest hops there are: one frame each."""
    source, pcm = LearnedMotionSource(model, 3), (vowel(AH, 1200) * 32767).astype(np.int16)
    frames = 0
    for at in range(0, len(pcm), BEAT_SAMPLES):
        source.push(SpeechChunk(pcm[at : at + BEAT_SAMPLES]))
        while source.ready():
            assert np.isfinite(source.take(1, speaking=True).values).all()
            frames += 1
    assert frames == 28, "80 ms behind"


@pytest.mark.slow
def test_minutes_of_everything_stay_in_range(model: MotionModel) -> None:
    source, parts = LearnedMotionSource(model, 4), []
    for mode in (Mode.IDLE, Mode.LISTENING, Mode.THINKING):
        source.set_mode(mode)
        parts.append(source.take(25 * 40, speaking=False).values)
        source.push(spoken(SENTENCE * 10, noise=True))
        source.finish()
        parts.append(source.take(source.ready(), speaking=True).values)
    values = np.concatenate(parts)
    assert np.isfinite(values).all()
    assert values[:, WEIGHTS].min() >= 0 and values[:, WEIGHTS].max() <= 1
    assert np.abs(values[:, INDEX["headYaw"]]).max() <= 7
    assert np.abs(values[:, INDEX["headRoll"]]).max() <= 3
    assert np.abs(np.diff(values[:, INDEX["headYaw"]])).max() < 2.5, "no head jumps"
    shut = values[:, INDEX["eyeBlinkLeft"]] > 0.8
    blinks = (np.diff(shut.astype(int)) == 1).sum() / (len(values) / 25 / 60)
    assert 5 < blinks < 60


@pytest.mark.parametrize("mode", [Mode.LISTENING, Mode.IDLE])
def test_without_speech_it_looks_at_somebody_and_nods_to_who_speaks(model: MotionModel, mode: Mode) -> None:
    source = LearnedMotionSource(model, 3)
    source.set_mode(mode)
    motion = source.take(25 * 120, speaking=False)
    assert 1.0 < moving(motion).gaze_bout_s < 4.0
    assert (5 <= nods(motion) <= 15) is (mode is Mode.LISTENING)
