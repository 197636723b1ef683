"""Brows, cheeks and the resting smile."""

from __future__ import annotations

import random

import numpy as np

from avatar.motion.behaviour.curves import Glide, Moves, bump
from avatar.motion.behaviour.noise import SmoothNoise
from avatar.motion.behaviour.scene import FRAME_S, Activity, Scene

_SMILE = {Activity.IDLE: 0.1, Activity.LISTENING: 0.15, Activity.THINKING: 0.03, Activity.SPEAKING: 0.07}
_BROW_IN = {Activity.IDLE: 0.0, Activity.LISTENING: 0.08, Activity.THINKING: 0.12, Activity.SPEAKING: 0.02}
_FROWN = {Activity.IDLE: 0.0, Activity.LISTENING: 0.0, Activity.THINKING: 0.1, Activity.SPEAKING: 0.0}

_CHEERFUL_SMILE, _GRAVE_BROW = 0.2, 0.16
"""Added to the resting face at the ends of the mood's range: seen, and no grimace (looked at on rendered portraits)."""

_SMILE_DRIFT = 0.025
"""Standard deviation of the resting smile: a fixed one is a mask."""

_MOUTH_REST_EVERY_S = 14.0
_MOUTH_REST = 0.22
"""Lips are pressed or moistened now and then while they have nothing to say."""

_BROW_ACCENT_PROMINENCE = 1.02
_BROW_CHANCE = 0.45
_BROW_GAP_S = 1.6
_BROW_RAISE = 0.3


class Expression:
    """``step`` advances a frame; ``smile``, ``press``, ``brow_inner``, ``brow_outer``, ``brow_down`` are weights 0..1."""

    def __init__(self, rng: random.Random, noise: np.random.Generator) -> None:
        self._rng = rng
        self._drift = SmoothNoise(1, noise)
        self._presses = Moves(limit=1)
        self._idle_mouth = Glide(0.08, 1.0)
        self._next_press_s = rng.expovariate(1 / _MOUTH_REST_EVERY_S)
        self._smile_glide, self._inner, self._down = Glide(0.5, _SMILE[Activity.IDLE]), Glide(0.4), Glide(0.4)
        self._raises = Moves(limit=2)
        self._since_raise_s = _BROW_GAP_S
        self.mood = 0.0
        """-1 grave .. 1 cheerful; may be set at any time."""
        self.smile = self.press = self.brow_inner = self.brow_outer = self.brow_down = 0.0

    def step(self, scene: Scene) -> None:
        self._since_raise_s += FRAME_S
        if scene.moment is not None:
            for accent, due_ms in scene.moment.accents:
                if (
                    accent.prominence > _BROW_ACCENT_PROMINENCE
                    and self._since_raise_s >= _BROW_GAP_S
                    and self._rng.random() < _BROW_CHANCE
                ):
                    self._since_raise_s = 0.0
                    delay = max(round((due_ms - 200.0) / (FRAME_S * 1000)), 0)
                    self._raises.start(bump(0.16, 0.12, 0.35), _BROW_RAISE * self._rng.uniform(0.6, 1.3), delay)
        raised = self._raises.step()
        drift = _SMILE_DRIFT * float(self._drift.step()[0])
        cheer, gloom = max(self.mood, 0.0), max(-self.mood, 0.0)
        smile = _SMILE[scene.activity] * (1.0 - gloom) + _CHEERFUL_SMILE * cheer
        self.smile = max(self._smile_glide.step(smile) + drift, 0.0)
        self.press = self._rest_mouth(scene)
        self.brow_inner = self._inner.step(_BROW_IN[scene.activity] + _GRAVE_BROW * gloom) + raised
        self.brow_outer = 0.8 * raised
        self.brow_down = self._down.step(_FROWN[scene.activity])

    def _rest_mouth(self, scene: Scene) -> float:
        if scene.activity is not Activity.SPEAKING:
            self._next_press_s -= FRAME_S
            if self._next_press_s <= 0:
                self._next_press_s = 4.0 + self._rng.expovariate(1 / (_MOUTH_REST_EVERY_S - 4.0))
                self._presses.start(bump(0.3, 0.25, 0.45), _MOUTH_REST * self._rng.uniform(0.5, 1.2))
        # What is under way when speech begins gives way to it.
        return self._presses.step() * self._idle_mouth.step(0.0 if scene.activity is Activity.SPEAKING else 1.0)
