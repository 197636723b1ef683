"""Where the eyes look: bouts of mutual gaze and aversions, saccades, fixations that are never quite still.

Directions are degrees in the room, (0, 0) the person on the other side of the camera: +yaw to the avatar's left, +pitch up.
The eyes turn by what the head has not: they stay on their target while the head sways (vestibulo-ocular reflex).
"""

from __future__ import annotations

import math
import random

from avatar.motion.behaviour.scene import FRAME_S, Activity, Scene

EYE_RANGE_DEG = 30.0
"""Eye-in-head angle at weight 1 of the eyeLook channels."""

MUTUAL_BOUT_S = 2.2
"""Mean length of a bout of mutual gaze (Rogers et al. 2018)."""

MUTUAL_SHARE = {
    Activity.SPEAKING: 0.41,  # Kendon 1967, Argyle & Cook 1976: speakers look away more than listeners
    Activity.LISTENING: 0.75,
    Activity.IDLE: 0.62,
    Activity.THINKING: 0.2,
}
_BOUT_SIGMA = 0.5
_SHORTEST_BOUT_S = 0.5

_TURN_START_AVERTS = 0.6
"""Turns begin averted and end with direct gaze (Ho, Foulsham & Kingstone 2015)."""

_LONGEST_STARE_S = 2.4
"""A longer aversion wanders on to somewhere else: nobody stares at one point beside the other."""

_SCAN_S = 0.9
_SCAN_DEG = 1.0
"""A fixation moves between the other's eyes and mouth: about a degree each way at conversation distance."""
_TREMOR_DEG = 0.15

_HEAD_SHARE = 0.3
"""Of a gaze shift, what the head does; small shifts are the eyes' alone."""
_EYES_ONLY_DEG = 4.0

BIG_SHIFT_DEG = 7.0
"""Gaze shifts larger than this are often accompanied by a blink."""


def saccade_s(amplitude_deg: float) -> float:
    """Duration of a saccade: 20 ms plus 2.3 ms a degree (the main sequence; Carpenter 1988)."""
    return 0.020 + 0.0023 * amplitude_deg


class Gaze:
    """``step`` advances a frame; then ``yaw``/``pitch`` is where the eyes point, ``head_yaw``/``head_pitch`` what the head is asked for.

    ``shifted`` tells of a large gaze shift that began with this frame.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.mutual = True
        self.yaw = self.pitch = 0.0
        self.head_yaw = self.head_pitch = 0.0
        self.shifted = False
        self._left_s = self._bout(MUTUAL_BOUT_S)
        self._aim = (0.0, 0.0)
        self._scan = (0.0, 0.0)
        self._scan_left_s = 0.3
        self._stare_left_s = 0.0
        self._from = (0.0, 0.0)
        self._to = (0.0, 0.0)
        self._since_s = 1.0
        self._takes_s = 0.02

    def _bout(self, mean_s: float) -> float:
        draw = self._rng.lognormvariate(-_BOUT_SIGMA * _BOUT_SIGMA / 2, _BOUT_SIGMA)
        return max(_SHORTEST_BOUT_S, mean_s * draw)

    def step(self, scene: Scene) -> None:
        self.shifted = False
        self._left_s -= FRAME_S
        self._stare_left_s -= FRAME_S
        self._scan_left_s -= FRAME_S
        if scene.turn_ends:
            if not self.mutual:
                self._look_at_person()
            self._left_s = max(self._left_s, 1.0)  # and stays a moment, to hand over the turn
        elif scene.changed:
            self._activity_changed(scene.activity)
        elif self._left_s <= 0:
            if self.mutual:
                self._avert(scene.activity)
            else:
                self._look_at_person()
        elif not self.mutual and self._stare_left_s <= 0:
            self._aim_aside(scene.activity)
        if self._scan_left_s <= 0:
            self._rescan()
        self._move()

    def _activity_changed(self, activity: Activity) -> None:
        if activity is Activity.LISTENING and not self.mutual:
            self._look_at_person()
        elif activity is Activity.THINKING or (
            activity is Activity.SPEAKING and self.mutual and self._rng.random() < _TURN_START_AVERTS
        ):
            self._avert(activity)
            if activity is Activity.SPEAKING:
                self._left_s = min(self._left_s, 1.2)  # a short sentence must still be said to somebody

    def _look_at_person(self) -> None:
        self.mutual = True
        self._left_s = self._bout(MUTUAL_BOUT_S)
        self._aim = (0.0, 0.0)
        self._scan = (0.0, 0.0)
        self._saccade()

    def _avert(self, activity: Activity) -> None:
        share = MUTUAL_SHARE[activity]
        self.mutual = False
        self._left_s = self._bout(MUTUAL_BOUT_S * (1.0 - share) / share)
        self._aim_aside(activity)

    def _aim_aside(self, activity: Activity) -> None:
        self._stare_left_s = self._rng.uniform(0.8, _LONGEST_STARE_S)
        self._aim = self._direction(activity)
        self._scan = (0.0, 0.0)
        self._saccade()

    def _direction(self, activity: Activity) -> tuple[float, float]:
        size = min(5.0 + self._rng.expovariate(1 / 2.5), 15.0)
        keeps = self._aim[0] != 0.0 and self._rng.random() < 0.7  # wandering on stays on its side, mostly
        side = math.copysign(1.0, self._aim[0]) if keeps else self._rng.choice((-1.0, 1.0))
        if activity is Activity.THINKING:
            angle = math.radians(self._rng.uniform(25.0, 65.0))  # up and aside
        elif activity is Activity.LISTENING:
            angle = math.radians(self._rng.uniform(-70.0, -10.0))  # down: no sign of wanting to speak
            size = min(size, 8.0)
        else:
            angle = math.radians(self._rng.uniform(-50.0, 30.0))
        return side * size * math.cos(angle), size * math.sin(angle)

    def _rescan(self) -> None:
        self._scan_left_s = 0.2 + self._rng.expovariate(1 / _SCAN_S)
        spread = _SCAN_DEG if self.mutual else 1.6 * _SCAN_DEG
        if self._rng.random() < 0.6:
            spread = _TREMOR_DEG  # a microsaccade: refixation of the same point
        self._scan = (self._rng.gauss(0, spread), self._rng.gauss(0, 0.7 * spread))
        limit = 2.5 * _SCAN_DEG
        self._scan = (min(max(self._scan[0], -limit), limit), min(max(self._scan[1], -limit), limit))
        self._saccade()

    def _saccade(self) -> None:
        self._from = (self.yaw, self.pitch)
        self._to = (self._aim[0] + self._scan[0], self._aim[1] + self._scan[1])
        size = math.dist(self._from, self._to)
        self._takes_s = saccade_s(size)
        # Half a frame in: a saccade that starts between frames is part-way at the first one.
        self._since_s = -FRAME_S / 2
        self.shifted = self.shifted or size > BIG_SHIFT_DEG
        eccentricity = math.hypot(*self._aim)
        share = _HEAD_SHARE * max(eccentricity - _EYES_ONLY_DEG, 0.0) / eccentricity if eccentricity else 0.0
        self.head_yaw, self.head_pitch = self._aim[0] * share, self._aim[1] * share

    def _move(self) -> None:
        self._since_s += FRAME_S
        x = min(max(self._since_s / self._takes_s, 0.0), 1.0)
        x = x * x * (3.0 - 2.0 * x)
        self.yaw = self._from[0] + (self._to[0] - self._from[0]) * x
        self.pitch = self._from[1] + (self._to[1] - self._from[1]) * x
