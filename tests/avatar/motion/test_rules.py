"""The rule source as a MotionSource: counting, determinism, streaming, ranges."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from avatar.beats import BeatMaker
from avatar.motion.motion import CHANNELS, FACE_CHANNELS, INDEX, Motion
from avatar.motion.rules import RuleMotionSource
from avatar.motion.source import Gesture, Mode
from avatar.motion.speech.mouth import measures
from avatar.speech import BEAT_SAMPLES, SpeechChunk
from tests.avatar.motion.speech_material import spoken

WEIGHTS = [INDEX[n] for n in (*FACE_CHANNELS, "tongueUp", "breath", "handLeftScore", "handRightScore")]


def chunk(samples: int, *, timed: bool = True) -> SpeechChunk:
    return SpeechChunk(np.zeros(samples, np.int16), "en", () if timed else None)


SENTENCE = [("h", 60.0), ("ə", 80.0), ("l", 90.0), ("oʊ", 260.0), ("", 200.0), ("m", 80.0), ("aɪ", 200.0)]


def test_speaking_frames_are_the_sound_rounded_up() -> None:
    source = RuleMotionSource()
    source.push(chunk(1920 * 3 + 1))
    assert source.ready() == 3
    source.finish()
    assert source.ready() == 4
    assert source.take(4, speaking=True).values.shape == (4, len(CHANNELS))
    assert source.ready() == 0


def test_sound_without_timings_holds_back_its_look_ahead_until_it_is_finished() -> None:
    source = RuleMotionSource()
    source.push(chunk(1920 * 4, timed=False))
    assert source.ready() == 2
    source.finish()
    assert source.ready() == 4


def test_more_than_ready_is_refused() -> None:
    source = RuleMotionSource()
    source.push(chunk(1920))
    with pytest.raises(ValueError, match="2 speaking frames asked for, 1 are ready"):
        source.take(2, speaking=True)
    with pytest.raises(ValueError, match="-1"):
        source.take(-1, speaking=False)


def test_an_empty_chunk_is_nothing() -> None:
    source = RuleMotionSource()
    source.push(chunk(0))
    source.finish()
    assert source.ready() == 0
    assert len(source.take(0, speaking=True)) == 0


def test_gesture_strength_is_checked() -> None:
    with pytest.raises(ValueError, match=r"within 0\.\.1, got 1\.5"):
        RuleMotionSource().gesture(Gesture.NOD, 1.5)
    with pytest.raises(ValueError, match="nan"):
        RuleMotionSource().gesture(Gesture.NOD, float("nan"))


def conversation(seed: int) -> NDArray[np.float32]:
    source = RuleMotionSource(seed)
    parts = [source.take(30, speaking=False)]
    source.set_mode(Mode.LISTENING)
    parts.append(source.take(100, speaking=False))
    source.set_mode(Mode.THINKING)
    parts.append(source.take(40, speaking=False))
    source.push(spoken(SENTENCE * 3, noise=True))
    parts.append(source.take(20, speaking=True))
    source.gesture(Gesture.WAVE, 0.7)
    source.finish()
    parts.append(source.take(source.ready(), speaking=True))
    source.set_mode(Mode.IDLE)
    source.push(SpeechChunk(spoken(SENTENCE, noise=True).pcm48k, "en", None))
    source.finish()
    parts.append(source.take(source.ready(), speaking=True))
    parts.append(source.take(60, speaking=False))
    return np.concatenate([part.values for part in parts])


def test_equal_seeds_give_equal_frames_and_others_differ_in_behaviour_only() -> None:
    first, again, other = conversation(7), conversation(7), conversation(8)
    assert np.array_equal(first, again)
    assert not np.array_equal(first[:, INDEX["headYaw"]], other[:, INDEX["headYaw"]])
    for name in ("jawOpen", "mouthClose", "mouthPucker", "mouthFunnel", "tongueUp"):
        assert np.array_equal(first[:, INDEX[name]], other[:, INDEX[name]]), name


@settings(max_examples=25, deadline=None)
@given(
    st.integers(-5, 2**40),
    st.lists(st.tuples(st.sampled_from(Mode), st.sampled_from(Gesture), st.floats(0, 1)), max_size=6),
)
def test_everything_stays_in_range(seed: int, script: list[tuple[Mode, Gesture, float]]) -> None:
    source = RuleMotionSource(seed)
    parts = []
    for mode, gesture, strength in script:
        source.set_mode(mode)
        source.gesture(gesture, strength)
        parts.append(source.take(20, speaking=False).values)
        source.push(spoken(SENTENCE, noise=True))
        source.finish()
        parts.append(source.take(source.ready(), speaking=True).values)
    values = np.concatenate([*parts, source.take(5, speaking=False).values])
    assert np.isfinite(values).all()
    assert values[:, WEIGHTS].min() >= 0 and values[:, WEIGHTS].max() <= 1
    assert np.abs(values[:, INDEX["headYaw"]]).max() <= 15
    assert np.abs(values[:, INDEX["headPitch"]]).max() <= 14
    assert np.abs(values[:, INDEX["headRoll"]]).max() <= 6
    assert np.abs(values[:, INDEX["headX"] : INDEX["headZ"] + 1]).max() <= 0.03


def test_idle_head_stays_within_what_a_portrait_shows_well() -> None:
    source = RuleMotionSource(11)
    values = source.take(25 * 120, speaking=False).values
    assert np.abs(values[:, INDEX["headYaw"]]).max() <= 7
    assert np.abs(values[:, INDEX["headRoll"]]).max() <= 3
    assert 1.0 < values[:, INDEX["headYaw"]].std() < 3.0, "and it does live"


def test_a_change_between_timings_and_sound_does_not_jump() -> None:
    source = RuleMotionSource(0)
    tone = (6000 * np.sin(np.arange(48 * 400) * 2 * np.pi * 220 / 48_000)).astype(np.int16)
    for _ in range(4):
        source.push(spoken([("ɑ", 250.0), ("uː", 150.0)]))
        source.push(SpeechChunk(tone, "en", None))
    source.finish()
    values = source.take(source.ready(), speaking=True).values
    for name, curve in measures(values).items():
        assert np.abs(np.diff(curve)).max() < 0.36, name


def test_a_late_voice_does_not_make_the_avatar_look_idle() -> None:
    """Between pieces of one utterance the body stays with it; once it is complete, or very late, it does not."""

    def frown_after_pause(finish: bool, frames: int) -> float:
        source = RuleMotionSource(5)
        source.set_mode(Mode.THINKING)
        source.push(spoken([("a", 3000.0)]))
        source.take(source.ready(), speaking=True)
        if finish:
            source.finish()
        return float(source.take(frames, speaking=False)["browDownLeft"][-1])

    assert frown_after_pause(finish=False, frames=10) < 0.01 < frown_after_pause(finish=True, frames=10)
    assert frown_after_pause(finish=False, frames=60) > 0.05


class _Recorder:
    width = height = 2

    def render(self, motion: Motion) -> list[NDArray[np.uint8]]:
        return [np.zeros((2, 2, 3), np.uint8) for _ in range(len(motion))]


action = st.one_of(
    st.tuples(st.just("push"), st.integers(0, 6 * BEAT_SAMPLES), st.booleans()),
    st.tuples(st.just("next"), st.integers(1, 6), st.booleans()),
    st.tuples(st.sampled_from(["finish", "clear"]), st.just(0), st.booleans()),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(action, max_size=30))
def test_beats_and_motion_never_disagree(actions: list[tuple[str, int, bool]]) -> None:
    """Whatever is pushed, finished, dropped and taken in any order: all pushed sound is played, none twice."""
    maker = BeatMaker(_Recorder(), RuleMotionSource(0))
    pushed = played = 0
    for what, amount, timed in actions:
        match what:
            case "push":
                maker.push(chunk(amount, timed=timed))
                pushed += amount
            case "finish":
                maker.finish()
            case "clear":
                pushed -= maker.queued_samples
                maker.clear()
            case "next":
                for _ in range(amount):
                    played += maker.next().speech_samples
    maker.finish()
    while maker.speech_ready():
        played += maker.next().speech_samples
    assert played == pushed and maker.queued_samples == 0


def test_memory_does_not_grow_with_the_conversation() -> None:
    source = RuleMotionSource(0)
    sizes = []
    for turn in range(40):
        source.push(spoken(SENTENCE * 2))  # never finished: one endless utterance
        while source.ready():
            source.take(1, speaking=True)
        track = source._track
        sizes.append(len(track._segments) + len(track._accents) + len(track._pauses) + len(track._plan))
        del turn
    assert max(sizes[20:]) <= max(sizes[:20])


def test_frames_are_cheap() -> None:
    """Well under a millisecond of CPU a frame, also for the sound rule; the bound leaves room for a slow machine."""
    sentence = spoken(SENTENCE * 10, noise=True)
    source = RuleMotionSource(0)
    begin = time.process_time()
    frames = 0
    for timed in (True, False):
        source.push(sentence if timed else SpeechChunk(sentence.pcm48k, "en", None))
        source.finish()
        while source.ready():
            source.take(1, speaking=True)
            frames += 1
    assert (time.process_time() - begin) / frames < 0.002
