"""Breath: about 15 a minute at rest; speech is spoken on a long breath out, refilled quickly at pauses."""

from __future__ import annotations

import random

from avatar.motion.behaviour.curves import Glide
from avatar.motion.behaviour.scene import FRAME_S, Activity, Scene

REST_RATE_HZ = 0.25
_INHALE_SHARE = 0.42
_SPEECH_OUT_PER_S = 0.13
"""A full breath lasts about six seconds of speech (Winkworth et al. 1995: breath groups of 3-6 s)."""
_SPEECH_IN_S = 0.45
_REFILL_BELOW = 0.55


class Breathing:
    """``step`` gives the breath for each frame, 0 out .. 1 in."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._goal = 0.2
        self._inhaling = True
        self._glide = Glide(0.3, 0.2)
        self._depth = 0.7
        self._period_s = 1 / REST_RATE_HZ

    def step(self, scene: Scene) -> float:
        if scene.activity is Activity.SPEAKING:
            self._speech(scene)
        else:
            self._rest(scene)
        return min(max(self._glide.step(self._goal), 0.0), 1.0)

    def _speech(self, scene: Scene) -> None:
        refill = scene.moment is not None and scene.moment.pausing and self._goal < _REFILL_BELOW
        if scene.changed or refill or self._goal <= 0.05:
            self._inhaling = True
        if self._inhaling:
            self._goal += FRAME_S / _SPEECH_IN_S
            if self._goal >= 0.9:
                self._inhaling = False
        else:
            self._goal = max(self._goal - FRAME_S * _SPEECH_OUT_PER_S, 0.0)

    def _rest(self, scene: Scene) -> None:
        if scene.activity is Activity.THINKING and scene.changed:
            self._inhaling = True  # about to speak
        if self._inhaling:
            self._goal += FRAME_S * self._depth / (self._period_s * _INHALE_SHARE)
            if self._goal >= self._depth:
                self._inhaling = False
        else:
            self._goal -= FRAME_S * self._depth / (self._period_s * (1 - _INHALE_SHARE))
            if self._goal <= 0.0:
                self._goal = 0.0
                self._inhaling = True
                self._depth = self._rng.uniform(0.6, 0.8)
                self._period_s = self._rng.lognormvariate(0, 0.12) / REST_RATE_HZ
