"""Gesture commands laid over generated motion: the head's and brows' part is added, a commanded hand takes over from a generated one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.motion.behaviour.curves import ease
from avatar.motion.behaviour.gestures import Gestures
from avatar.motion.generator.state import AT
from avatar.motion.motion import INDEX
from avatar.motion.source import Gesture

_RIGHT_HAND = slice(INDEX["handRight0X"], INDEX["handRight20Y"] + 1)
_RIGHT_SCORE = INDEX["handRightScore"]

_HAND_OVER_FRAMES = 10
"""A hand that is up already travels to where the gesture has it, and back, in 400 ms."""
_OUTER_BROW_SHARE = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """What gestures ask of one frame.

    Attributes:
        pitch, yaw, roll: degrees, of the head.
        smile, brows: weights.
        hand: where the right hand is to be, float32 [42]; None where no gesture has it.
        hand_score: of that hand.
        taken: how far a generated hand has been taken over, 0..1.
    """

    pitch: float
    yaw: float
    roll: float
    smile: float
    brows: float
    hand: NDArray[np.float32] | None
    hand_score: float
    taken: float

    def add(self, state: NDArray[np.float32]) -> None:
        """To the frame's state, float32 [D]: eyes stay on their target, since the state holds them in the room."""
        state[AT["head_pitch"]] += self.pitch
        state[AT["head_yaw"]] += self.yaw
        state[AT["head_roll"]] += self.roll
        state[AT["smile"]] += self.smile
        state[AT["brow_inner"]] += self.brows
        state[AT["brow_outer"]] += _OUTER_BROW_SHARE * self.brows

    def place(self, values: NDArray[np.float32]) -> None:
        """The right hand in the frame's ``Motion`` values, float32 [channels]."""
        if self.hand is None:
            return
        shown = float(values[_RIGHT_SCORE])
        share = self.taken if shown > 0.0 else 1.0  # a hand that is not seen is where the gesture begins
        values[_RIGHT_HAND] += np.float32(share) * (self.hand - values[_RIGHT_HAND])
        values[_RIGHT_SCORE] = (1.0 - share) * shown + share * self.hand_score


class GestureOverlay:
    """Gestures under way: ``step`` gives each frame's part."""

    def __init__(self) -> None:
        self._gestures = Gestures()
        self._hand: NDArray[np.float32] | None = None
        self._frames = 0

    def start(self, gesture: Gesture, strength: float) -> None:
        """Begin a gesture with the next frame.

        Raises:
            ValueError: strength is not within 0..1.
        """
        self._gestures.start(gesture, strength)

    def step(self) -> Overlay:
        now = self._gestures
        now.step()
        if now.hand is not None:
            self._hand = now.hand.ravel().astype(np.float32)
        self._frames = min(max(self._frames + (1 if now.hand is not None else -1), 0), _HAND_OVER_FRAMES)
        if self._frames == 0:
            self._hand = None
        taken = ease(self._frames / _HAND_OVER_FRAMES)
        return Overlay(now.pitch, now.yaw, now.roll, now.smile, now.brows, self._hand, now.hand_score, taken)
