"""The output on virtual time, with workers that are beat loops in the same process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise

import numpy as np
import pytest

from avatar.motion.source import Gesture, Mode
from avatar.speech import SpeechChunk
from streaming.avatar_output import KEYFRAME_INTERVAL_S, MAX_DEATHS, SPEAKING_BEATS, AvatarOutput
from streaming.errors import Busy, WorkerLost
from streaming.output import Played
from streaming.workers import messages
from streaming.workers.pool import WorkerSpec
from tests.streaming.test_playback import RecordingTrack
from tests.streaming.workers.in_process_pool import InProcessPool, InProcessWorker
from tests.virtual_time import run_virtually

SPEC = WorkerSpec(None, size=16)


class Scene:
    def __init__(self, pool: InProcessPool) -> None:
        self.pool = pool
        self.sound, self.picture = RecordingTrack(), RecordingTrack()
        self.output = AvatarOutput(pool, SPEC, sound=self.sound, picture=self.picture)
        self.played: list[tuple[float, Played]] = []
        self.failed: list[Exception] = []
        self.output.on_played = lambda played: self.played.append((self.now, played))
        self.output.on_failed = self.failed.append

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def worker(self) -> InProcessWorker:
        return self.pool.workers[-1]

    def speak(self, utterance: int, seconds: float) -> None:
        samples = int(seconds * 48_000)
        self.output.speak(utterance, SpeechChunk((np.arange(samples) % 30_000).astype(np.int16)))
        self.output.finish(utterance)

    def heard(self, utterance: int) -> list[int]:
        pcm = b"".join(played.pcm48k for _, played in self.played if played.utterance == utterance)
        return [int(sample) for sample in np.frombuffer(pcm, "<i2")]


def play(scene: Callable[[Scene], Awaitable[None]], pool: InProcessPool | None = None) -> None:
    async def run() -> None:
        on = Scene(pool or InProcessPool())
        await on.output.start()
        try:
            await scene(on)
        finally:
            await on.output.close()
        assert all(worker.closed for worker in on.pool.workers)

    run_virtually(run())


def test_idle_beats_from_the_start_without_a_stall() -> None:
    async def scene(on: Scene) -> None:
        await asyncio.sleep(2)
        assert len(on.picture.sent) == 50
        assert np.diff(on.picture.pts).tolist() == [3600] * 49
        assert [keyframe for *_, keyframe in on.picture.sent] == [True] + [False] * 49
        assert on.sound.pts == [960 * n for n in range(len(on.sound.sent))]
        assert on.output.playback.clock.stalled_slots <= 2, "only until the first beat is made"
        assert not on.played

    play(scene)


def test_speech_leaves_within_a_slot_of_being_made_and_begins_with_a_keyframe() -> None:
    async def scene(on: Scene) -> None:
        await asyncio.sleep(1.003)
        begun = on.now
        on.speak(1, 1.0)
        await asyncio.sleep(1.2)
        assert on.played[0][0] - begun <= 2 * on.worker.slow_s + 0.02
        assert on.heard(1) == [n % 30_000 for n in range(48_000)]
        assert [played.last for _, played in on.played] == [False] * 49 + [True]
        assert np.diff([when for when, _ in on.played]) == pytest.approx(0.02)
        first = next(sent for sent in on.picture.sent if sent[0] == on.played[0][0])
        assert first[3], "the picture that leaves with the first sound stands alone"

    play(scene)


def test_stop_silences_at_once_and_what_follows_begins_with_a_keyframe() -> None:
    async def scene(on: Scene) -> None:
        on.speak(1, 5.0)
        await asyncio.sleep(1.0)
        position, when = on.output.stop(), on.now
        assert position == on.played[-1][1].position > 40_000
        await asyncio.sleep(0.5)
        assert on.played[-1][1].position == position
        assert next(sent for sent in on.picture.sent if sent[0] > when)[3]
        on.output.speak(1, SpeechChunk(np.ones(4800, np.int16)))
        on.output.finish(1)
        on.speak(2, 0.1)
        await asyncio.sleep(0.3)
        assert {played.utterance for _, played in on.played} == {1, 2}
        assert on.played[-1][1].last and len(on.heard(1)) == position
        assert on.output.stop() == 0

    play(scene)


def test_a_worker_that_dies_while_speaking_is_replaced_and_nothing_is_lost_or_said_twice() -> None:
    async def scene(on: Scene) -> None:
        on.output.set_mode(Mode.LISTENING)
        on.speak(1, 2.0)
        on.speak(2, 0.5)
        await asyncio.sleep(1.013)
        on.worker.die()
        died = on.now
        await asyncio.sleep(3)
        assert len(on.pool.workers) == 2
        assert on.heard(1) == [n % 30_000 for n in range(96_000)]
        assert on.heard(2) == [n % 30_000 for n in range(24_000)]
        gap = max(later - earlier for (earlier, _), (later, _) in pairwise(on.played))
        assert gap < 1.0, "speech goes on within a second"
        assert np.diff(on.sound.pts).tolist() == [960] * (len(on.sound.sent) - 1)
        resumed = next(sent for sent in on.picture.sent if sent[0] > died + on.pool.start_s)
        assert resumed[3]
        assert messages.SetMode(Mode.LISTENING) in on.worker.commands
        assert not on.failed

    play(scene)


def test_speech_given_and_taken_back_while_there_is_no_worker() -> None:
    async def scene(on: Scene) -> None:
        on.speak(1, 1.0)
        await asyncio.sleep(0.5)
        on.worker.die()
        await asyncio.sleep(0.1)
        on.output.stop()
        on.output.gesture(Gesture.NOD, 1.0)
        on.output.request_keyframe()
        on.output.set_bitrate(300_000)
        on.output.set_mode(Mode.THINKING)
        on.speak(2, 0.5)
        await asyncio.sleep(1.5)
        assert on.heard(2) == [n % 30_000 for n in range(24_000)]
        assert messages.SetBitrate(300_000) in on.worker.commands
        assert messages.SetMode(Mode.THINKING) in on.worker.commands

    play(scene)


def test_workers_that_keep_dying_are_given_up() -> None:
    async def scene(on: Scene) -> None:
        for _ in range(MAX_DEATHS):
            on.worker.die()
            await asyncio.sleep(1)
        assert len(on.pool.workers) == MAX_DEATHS
        assert [type(error) for error in on.failed] == [WorkerLost]
        on.speak(1, 1.0)
        assert on.output.stop() == 0

    play(scene)


def test_deaths_that_are_far_apart_are_accidents() -> None:
    async def scene(on: Scene) -> None:
        for _ in range(MAX_DEATHS + 1):
            on.worker.die()
            await asyncio.sleep(16)
        assert not on.failed and len(on.pool.workers) == MAX_DEATHS + 2

    play(scene)


def test_no_room_for_another_worker() -> None:
    async def scene(on: Scene) -> None:
        on.worker.die()
        await asyncio.sleep(1)
        assert [type(error) for error in on.failed] == [Busy]

    play(scene, InProcessPool(capacity=1))


def test_a_beat_that_makes_no_sense_ends_the_output_and_is_told() -> None:
    async def scene(on: Scene) -> None:
        on.worker.speak(9, SpeechChunk(np.ones(1920, np.int16)))
        await asyncio.sleep(1)
        assert [type(error) for error in on.failed] == [ValueError]

    play(scene)


def test_keyframes_on_request_but_not_more_than_a_receiver_needs() -> None:
    async def scene(on: Scene) -> None:
        await asyncio.sleep(1)
        for _ in range(5):
            on.output.request_keyframe()
        await asyncio.sleep(KEYFRAME_INTERVAL_S)
        on.output.request_keyframe()
        await asyncio.sleep(1)
        assert sum(command == messages.RequestKeyframe() for command in on.worker.commands) == 2
        assert sum(keyframe for *_, keyframe in on.picture.sent) == 3

    play(scene)


def test_commands_reach_the_worker() -> None:
    async def scene(on: Scene) -> None:
        on.output.gesture(Gesture.SMILE, 0.5)
        on.output.set_bitrate(300_000)
        on.output.set_bitrate(300_000)
        assert on.worker.commands[-2:] == [messages.MakeGesture(Gesture.SMILE, 0.5), messages.SetBitrate(300_000)]

    play(scene)


def test_ducked_speech_is_quieter() -> None:
    async def scene(on: Scene) -> None:
        on.output.speak(1, SpeechChunk(np.full(48_000, 10_000, np.int16)))
        await asyncio.sleep(0.5)
        on.output.duck(-20)
        await asyncio.sleep(0.1)
        assert max(np.frombuffer(on.played[-1][1].pcm48k, "<i2")) <= 1001

    play(scene)


def test_the_worker_is_never_far_ahead() -> None:
    async def scene(on: Scene) -> None:
        on.speak(1, 10.0)
        for _ in range(100):
            await asyncio.sleep(0.011)
            assert on.output.playback.clock.queued <= SPEAKING_BEATS

    play(scene)


def test_an_output_that_could_not_start_can_be_closed() -> None:
    async def scene() -> None:
        on = Scene(InProcessPool(capacity=0))
        with pytest.raises(Busy):
            await on.output.start()
        await on.output.close()

    run_virtually(scene())
