from __future__ import annotations

import numpy as np
import pytest

from avatar.motion.motion import Motion
from avatar.motion.player import MotionPlayer, as_long_as
from avatar.speech import BEAT_SAMPLES, SpeechChunk


def recorded(frames: int = 10) -> Motion:
    motion = Motion.zeros(frames)
    motion["jawOpen"][:] = np.arange(1, frames + 1) / frames
    return motion


def sound(frames: float) -> SpeechChunk:
    return SpeechChunk(np.full(int(frames * BEAT_SAMPLES), 500, np.int16))


def test_frames_come_in_order_then_rest() -> None:
    player = MotionPlayer(recorded())
    assert player.ready() == 0
    player.push(sound(4.5))
    assert player.ready() == 4
    player.finish()
    assert player.ready() == 5
    spoken = player.take(5, speaking=True)
    np.testing.assert_allclose(spoken["jawOpen"], [0.1, 0.2, 0.3, 0.4, 0.5], atol=1e-6)
    rest = player.take(20, speaking=False)["jawOpen"]
    np.testing.assert_allclose(rest[:5], [0.6, 0.7, 0.8, 0.9, 1.0], atol=1e-6)
    assert (np.diff(rest[5:]) < 0).all() and rest[-1] < 0.02


def test_no_more_is_ready_than_was_recorded() -> None:
    player = MotionPlayer(recorded(3))
    player.push(sound(10))
    assert player.ready() == 3
    with pytest.raises(ValueError, match="4 speaking frames"):
        player.take(4, speaking=True)
    with pytest.raises(ValueError, match="-1"):
        player.take(-1, speaking=False)
    player.clear()
    assert player.ready() == 0


def test_the_recording_is_not_changed() -> None:
    motion = recorded()
    player = MotionPlayer(motion)
    player.take(5, speaking=False).values[:] = 7
    assert motion.values.max() == 1.0


@pytest.mark.parametrize("frames", [0, 3.2, 10, 25])
def test_sound_is_made_as_long_as_the_motion(frames: float) -> None:
    chunks = list(as_long_as([sound(frames)] if frames else [], recorded(), "en"))
    pcm = np.concatenate([chunk.pcm48k for chunk in chunks])
    assert len(pcm) == 10 * BEAT_SAMPLES
    heard = int(min(frames, 10) * BEAT_SAMPLES)
    assert (pcm[:heard] == 500).all() and not pcm[heard:].any()
