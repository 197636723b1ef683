"""Gesture commands as movements that merge into whatever is running.

A portrait shows what a portrait can: head, brows, smile. Waving and pointing also move the right hand for renderers
that draw hands.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from avatar.motion.behaviour.curves import Moves, bump, ease, oscillation
from avatar.motion.behaviour.hands import point, wave
from avatar.motion.behaviour.scene import FRAME_S
from avatar.motion.source import Gesture

_NOD_DEG, _SHAKE_DEG, _TILT_DEG = 5.0, 6.5, 2.2
_WAVE_S, _POINT_S = 2.4, 2.2
_FADE_S = 0.16

_HandPath = Callable[[float, float], NDArray[np.float64]]


class Gestures:
    """``step`` advances a frame; the attributes are this frame's sums (degrees, weights 0..1)."""

    def __init__(self) -> None:
        self._pitch, self._yaw, self._roll = Moves(), Moves(), Moves()
        self._smile, self._brows = Moves(), Moves()
        self._path: _HandPath | None = None
        self._strength = 0.0
        self._hand_s = 0.0
        self._length_s = 0.0
        self.pitch = self.yaw = self.roll = self.smile = self.brows = 0.0
        self.hand: NDArray[np.float64] | None = None
        self.hand_score = 0.0

    def start(self, gesture: Gesture, strength: float) -> None:
        """Begin a gesture with the next frame.

        Raises:
            ValueError: strength is not within 0..1.
        """
        if not 0.0 <= strength <= 1.0 or not math.isfinite(strength):
            raise ValueError(f"gesture strength must be within 0..1, got {strength}")
        match gesture:
            case Gesture.NOD:
                self._pitch.start([-v for v in oscillation(2.0, 1.8)], _NOD_DEG * strength)
            case Gesture.SHAKE:
                self._yaw.start(oscillation(2.5, 1.7), _SHAKE_DEG * strength)
            case Gesture.SMILE:
                self._smile.start(bump(0.4, 1.4, 0.8), 0.55 * strength)
                self._brows.start(bump(0.4, 0.4, 0.8), 0.12 * strength)
            case Gesture.WAVE:
                self._roll.start(bump(0.4, 1.2, 0.6), _TILT_DEG * strength)
                self._smile.start(bump(0.4, 1.4, 0.8), 0.4 * strength)
                self._brows.start(bump(0.2, 0.3, 0.5), 0.4 * strength)
                self._move_hand(wave, _WAVE_S, strength)
            case Gesture.POINT:
                self._pitch.start(bump(0.24, 0.1, 0.5), -3.0 * strength)
                self._yaw.start(bump(0.4, 0.9, 0.6), -3.5 * strength)  # towards what is pointed at
                self._brows.start(bump(0.2, 0.3, 0.5), 0.35 * strength)
                self._move_hand(point, _POINT_S, strength)

    def _move_hand(self, path: _HandPath, length_s: float, strength: float) -> None:
        if self._path is None:  # a hand that is already up finishes what it does
            self._path, self._length_s, self._strength, self._hand_s = path, length_s, strength, 0.0

    def step(self) -> None:
        self.pitch, self.yaw, self.roll = self._pitch.step(), self._yaw.step(), self._roll.step()
        self.smile, self.brows = self._smile.step(), self._brows.step()
        self.hand, self.hand_score = None, 0.0
        if self._path is None:
            return
        self._hand_s += FRAME_S
        if self._hand_s >= self._length_s:
            self._path = None
            return
        self.hand = self._path(self._hand_s / self._length_s, self._strength)
        self.hand_score = ease(self._hand_s / _FADE_S) * ease((self._length_s - self._hand_s) / _FADE_S)
