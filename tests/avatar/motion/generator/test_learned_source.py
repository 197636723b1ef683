"""The learned source beyond what every source promises: hops, what is thrown away, what is told, how long it is held."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from avatar.motion.generator.condition import AT
from avatar.motion.generator.sampler import PREFIX_FRAMES
from avatar.motion.generator.source import LearnedMotionSource
from avatar.motion.generator.weights import MotionModel
from avatar.motion.source import Gesture, Manner, Mode
from avatar.speech import BEAT_SAMPLES, SpeechChunk
from tests.avatar.motion.generator.fakes import FakeEncoderNetwork, FakeSamplerNetwork, fake_model
from tests.avatar.motion.speech_material import spoken

SENTENCE = [("h", 60.0), ("ə", 80.0), ("l", 90.0), ("oʊ", 260.0), ("", 200.0), ("m", 80.0), ("aɪ", 200.0)]


def sound(frames: float, level: int = 3000, seed: int = 0) -> SpeechChunk:
    pcm = np.random.default_rng(seed).integers(-level, level, round(frames * BEAT_SAMPLES)).astype(np.int16)
    return SpeechChunk(pcm, "en", None)


class Told:
    """What the student was told, in place of the student."""

    def __init__(self) -> None:
        self.model = fake_model()
        self.conditions: list[NDArray[np.float32]] = []
        sampler = self.model.sampler
        draw = sampler.draw

        def listen(
            prefix: NDArray[np.float32], condition: NDArray[np.float32], noise: NDArray[np.float32]
        ) -> NDArray[np.float32]:
            self.conditions.append(condition)
            return draw(prefix, condition, noise)

        sampler.draw = listen  # type: ignore[method-assign]

    def channel(self, name: str) -> NDArray[np.float32]:
        """Of the frames of the last draw."""
        return self.conditions[-1][PREFIX_FRAMES:, AT[name]]


def drawn(model: MotionModel) -> list[int]:
    return cast("FakeSamplerNetwork", model.sampler._network).drawn


def encoder_runs(model: MotionModel) -> int:
    return cast("FakeEncoderNetwork", model.encoder_network).runs


def test_the_first_hop_is_short_and_needs_160_ms_of_sound() -> None:
    model = fake_model()
    source = LearnedMotionSource(model)
    source.push(sound(4))
    assert source.ready() == 2
    source.take(2, speaking=True)
    assert drawn(model) == [4], "two played, two ahead"
    source.push(sound(20))
    source.take(10, speaking=True)
    assert drawn(model) == [4, 7, 7]
    source.take(20, speaking=False)
    assert drawn(model) == [4, 7, 7, 10, 10]


def test_a_hop_is_never_longer_than_what_is_ready() -> None:
    model = fake_model()
    source = LearnedMotionSource(model)
    source.push(sound(3))
    source.take(1, speaking=True)
    source.push(sound(1))
    source.take(1, speaking=True)
    assert drawn(model) == [3, 3]


def test_only_sound_without_times_is_read_by_the_encoder() -> None:
    model = fake_model()
    source = LearnedMotionSource(model)
    source.push(spoken(SENTENCE, noise=True))
    source.take(source.ready(), speaking=True)
    assert encoder_runs(model) == 0
    source.push(sound(10))
    source.finish()
    source.take(source.ready(), speaking=True)
    assert encoder_runs(model) > 0


def test_a_long_voice_is_heard_as_it_is_spoken_not_at_once() -> None:
    model = fake_model()
    source = LearnedMotionSource(model)
    source.push(sound(500))
    source.take(1, speaking=True)
    assert encoder_runs(model) == 1
    assert source._speech._ear.size < 10


def test_the_mouth_follows_the_encoder_frame_by_frame() -> None:
    """Loud sound in frames 10 to 19 opens the mouth there, not a frame earlier or later."""
    pcm = np.concatenate((sound(10, 30).pcm48k, sound(10, 12_000).pcm48k, sound(10, 30).pcm48k))
    source = LearnedMotionSource(fake_model())
    source.push(SpeechChunk(pcm, "en", None))
    source.finish()
    jaw = source.take(30, speaking=True)["jawOpen"]
    assert jaw[11:20].min() > jaw[:10].max() + 0.1
    assert jaw[11:20].min() > jaw[21:].max() + 0.1


def test_pieces_of_sound_give_the_same_mouth_as_the_whole() -> None:
    pcm = np.concatenate([sound(6, level, level).pcm48k for level in (200, 9000, 700, 4000)])
    whole, pieces = LearnedMotionSource(fake_model()), LearnedMotionSource(fake_model())
    whole.push(SpeechChunk(pcm, "en", None))
    whole.finish()
    for at in range(0, len(pcm), 1000):
        pieces.push(SpeechChunk(pcm[at : at + 1000], "en", None))
    pieces.finish()
    one, two = whole.take(24, speaking=True), pieces.take(24, speaking=True)
    assert np.allclose(one["jawOpen"], two["jawOpen"], atol=1e-4)


def test_speech_begins_at_once_though_idle_frames_are_drawn() -> None:
    told = Told()
    source = LearnedMotionSource(told.model)
    source.take(3, speaking=False)
    source.push(spoken(SENTENCE, noise=True))
    source.take(1, speaking=True)
    assert told.channel("is_speaking").all()
    assert told.conditions[-1][:PREFIX_FRAMES, AT["is_idle"]].all(), "it goes on from what was played"


def test_a_mode_begins_at_once() -> None:
    told = Told()
    source = LearnedMotionSource(told.model)
    source.take(3, speaking=False)
    source.set_mode(Mode.LISTENING)
    source.take(1, speaking=False)
    assert told.channel("is_listening").all()
    count = len(told.conditions)
    source.set_mode(Mode.LISTENING)
    source.take(1, speaking=False)
    assert len(told.conditions) == count, "the same mode again changes nothing"


def test_a_frame_drawn_again_has_the_noise_it_had() -> None:
    """The same conditions, drawn anew half-way: the same frames."""
    straight, again = LearnedMotionSource(fake_model(), 5), LearnedMotionSource(fake_model(), 5)
    one = straight.take(8, speaking=False).values
    parts = [again.take(3, speaking=False).values]
    again._drawn.clear()
    parts.append(again.take(5, speaking=False).values)
    assert np.allclose(one, np.concatenate(parts), atol=1e-6)


def test_a_late_voice_is_waited_for() -> None:
    told = Told()
    source = LearnedMotionSource(told.model)
    source.set_mode(Mode.LISTENING)
    source.push(spoken([("a", 400.0)]))
    source.take(source.ready(), speaking=True)
    source.take(20, speaking=False)
    activities = np.concatenate([c[PREFIX_FRAMES:, AT["is_speaking"]] for c in told.conditions[-2:]])
    assert activities.tolist() == [1.0] * 15 + [0.0] * 5
    source.finish()
    source.take(1, speaking=False)
    assert told.channel("is_listening").all()


def test_after_the_last_word_the_student_sees_the_mode_coming() -> None:
    told = Told()
    source = LearnedMotionSource(told.model)
    source.push(spoken([("a", 80.0)]))
    source.finish()
    source.take(2, speaking=True)
    assert told.channel("is_speaking").tolist() == [1.0, 1.0, 0.0, 0.0]
    assert told.channel("remaining")[0] < 0.1


def test_a_sentence_that_goes_on_is_planned_again_where_they_meet() -> None:
    told = Told()
    source = LearnedMotionSource(told.model)
    source.push(spoken([("a", 400.0)]))
    source.take(4, speaking=True)
    draws = len(told.conditions)
    source.push(spoken([("b", 100.0), ("a", 300.0)]))
    source.take(1, speaking=True)
    assert len(told.conditions) == draws + 1
    far = LearnedMotionSource(told.model)
    far.push(spoken([("a", 3000.0)]))
    far.take(4, speaking=True)
    draws = len(told.conditions)
    far.push(spoken([("b", 100.0)]))
    far.take(1, speaking=True)
    assert len(told.conditions) == draws, "what comes in two seconds changes nothing now"


def test_contacts_are_exact_whatever_is_drawn() -> None:
    for seed in range(3):
        source = LearnedMotionSource(fake_model(), seed)
        source.push(spoken([("a", 200.0), ("m", 120.0)] * 5, noise=True))
        source.finish()
        motion = source.take(source.ready(), speaking=True)
        closed = (motion["mouthClose"] >= motion["jawOpen"] - 1e-6) & (motion["jawOpen"] > 0)
        assert closed.sum() >= 5


def test_two_seeds_give_the_same_lips_and_different_heads() -> None:
    one, two = (LearnedMotionSource(fake_model(), seed) for seed in (1, 2))
    for source in (one, two):
        source.push(spoken(SENTENCE * 6, noise=True))
        source.finish()
    a, b = (source.take(source.ready(), speaking=True) for source in (one, two))
    assert np.corrcoef(a["jawOpen"], b["jawOpen"])[0, 1] > 0.8  # the fake's residual is all noise
    assert abs(np.corrcoef(a["headYaw"], b["headYaw"])[0, 1]) < 0.95


def test_gestures_are_laid_over_what_is_drawn() -> None:
    plain, nodding = LearnedMotionSource(fake_model(), 1), LearnedMotionSource(fake_model(), 1)
    nodding.gesture(Gesture.NOD)
    one, two = plain.take(60, speaking=False), nodding.take(60, speaking=False)
    difference = two["headPitch"] - one["headPitch"]
    assert difference.min() < -3.5
    assert abs(difference[-1]) < 1e-4, "and nothing of it stays"
    gaze = [m["eyeLookUpLeft"] - m["eyeLookDownLeft"] + m["headPitch"] / 30.0 for m in (one, two)]
    assert np.allclose(*gaze, atol=1e-4), "the eyes stay where they look"


def test_a_wave_shows_the_right_hand_and_takes_it_back() -> None:
    source = LearnedMotionSource(fake_model(), 1)
    source.gesture(Gesture.WAVE)
    waving = source.take(90, speaking=False)
    shown = waving["handRightScore"]
    assert shown[20:50].min() > 0.9
    assert shown[-1] < 0.1
    assert waving["handRight0Y"][30] == pytest.approx(0.66, abs=0.02)


def test_a_hand_that_is_up_travels_to_the_wave() -> None:
    source = LearnedMotionSource(fake_model(), 1)
    source.take(1, speaking=False)
    from avatar.motion.generator.state import AT as STATE_AT

    for frame in source._drawn:
        frame.state[STATE_AT["hand_right_score"]] = 1.0
    source.gesture(Gesture.WAVE)
    wrist = source.take(9, speaking=False)["handRight0X"]
    assert np.abs(np.diff(wrist)).max() < 0.06


def test_manner_is_told() -> None:
    told = Told()
    source = LearnedMotionSource(told.model)
    source.set_manner(Manner(-0.5, 0.9))
    source.take(1, speaking=False)
    assert told.channel("mood")[0] == pytest.approx(-0.5)
    assert told.channel("gesture_strength")[0] == pytest.approx(0.9)


def test_heads_stay_where_a_portrait_can_follow() -> None:
    model = fake_model()
    source = LearnedMotionSource(model)
    source._past[:, 0:] = 50.0
    values = source.take(50, speaking=False)
    assert np.abs(values["headYaw"]).max() <= 7.0
    assert np.abs(values["headRoll"]).max() <= 3.0


@pytest.mark.parametrize("timed", [True, False])
def test_memory_does_not_grow_with_the_conversation(timed: bool) -> None:
    source = LearnedMotionSource(fake_model())
    sizes = []
    for _ in range(30):
        chunk = spoken(SENTENCE * 2, noise=True)
        source.push(chunk if timed else SpeechChunk(chunk.pcm48k, "en", None))  # never finished: one endless utterance
        while source.ready():
            source.take(1, speaking=True)
        sizes.append(source._speech.size + len(source._drawn))
    assert max(sizes[15:]) <= max(sizes[:15])


def test_speech_that_was_over_goes_on_after_all() -> None:
    """``finish``, then more before all was taken: every sample still has its place."""
    source = LearnedMotionSource(fake_model())
    source.push(sound(3.5))
    source.finish()
    source.take(1, speaking=True)  # has looked beyond the end
    source.push(sound(4.5))
    assert source.ready() == 5
    source.finish()
    assert source.ready() == 7
    source.take(7, speaking=True)
    assert source.ready() == 0
