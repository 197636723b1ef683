"""Sound and picture made together: 40 ms of speech (or silence) and the one frame that belongs to it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from avatar.motion.source import Gesture, Manner, Mode, MotionSource
from avatar.renderer import Renderer
from avatar.speech import BEAT_SAMPLES, SpeechChunk


@dataclass(frozen=True, slots=True)
class RenderedBeat:
    """One beat before encoding.

    Attributes:
        pcm48k: int16 [1920].
        frame: BGR uint8 [height, width, 3]; valid until the next beat is made.
        speech_samples: how many of the 1920 samples are speech (0: an idle beat).
        last: the utterance ends within this beat.
    """

    pcm48k: NDArray[np.int16]
    frame: NDArray[np.uint8]
    speech_samples: int
    last: bool


class Beats(Protocol):
    """What makes beats: ``BeatMaker``, or ``avatar.windows.WindowBeatMaker`` for renderers that draw in windows."""

    @property
    def queued_samples(self) -> int: ...

    def push(self, chunk: SpeechChunk) -> None: ...

    def finish(self) -> None: ...

    def clear(self) -> None: ...

    def set_mode(self, mode: Mode) -> None: ...

    def set_manner(self, manner: Manner) -> None: ...

    def gesture(self, gesture: Gesture, strength: float = 1.0) -> None: ...

    def speech_ready(self) -> bool: ...

    def next(self) -> RenderedBeat: ...

    def close(self) -> None:
        """No more beats are wanted."""


class SoundQueue:
    """Sound that waits for its frames."""

    def __init__(self) -> None:
        self._parts: deque[NDArray[np.int16]] = deque()
        self.samples = 0
        """How many are waiting, at 48 kHz."""

    def push(self, pcm48k: NDArray[np.int16]) -> None:
        self._parts.append(pcm48k)
        self.samples += len(pcm48k)

    def clear(self) -> None:
        self._parts.clear()
        self.samples = 0

    def take(self) -> tuple[NDArray[np.int16], int]:
        """The next 1920 samples, filled up with silence where there are fewer; and how many there were."""
        pcm = np.zeros(BEAT_SAMPLES, np.int16)
        filled = 0
        while filled < BEAT_SAMPLES and self._parts:
            head = self._parts[0]
            part = head[: BEAT_SAMPLES - filled]
            pcm[filled : filled + len(part)] = part
            filled += len(part)
            if len(part) == len(head):
                self._parts.popleft()
            else:
                self._parts[0] = head[len(part) :]
        self.samples -= filled
        return pcm, filled

    def peek(self, most: int) -> NDArray[np.int16]:
        """A copy of the first samples, at most so many."""
        found: list[NDArray[np.int16]] = [np.zeros(0, np.int16)]
        for part in self._parts:
            if most <= 0:
                break
            found.append(part[:most])
            most -= len(part)
        return np.concatenate(found)


class BeatMaker:
    """Turns pushed speech into beats, and silence into idle beats, one at a time.

    Args:
        renderer: draws the frames.
        motion: moves them.
    """

    def __init__(self, renderer: Renderer, motion: MotionSource) -> None:
        self._renderer = renderer
        self._motion = motion
        self._sound = SoundQueue()
        self._finished = True

    @property
    def queued_samples(self) -> int:
        """Speech pushed and not yet made into beats, in samples."""
        return self._sound.samples

    def push(self, chunk: SpeechChunk) -> None:
        """Speech to be spoken after what was pushed before it."""
        if len(chunk.pcm48k) == 0:
            return
        self._finished = False
        self._sound.push(chunk.pcm48k)
        self._motion.push(chunk)

    def finish(self) -> None:
        """The utterance is complete."""
        self._finished = True
        self._motion.finish()

    def clear(self) -> None:
        """Drop what was not yet made (interruption)."""
        self._sound.clear()
        self._finished = True
        self._motion.clear()

    def set_mode(self, mode: Mode) -> None:
        self._motion.set_mode(mode)

    def set_manner(self, manner: Manner) -> None:
        self._motion.set_manner(manner)

    def gesture(self, gesture: Gesture, strength: float = 1.0) -> None:
        self._motion.gesture(gesture, strength)

    def speech_ready(self) -> bool:
        """Whether the next beat will be a speaking one."""
        whole = self._sound.samples >= BEAT_SAMPLES or (self._finished and self._sound.samples > 0)
        return whole and self._motion.ready() > 0

    def next(self) -> RenderedBeat:
        """Make one beat: speech where sound and motion for it are ready, idle behaviour otherwise."""
        speaking = self.speech_ready()
        pcm, samples = self._sound.take() if speaking else (np.zeros(BEAT_SAMPLES, np.int16), 0)
        motion = self._motion.take(1, speaking=speaking)
        (frame,) = self._renderer.render(motion)
        last = speaking and self._finished and self._sound.samples == 0
        return RenderedBeat(pcm, frame, samples, last)

    def close(self) -> None:
        """Nothing here needs closing."""
