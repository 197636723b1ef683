"""What every source of motion promises: counting, determinism, streaming, ranges. Held by rules and learned motion alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from avatar.beats import BeatMaker
from avatar.motion.motion import CHANNELS, FACE_CHANNELS, INDEX, Motion
from avatar.motion.source import Gesture, Manner, Mode
from avatar.motion.speech.mouth import measures
from avatar.speech import BEAT_SAMPLES, SpeechChunk
from tests.avatar.motion.conftest import MakeSource
from tests.avatar.motion.speech_material import spoken

WEIGHTS = [INDEX[n] for n in (*FACE_CHANNELS, "tongueUp", "breath", "handLeftScore", "handRightScore")]


def chunk(samples: int, *, timed: bool = True) -> SpeechChunk:
    return SpeechChunk(np.zeros(samples, np.int16), "en", () if timed else None)


SENTENCE = [("h", 60.0), ("ə", 80.0), ("l", 90.0), ("oʊ", 260.0), ("", 200.0), ("m", 80.0), ("aɪ", 200.0)]


def test_speaking_frames_are_the_sound_rounded_up(make_source: MakeSource) -> None:
    source = make_source(0)
    source.push(chunk(1920 * 3 + 1))
    assert source.ready() == 3
    source.finish()
    assert source.ready() == 4
    assert source.take(4, speaking=True).values.shape == (4, len(CHANNELS))
    assert source.ready() == 0


def test_sound_without_timings_holds_back_its_look_ahead_until_it_is_finished(make_source: MakeSource) -> None:
    source = make_source(0)
    source.push(chunk(1920 * 4, timed=False))
    assert source.ready() == 2
    source.finish()
    assert source.ready() == 4


def test_more_than_ready_is_refused(make_source: MakeSource) -> None:
    source = make_source(0)
    source.push(chunk(1920))
    with pytest.raises(ValueError, match="2 speaking frames asked for, 1 are ready"):
        source.take(2, speaking=True)
    with pytest.raises(ValueError, match="-1"):
        source.take(-1, speaking=False)


def test_an_empty_chunk_is_nothing(make_source: MakeSource) -> None:
    source = make_source(0)
    source.push(chunk(0))
    source.finish()
    assert source.ready() == 0
    assert len(source.take(0, speaking=True)) == 0


def test_gesture_strength_is_checked(make_source: MakeSource) -> None:
    with pytest.raises(ValueError, match=r"within 0\.\.1, got 1\.5"):
        make_source(0).gesture(Gesture.NOD, 1.5)
    with pytest.raises(ValueError, match="nan"):
        make_source(0).gesture(Gesture.NOD, float("nan"))


def test_manner_is_checked() -> None:
    with pytest.raises(ValueError, match=r"mood must be within -1\.\.1, got 1\.5"):
        Manner(1.5)
    with pytest.raises(ValueError, match=r"gestures must be within 0\.\.1, got nan"):
        Manner(0.0, float("nan"))


def test_manner_may_change_at_any_time(make_source: MakeSource) -> None:
    source = make_source(0)
    source.take(3, speaking=False)
    source.set_manner(Manner(1.0, 1.0))
    cheerful = source.take(60, speaking=False)
    source.set_manner(Manner(-1.0, 0.0))
    assert np.isfinite(source.take(60, speaking=False).values).all()
    assert np.isfinite(cheerful.values).all()


def conversation(make_source: MakeSource, seed: int, piece: int = 1000) -> NDArray[np.float32]:
    source = make_source(seed)
    parts: list[Motion] = []

    def take(frames: int, *, speaking: bool) -> None:
        while frames:
            parts.append(source.take(min(piece, frames), speaking=speaking))
            frames -= len(parts[-1])

    take(30, speaking=False)
    source.set_mode(Mode.LISTENING)
    take(100, speaking=False)
    source.set_mode(Mode.THINKING)
    take(40, speaking=False)
    source.push(spoken(SENTENCE * 3, noise=True))
    take(20, speaking=True)
    source.gesture(Gesture.WAVE, 0.7)
    source.finish()
    take(source.ready(), speaking=True)
    source.set_mode(Mode.IDLE)
    source.push(SpeechChunk(spoken(SENTENCE, noise=True).pcm48k, "en", None))
    source.finish()
    take(source.ready(), speaking=True)
    take(60, speaking=False)
    return np.concatenate([part.values for part in parts])


def test_equal_seeds_give_equal_frames_and_others_differ(make_source: MakeSource) -> None:
    first, again, other = (conversation(make_source, seed) for seed in (7, 7, 8))
    assert np.array_equal(first, again)
    assert not np.array_equal(first[:, INDEX["headYaw"]], other[:, INDEX["headYaw"]])
    assert np.isfinite(first).all()


@pytest.mark.parametrize("piece", [1, 3, 7])
def test_how_many_frames_are_taken_at_once_changes_nothing(make_source: MakeSource, piece: int) -> None:
    assert np.allclose(conversation(make_source, 3), conversation(make_source, 3, piece), atol=1e-6)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(-5, 2**40),
    st.lists(st.tuples(st.sampled_from(Mode), st.sampled_from(Gesture), st.floats(0, 1)), max_size=6),
)
def test_everything_stays_in_range(
    make_source: MakeSource, seed: int, script: list[tuple[Mode, Gesture, float]]
) -> None:
    source = make_source(seed)
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


def test_a_change_between_timings_and_sound_does_not_jump(make_source: MakeSource) -> None:
    source = make_source(0)
    tone = (6000 * np.sin(np.arange(48 * 400) * 2 * np.pi * 220 / 48_000)).astype(np.int16)
    for _ in range(4):
        source.push(spoken([("ɑ", 250.0), ("uː", 150.0)]))
        source.push(SpeechChunk(tone, "en", None))
    source.finish()
    values = source.take(source.ready(), speaking=True).values
    for name, curve in measures(values).items():
        assert np.abs(np.diff(curve)).max() < 0.36, name


def test_an_interrupted_mouth_shuts_without_a_jump(make_source: MakeSource) -> None:
    source = make_source(0)
    source.push(spoken([("ɑ", 2000.0)]))
    source.take(20, speaking=True)
    source.clear()
    assert source.ready() == 0
    opening = measures(source.take(25, speaking=False).values)["opening"]
    assert opening[0] > 0.15
    assert np.abs(np.diff(opening)).max() < 0.15
    assert opening[-1] < 0.08


class _Recorder:
    width = height = 2

    def render(self, motion: Motion) -> list[NDArray[np.uint8]]:
        return [np.zeros((2, 2, 3), np.uint8) for _ in range(len(motion))]


action = st.one_of(
    st.tuples(st.just("push"), st.integers(0, 6 * BEAT_SAMPLES), st.booleans()),
    st.tuples(st.just("next"), st.integers(1, 6), st.booleans()),
    st.tuples(st.sampled_from(["finish", "clear", "mode"]), st.just(0), st.booleans()),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(action, max_size=30))
def test_beats_and_motion_never_disagree(make_source: MakeSource, actions: list[tuple[str, int, bool]]) -> None:
    """Whatever is pushed, finished, dropped and taken in any order: all pushed sound is played, none twice."""
    source = make_source(0)
    maker = BeatMaker(_Recorder(), source)
    pushed = played = 0
    for what, amount, flag in actions:
        match what:
            case "push":
                maker.push(chunk(amount, timed=flag))
                pushed += amount
            case "finish":
                maker.finish()
            case "clear":
                pushed -= maker.queued_samples
                maker.clear()
            case "mode":
                maker.set_mode(Mode.LISTENING if flag else Mode.IDLE)
            case "next":
                for _ in range(amount):
                    played += maker.next().speech_samples
    maker.finish()
    while maker.speech_ready():
        played += maker.next().speech_samples
    assert played == pushed and maker.queued_samples == 0


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 30_000), st.booleans()), min_size=1, max_size=8))
def test_frames_of_an_endless_voice_come_out_one_by_one(
    make_source: MakeSource, pieces: list[tuple[int, bool]]
) -> None:
    """Taking each frame as soon as it is ready, whatever the pieces, gives as many frames as the sound has."""
    source, frames, samples = make_source(1), 0, 0
    for size, timed in pieces:
        source.push(chunk(size, timed=timed))
        samples += size
        while source.ready() > 1:  # the last may be cut
            source.take(1, speaking=True)
            frames += 1
    source.finish()
    frames += source.ready()
    source.take(source.ready(), speaking=True)
    assert frames == -(-samples // BEAT_SAMPLES)
