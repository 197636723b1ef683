"""``MotionPlayer``: motion that exists already, frame after frame (pose-driven mode)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from avatar.motion.motion import Motion
from avatar.motion.source import Gesture, Manner, Mode
from avatar.speech import BEAT_SAMPLES, SpeechChunk

_RELEASE_EASE = 0.75
"""What is left of the last frame after each frame past the end: at rest within half a second."""


class MotionPlayer:
    """A ``MotionSource`` that plays recorded motion and takes no commands.

    Every frame taken is the next of the recording, whether it speaks or not; past its end it comes to rest.
    Speech that goes on longer than the recording has no frames ready.

    Args:
        motion: to be played, at 25 Hz.
    """

    def __init__(self, motion: Motion) -> None:
        self._motion = motion
        self._next = 0
        self._pushed = 0
        self._spoken = 0
        self._finished = False

    def push(self, chunk: SpeechChunk) -> None:
        self._finished = False
        self._pushed += len(chunk.pcm48k)

    def finish(self) -> None:
        self._finished = True

    def clear(self) -> None:
        self._pushed = self._spoken = 0

    def ready(self) -> int:
        left = self._pushed - self._spoken * BEAT_SAMPLES
        frames = -(-left // BEAT_SAMPLES) if self._finished else left // BEAT_SAMPLES
        return max(0, min(frames, len(self._motion) - self._next))

    def take(self, frames: int, *, speaking: bool) -> Motion:
        if frames < 0:
            raise ValueError(f"cannot take {frames} frames")
        if speaking:
            if frames > self.ready():
                raise ValueError(f"{frames} speaking frames asked for, {self.ready()} are ready")
            self._spoken += frames
        at = np.arange(self._next, self._next + frames)
        self._next += frames
        last = len(self._motion) - 1
        values = self._motion.values[np.minimum(at, last)].copy()
        values *= (_RELEASE_EASE ** np.maximum(at - last, 0))[:, None].astype(np.float32)
        return Motion(values)

    def set_mode(self, mode: Mode) -> None:
        """Recorded motion has no modes."""

    def set_manner(self, manner: Manner) -> None:
        """Recorded motion has its own."""

    def gesture(self, gesture: Gesture, strength: float = 1.0) -> None:
        """Recorded motion takes no commands."""


def as_long_as(speech: Iterable[SpeechChunk], motion: Motion, language: str) -> Iterator[SpeechChunk]:
    """Speech cut, or followed by silence, to the length of a recorded motion; without speech all of it is silence."""
    left = len(motion) * BEAT_SAMPLES
    for chunk in speech:
        pcm = chunk.pcm48k[:left]
        if len(pcm):
            yield SpeechChunk(pcm, chunk.language, chunk.phonemes)
        left -= len(pcm)
        if left == 0:
            return
    while left:
        pcm = np.zeros(min(left, 25 * BEAT_SAMPLES), np.int16)
        yield SpeechChunk(pcm, language)
        left -= len(pcm)
