"""``RuleMotionSource``: motion by rule. Viseme rules (or the sound) move the mouth, behaviours the rest.

The baseline that the learned source is measured against, and what takes its place where its weights are not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avatar.motion.behaviour.body import Body
from avatar.motion.behaviour.scene import PATIENCE_FRAMES, Activity, Scene, activity_of
from avatar.motion.motion import CHANNELS, Motion
from avatar.motion.source import Gesture, Manner, Mode
from avatar.motion.speech import coarticulation
from avatar.motion.speech.easing import EasedMouth
from avatar.motion.speech.mouth import FUNNEL, PUCKER, SEAL, to_channels
from avatar.motion.speech.track import SpeechFrame, SpeechTrack
from avatar.speech import SpeechChunk


class RuleMotionSource:
    """A ``MotionSource`` without any model.

    Args:
        seed: of everything that is left to chance; the same seed and calls give the same frames.
    """

    def __init__(self, seed: int = 0) -> None:
        self._track = SpeechTrack()
        self._body = Body(seed)
        self._mode = Mode.IDLE
        self._activity = activity_of(self._mode, speaking=False)
        self._silent_frames = 0
        self._mouth = EasedMouth()

    def push(self, chunk: SpeechChunk) -> None:
        self._mouth = self._mouth.replanned(self._track.push(chunk))

    def finish(self) -> None:
        self._mouth = self._mouth.replanned(self._track.finish())

    def clear(self) -> None:
        self._track.clear()

    def ready(self) -> int:
        return self._track.ready()

    def set_mode(self, mode: Mode) -> None:
        self._mode = mode

    def set_manner(self, manner: Manner) -> None:
        """The mood shows in smile and brows; rules move no hands."""
        self._body.set_mood(manner.mood)

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
        waiting = self._track.expects_more and self._silent_frames <= PATIENCE_FRAMES
        activity = activity_of(self._mode, speaking or (waiting and self._activity is Activity.SPEAKING))
        scene = Scene(activity, activity is not self._activity, frame.moment if frame else None)
        self._activity = activity
        self._body.step(scene, row, rounding)

    def _move_mouth(self, row: NDArray[np.float32], frame: SpeechFrame | None) -> float:
        """Write the mouth; returns how rounded it is."""
        self._mouth = self._mouth.next(frame.planned.mouth if frame else None, timed=frame is not None and frame.timed)
        shown = self._mouth.mouth[None].copy()
        if frame:
            planned = frame.planned
            coarticulation.enforce(shown, np.array([planned.sealed]), np.array([planned.touching]))
        row[:] = to_channels(shown)[0]
        return float(shown[0, PUCKER] + shown[0, FUNNEL]) * (1.0 - float(shown[0, SEAL]))
