"""``RuleMotionSource``: motion by rule. Viseme rules (or the sound) move the mouth, behaviours the rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avatar.motion.behaviour.body import Body
from avatar.motion.behaviour.scene import Activity, Scene, activity_of
from avatar.motion.motion import CHANNELS, Motion
from avatar.motion.source import Gesture, Mode
from avatar.motion.speech import coarticulation
from avatar.motion.speech.mouth import COUNT, FUNNEL, PUCKER, SEAL, to_channels
from avatar.motion.speech.track import SpeechFrame, SpeechTrack
from avatar.speech import SpeechChunk

_ONSET_EASE, _RELEASE_EASE = 0.45, 0.7
"""What is left of a jump after each frame. Into speech: 90 % gone in three frames (120 ms, JALI's ramp in).
Out of it: 90 % gone in six to seven, because an interrupted mouth shuts more slowly than a speaking one moves."""

_PATIENCE_FRAMES = 15
"""A voice that is late by up to 600 ms in the middle of an utterance has not stopped speaking: eyes and head stay with it."""

_REST = np.zeros(COUNT, np.float32)


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
        self._silent_frames = 0
        self._manner = (False, False)
        self._offset = np.zeros(COUNT, np.float32)
        self._mouth = np.zeros(COUNT, np.float32)

    def push(self, chunk: SpeechChunk) -> None:
        self._plan_changed(self._track.push(chunk))

    def finish(self) -> None:
        self._plan_changed(self._track.finish())

    def _plan_changed(self, by: NDArray[np.float32]) -> None:
        if self._manner[0]:
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
        frame = self._track.next() if speaking else None
        rounding = self._move_mouth(row, frame)
        self._silent_frames = 0 if speaking else self._silent_frames + 1
        waiting = self._track.expects_more and self._silent_frames <= _PATIENCE_FRAMES
        activity = activity_of(self._mode, speaking or (waiting and self._activity is Activity.SPEAKING))
        scene = Scene(activity, activity is not self._activity, frame.moment if frame else None)
        self._activity = activity
        self._body.step(scene, row, rounding)

    def _move_mouth(self, row: NDArray[np.float32], frame: SpeechFrame | None) -> float:
        """Write the mouth; returns how rounded it is."""
        target = frame.mouth if frame else _REST
        manner = (frame is not None, frame is not None and frame.timed)
        if manner != self._manner:  # speech begins, ends, or changes between timings and sound
            self._manner = manner
            self._offset = self._mouth - target
        self._offset *= _ONSET_EASE if frame else _RELEASE_EASE
        self._mouth = target + self._offset
        shown = self._mouth[None].copy()
        if frame:
            coarticulation.enforce(shown, np.array([frame.sealed]), np.array([frame.touching]))
        row[:] = to_channels(shown)[0]
        return float(shown[0, PUCKER] + shown[0, FUNNEL]) * (1.0 - float(shown[0, SEAL]))
