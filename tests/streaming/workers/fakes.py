"""A beat maker without a persona: a moving grey ramp, and speech that moves nothing."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
from numpy.typing import NDArray

from avatar.beats import BeatMaker
from avatar.errors import PersonaError, RendererBusy
from avatar.motion.motion import Motion
from avatar.motion.source import Gesture, Manner, Mode
from avatar.speech import BEAT_SAMPLES, SpeechChunk
from streaming.workers.pool import WorkerSpec


class FakeRenderer:
    """Frames whose brightness is the jaw's opening."""

    def __init__(self, size: int) -> None:
        self.width = self.height = size
        self._ramp = np.tile(np.arange(size, dtype=np.uint8)[None, :, None], (size, 1, 3))

    def render(self, motion: Motion) -> list[NDArray[np.uint8]]:
        return [np.roll(self._ramp, int(100 * jaw), 1) for jaw in motion["jawOpen"]]


class FakeMotion:
    """Every pushed 40 ms can be taken at once."""

    def __init__(self) -> None:
        self._samples = 0
        self._finished = False
        self.modes: list[Mode] = []
        self.gestures: list[Gesture] = []
        self.manners: list[Manner] = []

    def push(self, chunk: SpeechChunk) -> None:
        self._samples += len(chunk.pcm48k)
        self._finished = False

    def finish(self) -> None:
        self._finished = True

    def clear(self) -> None:
        self._samples = 0

    def ready(self) -> int:
        return -(-self._samples // BEAT_SAMPLES) if self._finished else self._samples // BEAT_SAMPLES

    def take(self, frames: int, *, speaking: bool) -> Motion:
        motion = Motion.zeros(frames)
        if speaking:
            self._samples = max(0, self._samples - frames * BEAT_SAMPLES)
            motion["jawOpen"][:] = 0.5
        return motion

    def set_mode(self, mode: Mode) -> None:
        self.modes.append(mode)

    def set_manner(self, manner: Manner) -> None:
        self.manners.append(manner)

    def gesture(self, gesture: Gesture, strength: float = 1.0) -> None:
        self.gestures.append(gesture)


def make_beat_maker(spec: WorkerSpec) -> BeatMaker:
    return BeatMaker(FakeRenderer(spec.size), FakeMotion())


def make_damaged(spec: WorkerSpec) -> BeatMaker:
    raise PersonaError("The persona folder /nowhere is damaged: no manifest.")


def make_dying(spec: WorkerSpec) -> BeatMaker:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def make_stuck(spec: WorkerSpec) -> BeatMaker:
    """Renders two beats, then never returns."""

    class Stuck(FakeRenderer):
        left = 2

        def render(self, motion: Motion) -> list[NDArray[np.uint8]]:
            self.left -= 1
            if self.left < 0:
                time.sleep(3600)
            return super().render(motion)

    return BeatMaker(Stuck(spec.size), FakeMotion())


def make_full(spec: WorkerSpec) -> BeatMaker:
    raise RendererBusy("The device draws two conversations in time, and that many are there.")


def make_optional(spec: WorkerSpec) -> BeatMaker:
    raise PersonaError(f"steps {spec.options['steps']}, half true {spec.options['half']}")


_told: list[str] = []


def make_telling(spec: WorkerSpec) -> BeatMaker:
    """One at a time in a process; the next may come when ``close`` was called."""

    class Telling(BeatMaker):
        def close(self) -> None:
            _told.clear()

    if _told:
        raise RendererBusy("one is there")
    _told.append("open")
    return Telling(FakeRenderer(spec.size), FakeMotion())
