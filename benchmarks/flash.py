"""Beats whose sound and picture can be told apart to the millisecond: what is spoken is replaced by test signals.

Given to the workers in place of a persona (``PARLEY_BENCH_BEATS``, see ``benchmarks.scripted_server``). Everything
around them (voice, queues, clock, encoders, packets) is the product's own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.beats import BeatMaker, RenderedBeat
from avatar.motion.motion import Motion
from avatar.motion.rules import RuleMotionSource
from avatar.speech import BEAT_SAMPLES, SPEECH_RATE_HZ
from streaming.workers.beat_maker import make_beat_maker
from streaming.workers.pool import WorkerSpec

PERIOD_BEATS = 25
"""A flash and a click a second."""
FLASH_BEATS = 3
"""How long the picture stays white: a browser that drops one frame of the three still shows the flash."""
CLICK_MS = 10
CLICK_HZ = 1000
TONE_HZ = 450
"""Whole periods in a beat: no click where two meet."""
LOUD = 12_000


class FlashBeats(BeatMaker):
    """Once a second of speech the picture turns white and a click is heard, in the same beat; else it is dark and still."""

    def __init__(self, size: int) -> None:
        super().__init__(_Screen(size), RuleMotionSource(seed=0))
        self._dark = np.full((size, size, 3), 16, np.uint8)
        self._white = np.full((size, size, 3), 235, np.uint8)
        self._spoken = 0

    def next(self) -> RenderedBeat:
        beat = super().next()
        if not beat.speech_samples:
            return beat
        since = self._spoken % PERIOD_BEATS
        self._spoken += 1
        pcm = np.zeros(BEAT_SAMPLES, np.int16)
        if since == 0:
            pcm[: len(CLICK)] = CLICK
        frame = self._white if since < FLASH_BEATS else self._dark
        return RenderedBeat(pcm, frame, BEAT_SAMPLES, beat.last)


class _Screen:
    """A renderer of darkness."""

    def __init__(self, size: int) -> None:
        self.width = self.height = size
        self._frame = np.full((size, size, 3), 16, np.uint8)

    def render(self, motion: Motion) -> list[NDArray[np.uint8]]:
        return [self._frame] * len(motion.values)


class ToneBeats:
    """A persona's ``BeatMaker`` as ever, but for a steady tone wherever there is speech: its loudness in the browser
    shows the gain, and nothing else."""

    def __init__(self, maker: BeatMaker) -> None:
        self._maker = maker

    def __getattr__(self, name: str) -> Any:
        return getattr(self._maker, name)

    def next(self) -> RenderedBeat:
        beat = self._maker.next()
        pcm = np.zeros(BEAT_SAMPLES, np.int16)
        pcm[: beat.speech_samples] = TONE[: beat.speech_samples]
        return replace(beat, pcm48k=pcm)


def make_flash(spec: WorkerSpec) -> FlashBeats:
    return FlashBeats(spec.size)


def make_tone(spec: WorkerSpec) -> ToneBeats:
    """Raises as ``make_beat_maker`` does."""
    return ToneBeats(make_beat_maker(spec))


def _sine(hz: float, samples: int) -> NDArray[np.int16]:
    wave = np.sin(2 * np.pi * hz * np.arange(samples) / SPEECH_RATE_HZ)
    return (LOUD * wave).astype(np.int16)


CLICK = _sine(CLICK_HZ, SPEECH_RATE_HZ * CLICK_MS // 1000)
TONE = _sine(TONE_HZ, BEAT_SAMPLES)
