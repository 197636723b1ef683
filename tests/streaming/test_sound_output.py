from __future__ import annotations

import asyncio

import numpy as np
import pytest

from avatar.motion.source import Gesture, Manner, Mode
from avatar.speech import SpeechChunk
from streaming.output import Played
from streaming.sound_output import LEAD_S, SoundOutput
from tests.streaming.test_playback import RecordingTrack
from tests.virtual_time import run_virtually


def ramp(samples: int, start: int = 0) -> SpeechChunk:
    return SpeechChunk((np.arange(start, start + samples) % 30_000).astype(np.int16))


class Listener:
    def __init__(self, output: SoundOutput) -> None:
        self.played: list[tuple[float, Played]] = []
        output.on_played = lambda played: self.played.append((asyncio.get_running_loop().time(), played))

    @property
    def sound(self) -> list[int]:
        return [int(s) for _, played in self.played for s in np.frombuffer(played.pcm48k, "<i2")]


def test_speech_comes_whole_and_ahead_of_time_by_the_lead_and_no_more() -> None:
    async def scene() -> None:
        output = SoundOutput()
        listener = Listener(output)
        await output.start()
        await asyncio.sleep(1)
        output.speak(1, ramp(20_000))
        output.speak(1, ramp(28_100, 20_000))
        output.finish(1)
        await asyncio.sleep(2)
        await output.close()
        assert listener.sound == [int(s) for s in ramp(48_100).pcm48k]
        assert [played.last for _, played in listener.played] == [False] * 50 + [True]
        assert listener.played[-1][1].position == 48_100
        first = listener.played[0][0]
        assert first == pytest.approx(1, abs=0.021)
        for when, played in listener.played:
            ahead = (played.position - 960) / 48_000 - (when - first)
            assert ahead <= LEAD_S + 1e-6
        assert listener.played[-1][0] == pytest.approx(first + 1 - LEAD_S, abs=0.03)

    run_virtually(scene())


def test_into_a_track_there_is_no_lead_and_silence_is_sent_too() -> None:
    async def scene() -> None:
        track = RecordingTrack()
        output = SoundOutput(track)
        listener = Listener(output)
        await output.start()
        output.speak(1, ramp(4800))
        output.finish(1)
        await asyncio.sleep(0.2)
        await output.close()
        assert track.pts == [960 * n for n in range(11)] or track.pts == [960 * n for n in range(10)]
        assert [when for when, _ in listener.played] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1])

    run_virtually(scene())


def test_stop_tells_what_left_and_nothing_of_it_leaves_again() -> None:
    async def scene() -> None:
        output = SoundOutput(RecordingTrack())
        listener = Listener(output)
        await output.start()
        output.speak(1, ramp(96_000))
        await asyncio.sleep(0.5)
        position = output.stop()
        assert position == listener.played[-1][1].position > 0
        output.speak(1, ramp(9600))
        output.finish(1)
        await asyncio.sleep(0.5)
        assert listener.played[-1][1].position == position
        output.speak(2, ramp(960))
        output.finish(2)
        await asyncio.sleep(0.1)
        assert listener.played[-1][1].utterance == 2 and listener.played[-1][1].last
        assert output.stop() == 0
        await output.close()

    run_virtually(scene())


def test_an_utterance_without_sound_is_over_too() -> None:
    async def scene() -> None:
        output = SoundOutput()
        listener = Listener(output)
        await output.start()
        output.finish(1)
        output.finish(1)
        await asyncio.sleep(0.1)
        await output.close()
        assert [played for _, played in listener.played] == [Played(1, 0, b"", True)]

    run_virtually(scene())


def test_ducking_and_what_nobody_sees() -> None:
    async def scene() -> None:
        output = SoundOutput()
        listener = Listener(output)
        await output.start()
        output.set_mode(Mode.LISTENING)
        output.gesture(Gesture.NOD, 1.0)
        output.set_manner(Manner(0.5))
        output.duck(-20)
        await asyncio.sleep(0.05)
        output.speak(1, SpeechChunk(np.full(1920, 10_000, np.int16)))
        await asyncio.sleep(0.1)
        await output.close()
        assert max(listener.sound) <= 1001 and output.playback.clock.stalled_slots > 0

    run_virtually(scene())
