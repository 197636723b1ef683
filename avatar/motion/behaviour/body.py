"""All behaviours together: one row of ``Motion`` a frame, without the speaking mouth."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from avatar.motion.behaviour.blinks import Blinks, lid_drop
from avatar.motion.behaviour.breathing import Breathing
from avatar.motion.behaviour.expression import Expression
from avatar.motion.behaviour.gaze import EYE_RANGE_DEG, Gaze
from avatar.motion.behaviour.gestures import Gestures
from avatar.motion.behaviour.head import Head
from avatar.motion.behaviour.scene import Scene
from avatar.motion.motion import INDEX
from avatar.motion.source import Gesture

_SHOULDER_LIFT = 0.22
"""Shoulders rise with a full breath, share of their range."""

_RIGHT_HAND = slice(INDEX["handRight0X"], INDEX["handRight20Y"] + 1)
_I = INDEX


class Body:
    """Behaviours of one avatar, seeded; each has a random stream of its own, so none disturbs another."""

    def __init__(self, seed: int) -> None:
        def stream(name: str) -> random.Random:
            return random.Random(f"{seed}/{name}")

        self._blinks = Blinks(stream("blinks"))
        self._gaze = Gaze(stream("gaze"))
        self._head = Head(stream("head"), np.random.default_rng([abs(seed), 1]))
        self._breathing = Breathing(stream("breathing"))
        self._expression = Expression(stream("expression"), np.random.default_rng([abs(seed), 2]))
        self._gestures = Gestures()

    def set_mood(self, mood: float) -> None:
        """-1 grave .. 1 cheerful."""
        self._expression.mood = mood

    def gesture(self, gesture: Gesture, strength: float) -> None:
        self._gestures.start(gesture, strength)

    def step(self, scene: Scene, row: NDArray[np.float32], rounding: float) -> None:
        """Fill the next frame's face, head, breath and hand channels of ``row``, float32 [len(CHANNELS)].

        Args:
            scene: the present.
            row: holds the speaking mouth; smiles are added to it.
            rounding: how rounded the speaking lips are, 0..1 (rounded lips smile less).
        """
        self._gaze.step(scene)
        self._gestures.step()
        self._expression.step(scene)
        self._place_head(scene, row)
        self._place_eyes(scene, row)
        self._place_face(row, rounding)
        breath = self._breathing.step(scene)
        row[_I["breath"]] = breath
        row[_I["shoulderLeft"]] = row[_I["shoulderRight"]] = _SHOULDER_LIFT * breath
        if self._gestures.hand is not None:
            row[_RIGHT_HAND] = self._gestures.hand.ravel()
            row[_I["handRightScore"]] = self._gestures.hand_score

    def _place_head(self, scene: Scene, row: NDArray[np.float32]) -> None:
        pose = self._head.step(scene, self._gaze.head_yaw, self._gaze.head_pitch)
        row[_I["headYaw"]] = pose.yaw + self._gestures.yaw
        row[_I["headPitch"]] = pose.pitch + self._gestures.pitch
        row[_I["headRoll"]] = pose.roll + self._gestures.roll
        row[_I["headX"]], row[_I["headY"]], row[_I["headZ"]] = pose.x, pose.y, pose.z

    def _place_eyes(self, scene: Scene, row: NDArray[np.float32]) -> None:
        yaw = (self._gaze.yaw - float(row[_I["headYaw"]])) / EYE_RANGE_DEG
        pitch = (self._gaze.pitch - float(row[_I["headPitch"]])) / EYE_RANGE_DEG
        left, right = min(max(yaw, 0.0), 1.0), min(max(-yaw, 0.0), 1.0)
        row[_I["eyeLookOutLeft"]] = row[_I["eyeLookInRight"]] = left
        row[_I["eyeLookInLeft"]] = row[_I["eyeLookOutRight"]] = right
        row[_I["eyeLookUpLeft"]] = row[_I["eyeLookUpRight"]] = min(max(pitch, 0.0), 1.0)
        row[_I["eyeLookDownLeft"]] = row[_I["eyeLookDownRight"]] = min(max(-pitch, 0.0), 1.0)
        lids = self._blinks.step(scene, gaze_shift=self._gaze.shifted)
        drop = lid_drop(pitch * EYE_RANGE_DEG)
        row[_I["eyeBlinkLeft"]] = row[_I["eyeBlinkRight"]] = min(max(lids, drop), 1.0)

    def _place_face(self, row: NDArray[np.float32], rounding: float) -> None:
        expression, gestures = self._expression, self._gestures
        smile = min(expression.smile + gestures.smile, 0.8) * (1.0 - 0.7 * min(rounding, 1.0))
        for side in ("Left", "Right"):
            index = _I["mouthSmile" + side]
            row[index] = min(float(row[index]) + smile, 1.0)
            index = _I["mouthPress" + side]
            row[index] = min(float(row[index]) + expression.press, 1.0)
            row[_I["cheekSquint" + side]] = 0.6 * smile
            row[_I["eyeSquint" + side]] = 0.35 * smile
            row[_I["browOuterUp" + side]] = min(expression.brow_outer + 0.8 * gestures.brows, 1.0)
            row[_I["browDown" + side]] = expression.brow_down
        row[_I["mouthRollLower"]] = min(float(row[_I["mouthRollLower"]]) + 0.6 * expression.press, 1.0)
        row[_I["browInnerUp"]] = min(expression.brow_inner + gestures.brows, 1.0)
