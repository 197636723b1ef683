"""Hands a half-body renderer can show: an open palm that waves, a pointing hand, and their way in and out of the picture.

Keypoints are DWPose/OpenPose's 21 a hand (wrist, then thumb, index, middle, ring, little finger from
base to tip), as fractions of the pose canvas, x to the picture's right, y down. The avatar's right hand is on the
picture's left.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from avatar.motion.behaviour.curves import ease

HAND_LENGTH = 0.2
"""Wrist to middle fingertip, share of the canvas, where a face is about as high (EchoMimicV2's framing)."""

# Lengths in units of the hand: wrist to knuckle, then the three finger bones (human proportions).
_FINGERS = (
    # base angle (deg from the hand's axis, + to the thumb), wrist to base, bones
    (42.0, 0.20, (0.20, 0.16, 0.13)),
    (16.0, 0.50, (0.22, 0.13, 0.10)),
    (2.0, 0.50, (0.25, 0.15, 0.10)),
    (-12.0, 0.47, (0.23, 0.14, 0.10)),
    (-26.0, 0.44, (0.17, 0.11, 0.09)),
)
_OPEN = (0.0, 0.0, 0.0, 0.0, 0.0)
_POINTING = (0.6, 0.0, 0.92, 0.92, 0.92)
"""How far each finger is curled: 0 straight, 1 in the fist (its bones fold back over the palm)."""


def _hand(curls: tuple[float, ...]) -> NDArray[np.float64]:
    """A right hand, fingers up, palm to the viewer: thumb to the picture's right. [21, 2], wrist at 0."""
    points = [(0.0, 0.0)]
    for (base_deg, reach, bones), curl in zip(_FINGERS, curls, strict=True):
        angle = math.radians(base_deg)
        x, y = reach * math.sin(angle), -reach * math.cos(angle)
        points.append((x, y))
        for joint, bone in enumerate(bones):
            # A finger that curls towards the viewer is foreshortened, then folds back.
            along = math.cos(curl * math.pi * (0.55, 0.95, 1.15)[joint])
            x += bone * along * math.sin(angle)
            y -= bone * along * math.cos(angle)
            points.append((x, y))
    return np.array(points)


OPEN_HAND, POINTING_HAND = _hand(_OPEN), _hand(_POINTING)

_HIDDEN_WRIST = (0.30, 1.12)
_RAISED_WRIST = (0.24, 0.66)
_POINT_WRIST = (0.30, 0.74)


def placed(shape: NDArray[np.float64], wrist: tuple[float, float], turn_deg: float) -> NDArray[np.float64]:
    """The hand at ``wrist``, turned clockwise about it, in canvas fractions [21, 2]."""
    angle = math.radians(turn_deg)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    points: NDArray[np.float64] = HAND_LENGTH * (shape @ turn) + np.array(wrist)
    return points


def _between(a: tuple[float, float], b: tuple[float, float], x: float) -> tuple[float, float]:
    return a[0] + (b[0] - a[0]) * x, a[1] + (b[1] - a[1]) * x


def wave(x: float, strength: float) -> NDArray[np.float64]:
    """The waving right hand at ``x`` in 0..1 of the gesture: up, three swings about the elbow, down."""
    up, down = ease(x / 0.25), ease((x - 0.78) / 0.22)
    wrist = _between(_HIDDEN_WRIST, _RAISED_WRIST, up - down)
    swing = math.sin(2 * math.pi * 3 * (x - 0.25) / 0.53) if 0.25 < x < 0.78 else 0.0
    swell = min(1.0, max(0.0, (x - 0.25) / 0.1), max(0.0, (0.78 - x) / 0.1))
    turn = 22.0 * strength * swing * swell
    # The forearm swings from the elbow, so the wrist travels too.
    return placed(OPEN_HAND, (wrist[0] + 0.0012 * turn, wrist[1]), turn)


def point(x: float, strength: float) -> NDArray[np.float64]:
    """The pointing right hand at ``x`` in 0..1 of the gesture: up towards the viewer's left, held, down."""
    up, down = ease(x / 0.3), ease((x - 0.75) / 0.25)
    wrist = _between(_HIDDEN_WRIST, _POINT_WRIST, up - down)
    return placed(POINTING_HAND, wrist, -35.0 * (0.5 + 0.5 * strength))
