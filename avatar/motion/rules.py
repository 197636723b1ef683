"""``RuleMotionSource``: motion by rule. Viseme rules (or the sound) move the mouth, behaviours the rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avatar.motion.behaviour.body import Body
from avatar.motion.behaviour.scene import Scene, activity_of
from avatar.motion.motion import CHANNELS, Motion
from avatar.motion.source import Gesture, Mode
from avatar.motion.speech import coarticulation
from avatar.motion.speech.mouth import COUNT, FUNNEL, PUCKER, SEAL, to_channels
from avatar.motion.speech.track import SpeechMoment, SpeechTrack
from avatar.speech import SpeechChunk

_ONSET_EASE, _RELEASE_EASE = 0.45, 0.7
"""What is left of a jump after each frame. Into speech: 90 % gone in three frames (120 ms, JALI's ramp in).
Out of it: 90 % gone in six to seven, because an interrupted mouth shuts more slowly than a speaking one moves."""


class RuleMotionSource:
    """A ``MotionSource`` without any model.

    Discontinuities of the plan (speech begins, is interrupted, or turns out otherwise than assumed at
    a seam) are carried as an offset that dies out over a few frames ("inertialization", Bollo, GDC 2018), so the
    mouth never jumps; contacts are enforced after it, so lips still seal.

    Args:
        seed: of everything that is left to chance; the same seed and calls give the same frames.
    """

    def __init__(self, seed: int = 0) -> None:
        self._track = SpeechTrack()
        self._body = Body(seed)
        self._mode = Mode.IDLE
        self._activity = activity_of(self._mode, speaking=False)
        self._offset = np.zeros(COUNT, np.float32)
        self._mouth = np.zeros(COUNT, np.float32)
        self._speaking = False

    def push(self, chunk: SpeechChunk) -> None:
        self._plan_changed(self._track.push(chunk))

    def finish(self) -> None:
        self._plan_changed(self._track.finish())

    def _plan_changed(self, by: NDArray[np.float32]) -> None:
        if self._speaking:
            self._offset += by

    def clear(self) -> None:
        self._track.clear()

    def ready(self) -> int:
        return self._track.ready()

    def set_mode(self, mode: Mode) -> None:
        self._mode = mode

    def gesture(self, gesture: Gesture, strength: float = 1.0) -> None:
        self._body.gesture(gesture, strength)

    def take(self, frames: int, *, speaking: bool) -> Motion:
        if frames < 0:
            raise ValueError(f"cannot take {frames} frames")
        if speaking and frames > self.ready():
            raise ValueError(f"{frames} speaking frames asked for, {self.ready()} are ready")
        values = np.empty((frames, len(CHANNELS)), np.float32)
        for i in range(frames):
            self._fill(values[i], speaking)
        return Motion(values)

    def _fill(self, row: NDArray[np.float32], speaking: bool) -> None:
        moment: SpeechMoment | None = None
        sealed = touching = False
        target = np.zeros(COUNT, np.float32)
        if speaking:
            target, sealed, touching, moment = self._track.next()
        if speaking != self._speaking:
            self._speaking = speaking
            self._offset = self._mouth - target
        self._offset *= _ONSET_EASE if speaking else _RELEASE_EASE
        mouth = target + self._offset
        self._mouth = mouth
        shown = mouth[None].copy()
        coarticulation.enforce(shown, np.array([sealed]), np.array([touching]))
        row[:] = to_channels(shown)[0]

        activity = activity_of(self._mode, speaking)
        scene = Scene(activity, activity is not self._activity, moment)
        self._activity = activity
        rounding = float(shown[0, PUCKER] + shown[0, FUNNEL]) * (1.0 - float(shown[0, SEAL]))
        self._body.step(scene, row, rounding)
