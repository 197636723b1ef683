"""Brows, cheeks and the resting smile."""

from __future__ import annotations

import random

from avatar.motion.behaviour.curves import Glide, Moves, bump
from avatar.motion.behaviour.scene import FRAME_S, Activity, Scene

_SMILE = {Activity.IDLE: 0.1, Activity.LISTENING: 0.15, Activity.THINKING: 0.03, Activity.SPEAKING: 0.07}
_BROW_IN = {Activity.IDLE: 0.0, Activity.LISTENING: 0.08, Activity.THINKING: 0.12, Activity.SPEAKING: 0.02}
_FROWN = {Activity.IDLE: 0.0, Activity.LISTENING: 0.0, Activity.THINKING: 0.1, Activity.SPEAKING: 0.0}

_BROW_ACCENT_PROMINENCE = 1.02
_BROW_CHANCE = 0.45
_BROW_GAP_S = 1.6
_BROW_RAISE = 0.3


class Expression:
    """``step`` advances a frame; ``smile``, ``brow_inner``, ``brow_outer``, ``brow_down`` are weights 0..1."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._smile_glide, self._inner, self._down = Glide(0.5, _SMILE[Activity.IDLE]), Glide(0.4), Glide(0.4)
        self._raises = Moves(limit=2)
        self._since_raise_s = _BROW_GAP_S
        self.smile = self.brow_inner = self.brow_outer = self.brow_down = 0.0

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
        self.smile = self._smile_glide.step(_SMILE[scene.activity])
        self.brow_inner = self._inner.step(_BROW_IN[scene.activity]) + raised
        self.brow_outer = 0.8 * raised
        self.brow_down = self._down.step(_FROWN[scene.activity])
