"""A renderer and a motion source that cost nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avatar.motion.motion import Motion
from avatar.motion.source import Gesture, Manner, Mode
from avatar.speech import BEAT_SAMPLES, SpeechChunk


class FlatRenderer:
    """Frames of one grey that follows ``jawOpen``."""

    def __init__(self, size: int = 64) -> None:
        self.width = self.height = size
        self.frames = 0

    def render(self, motion: Motion) -> list[NDArray[np.uint8]]:
        self.frames += len(motion)
        return [np.full((self.height, self.width, 3), 40 + 180 * jaw, np.uint8) for jaw in motion["jawOpen"]]


class CountingMotion:
    """Opens the jaw fully while there is speech; holds no sound."""

    def __init__(self) -> None:
        self.samples = 0
        self.most_samples = 0
        self._finished = False

    def push(self, chunk: SpeechChunk) -> None:
        self.samples += len(chunk.pcm48k)
        self.most_samples = max(self.most_samples, self.samples)

    def finish(self) -> None:
        self._finished = True

    def clear(self) -> None:
        self.samples = 0

    def ready(self) -> int:
        return self.samples // BEAT_SAMPLES + bool(self._finished and self.samples % BEAT_SAMPLES)

    def take(self, frames: int, *, speaking: bool) -> Motion:
        motion = Motion.zeros(frames)
        if speaking:
            if frames > self.ready():
                raise ValueError("more than is ready")
            self.samples = max(0, self.samples - frames * BEAT_SAMPLES)
            motion["jawOpen"][:] = 1.0
        return motion

    def set_mode(self, mode: Mode) -> None: ...

    def set_manner(self, manner: Manner) -> None: ...

    def gesture(self, gesture: Gesture, strength: float = 1.0) -> None: ...
