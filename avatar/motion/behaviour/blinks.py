"""Blinks: log-normal intervals, 17 a minute at rest, 26 talking (Bentivoglio et al. 1997), fast shut and slower open."""

from __future__ import annotations

import random

from avatar.motion.behaviour.scene import FRAME_S, Activity, Scene

RATE_PER_MINUTE = {
    Activity.IDLE: 17.0,
    Activity.LISTENING: 17.0,
    Activity.THINKING: 14.0,  # gaze shifts add their own
    Activity.SPEAKING: 26.0,
}
_SIGMA = 0.6
"""Of log intervals: their standard deviation is then 0.66 of their mean."""

_DOUBLE_CHANCE = 0.06
_PHRASE_END_CHANCE = 0.55
_GAZE_SHIFT_CHANCE = 0.35
_EARLIEST_SHARE = 0.3
"""A blink may be pulled to a phrase end or a large gaze shift once this share of its interval has passed."""

_SHAPE = (0.55, 1.0, 0.86, 0.5, 0.2, 0.05)
"""~75 ms closing, ~150 ms opening, at 25 Hz; the second frame is fully shut, so no blink is missed."""

_MIN_GAP_FRAMES = 5
_DOUBLE_GAP_FRAMES = (1, 3)


class Blinks:
    """``step`` gives the lids' closure for each frame, 0..1."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._progress = 0.0
        self._interval = self._draw()
        self._progress = rng.random() * self._interval * 0.8
        self._at: int | None = None
        self._gap = 0
        self._double_in: int | None = None

    def _draw(self) -> float:
        # Mean 1 in units of the rate's interval; doubles come on top, so intervals are longer by their share.
        return self._rng.lognormvariate(-_SIGMA * _SIGMA / 2, _SIGMA) * (1.0 + _DOUBLE_CHANCE)

    def step(self, scene: Scene, *, gaze_shift: bool) -> float:
        self._progress += FRAME_S * RATE_PER_MINUTE[scene.activity] / 60.0
        phrase_ends = scene.moment is not None and scene.moment.phrase_ends
        pulled = (phrase_ends and self._rng.random() < _PHRASE_END_CHANCE) or (
            gaze_shift and self._rng.random() < _GAZE_SHIFT_CHANCE
        )
        if self._at is not None:
            self._at += 1
            if self._at >= len(_SHAPE):
                self._at = None
                self._gap = 0
        else:
            self._gap += 1
            self._start_if_due(pulled)
        return 0.0 if self._at is None else _SHAPE[self._at]

    def _start_if_due(self, pulled: bool) -> None:
        if self._double_in is not None:
            self._double_in -= 1
            if self._double_in <= 0:
                self._double_in = None
                self._at = 0
            return
        due = self._progress >= self._interval
        early = pulled and self._progress >= _EARLIEST_SHARE * self._interval
        if (due or early) and self._gap >= _MIN_GAP_FRAMES:
            # An early blink owes the rest of its interval, so the rate stays what it is.
            self._progress -= self._interval
            self._interval = self._draw()
            self._at = 0
            if self._rng.random() < _DOUBLE_CHANCE:
                self._double_in = self._rng.randint(*_DOUBLE_GAP_FRAMES)


def lid_drop(gaze_pitch_deg: float) -> float:
    """Closure of the upper lid that follows a downward look: lids follow the eye (about 1 deg a degree)."""
    return 0.012 * max(-gaze_pitch_deg, 0.0)
