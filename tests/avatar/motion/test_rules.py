"""The rule source as a MotionSource: counting, determinism, streaming, no jumps."""

from __future__ import annotations

import numpy as np
import pytest

from avatar.motion.motion import CHANNELS
from avatar.motion.rules import RuleMotionSource
from avatar.motion.source import Gesture, Mode
from avatar.speech import Phoneme, SpeechChunk


def chunk(samples: int, phonemes: tuple[Phoneme, ...] | None = ()) -> SpeechChunk:
    return SpeechChunk(np.zeros(samples, np.int16), "en", phonemes)


def test_speaking_frames_are_the_sound_rounded_up() -> None:
    source = RuleMotionSource()
    source.push(chunk(1920 * 3 + 1))
    assert source.ready() == 3
    source.finish()
    assert source.ready() == 4
    assert source.take(4, speaking=True).values.shape == (4, len(CHANNELS))
    assert source.ready() == 0


def test_more_than_ready_is_refused() -> None:
    source = RuleMotionSource()
    source.push(chunk(1920))
    with pytest.raises(ValueError, match="2 speaking frames asked for, 1 are ready"):
        source.take(2, speaking=True)


def test_modes_and_gestures_run() -> None:
    source = RuleMotionSource(3)
    for mode in Mode:
        source.set_mode(mode)
        for gesture in Gesture:
            source.gesture(gesture)
            assert np.isfinite(source.take(60, speaking=False).values).all()
