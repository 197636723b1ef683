from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from streaming.clock import SLOT_S, Release
from streaming.playback import Playback
from tests.streaming.test_clock import beat
from tests.virtual_time import run_virtually


@dataclass
class RecordingTrack:
    """Attributes:
    sent: (when, data, pts, keyframe).
    """

    sent: list[tuple[float, bytes, int, bool]] = field(default_factory=list)

    def send(self, data: bytes, pts: int, *, keyframe: bool = True) -> None:
        self.sent.append((asyncio.get_running_loop().time(), data, pts, keyframe))

    @property
    def times(self) -> list[float]:
        return [when for when, _, _, _ in self.sent]

    @property
    def pts(self) -> list[int]:
        return [pts for _, _, pts, _ in self.sent]


def test_sound_leaves_every_20_ms_and_the_picture_with_its_sound() -> None:
    async def scene() -> None:
        sound, picture = RecordingTrack(), RecordingTrack()
        playback = Playback(sound=sound, picture=picture)
        playback.offer(beat(1, keyframe=True))
        playback.start()
        await asyncio.sleep(0.05)
        playback.offer(beat(1, 1920))
        await asyncio.sleep(0.04)
        playback.close()
        assert sound.pts == [0, 960, 1920, 2880, 3840]
        assert sound.times == pytest.approx([0, 0.02, 0.04, 0.06, 0.08])
        assert all(data for _, data, _, _ in sound.sent)
        assert picture.sent[0] == (0, b"picture", 0, True)
        assert picture.times == pytest.approx([0, 0.06]) and picture.pts == [0, 5400]
        assert max(playback.lateness_s) < 1e-6

    run_virtually(scene())


def test_a_beat_that_is_due_earlier_than_silence_wakes_the_clock() -> None:
    async def scene() -> None:
        released: list[tuple[float, Release]] = []
        playback = Playback(sound=None, picture=None, lead_s=0.2)
        playback.on_release = lambda release: released.append((asyncio.get_running_loop().time(), release))
        playback.start()
        await asyncio.sleep(0.001)
        playback.offer(beat(1))
        await asyncio.sleep(0.001)
        playback.close()
        spoken = [when for when, release in released if release.utterance]
        assert spoken == pytest.approx([0.001, 0.001])

    run_virtually(scene())


def test_a_beat_offered_by_a_callback_does_not_double_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        playback = Playback(sound=None, picture=None, lead_s=0.2)
        wake_ups = 0
        tick = playback._tick

        def count() -> None:
            nonlocal wake_ups
            wake_ups += 1
            tick()

        def offer_once(release: Release) -> None:
            if release.pts_48k == 4800:
                playback.offer(beat(1, last=True))

        monkeypatch.setattr(playback, "_tick", count)
        playback.on_release = offer_once
        playback.start()
        await asyncio.sleep(0.999)
        assert wake_ups <= 51
        playback.close()
        before = wake_ups
        await asyncio.sleep(1)
        assert wake_ups == before

    run_virtually(scene())


def test_a_callback_may_close_or_fail_and_playback_is_not_left_half_way() -> None:
    async def scene() -> None:
        playback = Playback(sound=None, picture=None)
        calls = 0

        def fail_then_close(release: Release) -> None:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise ZeroDivisionError
            if calls == 3:
                playback.close()

        loop = asyncio.get_running_loop()
        errors: list[object] = []
        loop.set_exception_handler(lambda loop, context: errors.append(context["exception"]))
        playback.on_release = fail_then_close
        playback.start()
        await asyncio.sleep(10 * SLOT_S)
        assert calls == 3
        assert [type(error) for error in errors] == [ZeroDivisionError]

    run_virtually(scene())
