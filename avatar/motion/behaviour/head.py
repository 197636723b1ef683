"""The head: slow sway, a share of every gaze shift, nods while listening, nods on stressed syllables."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from avatar.motion.behaviour.curves import Glide, Moves, bump, oscillation
from avatar.motion.behaviour.noise import SmoothNoise
from avatar.motion.behaviour.scene import FRAME_S, Activity, Scene

YAW_LIMIT_DEG, PITCH_LIMIT_DEG, ROLL_LIMIT_DEG = 7.0, 6.0, 3.0
"""Beyond these a portrait warped from one picture shows straight background lines bending. Gestures may exceed them."""

_SWAY_DEG = {  # standard deviations: yaw, pitch, roll
    Activity.IDLE: (1.5, 0.8, 0.55),
    Activity.LISTENING: (1.1, 0.7, 0.7),
    Activity.THINKING: (1.4, 0.9, 0.8),
    Activity.SPEAKING: (1.9, 1.2, 0.8),
}
_SHIFT = (0.006, 0.004, 0.006)
"""Standard deviation of the head's translation, face heights."""

_LISTENING_TILT_DEG = 1.0
_NOD_EVERY_S = 5.5
_NOD_DEG = (1.6, 3.4)

_ACCENT_RISE_S, _ACCENT_FALL_S = 0.16, 0.32
_ACCENT_LEAD_MS = 40.0
"""A nod's apex tends to precede the accent it goes with."""
_ACCENT_DEG = 1.5
_ACCENT_GAP_S = 0.55
_ACCENT_LEAST, _ACCENT_CERTAIN = 0.75, 1.35
"""Prominences between which an accent is ever more likely nodded: a head that marks every syllable is a metronome."""


@dataclass(frozen=True, slots=True)
class HeadPose:
    """Degrees, and face heights."""

    yaw: float
    pitch: float
    roll: float
    x: float
    y: float
    z: float


def soft_limit(value: float, limit: float) -> float:
    """``value`` where small, never beyond ``limit``."""
    return float(limit * np.tanh(value / limit))


class Head:
    """``step`` gives the pose for each frame, with the head's share of where the gaze goes."""

    def __init__(self, rng: random.Random, noise: np.random.Generator) -> None:
        self._rng = rng
        self._noise = SmoothNoise(6, noise)
        self._size = [Glide(0.6, v) for v in _SWAY_DEG[Activity.IDLE]]
        self._gaze_yaw, self._gaze_pitch = Glide(0.35), Glide(0.35)
        self._tilt = Glide(0.7)
        self._tilt_goal = 0.0
        self._nods = Moves()
        self._next_nod_s = 2.0
        self._since_accent_s = 1.0

    def step(self, scene: Scene, gaze_yaw: float, gaze_pitch: float) -> HeadPose:
        sway = self._noise.step()
        goals = _SWAY_DEG[scene.activity]
        yaw, pitch, roll = (s * g.step(goal) for s, g, goal in zip(sway[:3], self._size, goals, strict=True))
        if scene.changed:
            tilts = scene.activity in (Activity.LISTENING, Activity.THINKING)
            self._tilt_goal = self._rng.choice((-1, 1)) * _LISTENING_TILT_DEG if tilts else 0.0
        self._accents(scene)
        self._listening_nods(scene)
        pitch += self._gaze_pitch.step(gaze_pitch) - self._nods.step()
        yaw += self._gaze_yaw.step(gaze_yaw)
        roll += self._tilt.step(self._tilt_goal) + 0.12 * yaw  # a turning head also tilts a little
        x, y, z = (s * n for s, n in zip(_SHIFT, sway[3:], strict=True))
        return HeadPose(
            soft_limit(yaw, YAW_LIMIT_DEG),
            soft_limit(pitch, PITCH_LIMIT_DEG),
            soft_limit(roll, ROLL_LIMIT_DEG),
            float(x),
            float(y),
            float(z),
        )

    def _accents(self, scene: Scene) -> None:
        self._since_accent_s += FRAME_S
        if scene.moment is None:
            return
        for accent, due_ms in scene.moment.accents:
            likely = (accent.prominence - _ACCENT_LEAST) / (_ACCENT_CERTAIN - _ACCENT_LEAST)
            if self._since_accent_s < _ACCENT_GAP_S or self._rng.random() > likely:
                continue
            self._since_accent_s = 0.0
            wait_ms = due_ms - _ACCENT_LEAD_MS - _ACCENT_RISE_S * 1000
            delay = max(round(wait_ms / (FRAME_S * 1000)), 0)
            size = _ACCENT_DEG * accent.prominence * self._rng.uniform(0.5, 1.4)
            self._nods.start(bump(_ACCENT_RISE_S, 0.0, _ACCENT_FALL_S), size, delay)

    def _listening_nods(self, scene: Scene) -> None:
        if scene.activity is not Activity.LISTENING:
            return
        self._next_nod_s -= FRAME_S
        if self._next_nod_s <= 0 and not self._nods.busy:
            self._next_nod_s = 1.5 + self._rng.expovariate(1 / (_NOD_EVERY_S - 1.5))
            amplitude = self._rng.uniform(*_NOD_DEG)
            if self._rng.random() < 0.5:
                self._nods.start(bump(0.22, 0.04, 0.4), amplitude)
            else:
                self._nods.start(oscillation(2.0, 1.9), 0.7 * amplitude)
