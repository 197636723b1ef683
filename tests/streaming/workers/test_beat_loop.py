from __future__ import annotations

import numpy as np
import pytest

from avatar.beats import BeatMaker
from avatar.motion.source import Gesture, Manner, Mode
from avatar.speech import SpeechChunk
from streaming.beat import Beat
from streaming.workers.beat_loop import BeatLoop
from streaming.workers.messages import (
    Clear,
    Finish,
    Grant,
    MakeGesture,
    RequestKeyframe,
    SetBitrate,
    SetManner,
    SetMode,
    Speak,
)
from tests.streaming.workers.fakes import FakeMotion, FakeRenderer
from tests.streaming.workers.in_process_pool import FakeEncoder


class Bench:
    def __init__(self) -> None:
        self.motion = FakeMotion()
        self.encoder = FakeEncoder()
        self.loop = BeatLoop(BeatMaker(FakeRenderer(16), self.motion), self.encoder)

    def speak(self, utterance: int, samples: int, *, finish: bool = False) -> None:
        self.loop.handle(Speak(utterance, SpeechChunk(np.full(samples, utterance, np.int16))))
        if finish:
            self.loop.handle(Finish(utterance))

    def make(self, beats: int) -> list[Beat]:
        return [self.loop.make() for _ in range(beats)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def shape(beat: Beat) -> tuple[int, int, int, bool]:
    return beat.utterance, beat.position, beat.speech_samples, beat.last


def keys(beats: list[Beat]) -> list[bool]:
    assert all(beat.keyframe == (beat.picture == b"key") for beat in beats)
    return [beat.keyframe for beat in beats]


def test_credit_is_counted(bench: Bench) -> None:
    bench.loop.handle(Grant(3))
    bench.make(2)
    assert bench.loop.credit == 1


def test_idle_beats_are_silent_and_only_the_first_is_a_keyframe(bench: Bench) -> None:
    beats = bench.make(3)
    assert [shape(beat) for beat in beats] == [(0, 0, 0, False)] * 3
    assert not any(any(beat.pcm48k) for beat in beats)
    assert keys(beats) == [True, False, False]


def test_an_utterance_from_its_first_sample_to_its_last(bench: Bench) -> None:
    bench.make(2)
    bench.speak(1, 1920 + 100, finish=True)
    beats = bench.make(3)
    assert [shape(beat) for beat in beats] == [(1, 0, 1920, False), (1, 1920, 100, True), (0, 0, 0, False)]
    assert keys(beats) == [True, False, False]
    assert np.frombuffer(beats[1].pcm48k, "<i2").tolist() == [1] * 100 + [0] * 1820


def test_speech_resumed_after_a_gap_begins_with_a_keyframe(bench: Bench) -> None:
    bench.speak(1, 1920)
    bench.make(2)
    bench.speak(1, 1920)
    beats = bench.make(2)
    assert [shape(beat) for beat in beats] == [(1, 1920, 1920, False), (0, 0, 0, False)]
    assert keys(beats) == [True, False]


@pytest.mark.parametrize("samples", [0, 1920])
def test_an_end_that_comes_after_the_last_sound_is_told_too(bench: Bench, samples: int) -> None:
    if samples:
        bench.speak(1, samples)
        bench.make(1)
    bench.loop.handle(Finish(1))
    assert [shape(beat) for beat in bench.make(2)] == [(1, samples, 0, True), (0, 0, 0, False)]


def test_utterances_wait_for_one_another(bench: Bench) -> None:
    bench.speak(1, 1920)
    bench.speak(2, 1000)
    bench.speak(2, 1000)
    bench.speak(3, 10, finish=True)
    bench.speak(1, 960, finish=True)
    assert [shape(beat) for beat in bench.make(3)] == [(1, 0, 1920, False), (1, 1920, 960, True), (2, 0, 1920, False)]
    bench.loop.handle(Finish(2))
    assert [shape(beat) for beat in bench.make(3)] == [(2, 1920, 80, True), (3, 0, 10, True), (0, 0, 0, False)]


def test_clear_drops_what_is_queued_and_begins_with_a_keyframe(bench: Bench) -> None:
    bench.speak(1, 9600)
    bench.speak(2, 9600, finish=True)
    bench.make(2)
    bench.loop.handle(Clear(1))
    beats = bench.make(2)
    assert [(shape(beat), beat.epoch) for beat in beats] == [((0, 0, 0, False), 1)] * 2
    assert keys(beats) == [True, False]
    bench.speak(3, 100, finish=True)
    assert shape(bench.make(1)[0]) == (3, 0, 100, True)


def test_a_keyframe_on_request(bench: Bench) -> None:
    bench.make(1)
    bench.loop.handle(RequestKeyframe())
    assert keys(bench.make(2)) == [True, False]


def test_the_rest_is_passed_on(bench: Bench) -> None:
    bench.loop.handle(SetMode(Mode.LISTENING))
    bench.loop.handle(MakeGesture(Gesture.NOD, 0.5))
    bench.loop.handle(SetManner(Manner(0.5)))
    bench.loop.handle(SetBitrate(300_000))
    assert bench.motion.modes == [Mode.LISTENING]
    assert bench.motion.gestures == [Gesture.NOD]
    assert bench.motion.manners == [Manner(0.5)]
    assert bench.encoder.bitrates == [300_000]
