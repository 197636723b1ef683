"""The head's place and turn from its landmarks, and the landmarks as they would lie in a level head.

The points that skin barely moves over the skull are laid onto those of a reference head by the best similarity (rotation,
scale, shift; Umeyama, "Least-squares estimation of transformation parameters between two point patterns", 1991).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatar.motion.capture.reference import PIVOT, RIGID, RIGID_POINTS, WEIGHTS
from avatar.motion.capture.tracker import Floats

_TO_CAMERA = np.array([1.0, 1.0, -1.0])
"""Landmarks' z grows away from the camera; here depth grows towards it."""


@dataclass(frozen=True, slots=True)
class HeadPose:
    """One frame's head.

    Attributes:
        angles: pitch, yaw, roll in degrees, signs and order of ``Motion`` (the renderer turns by roll, pitch, yaw).
        place: x, y of the skull's pivot in pixels, and pixels an eye span.
        level: float32 [478, 3], all landmarks in the level head: eye spans, x to the picture's right, y down,
            depth towards the camera.
    """

    angles: Floats
    place: Floats
    level: Floats


def head_pose(face: Floats) -> HeadPose:
    """Args:
    face: float32 [478, 3], ``Tracked.face``.
    """
    points = face.astype(np.float64) * _TO_CAMERA
    rigid = points[list(RIGID)]
    weights = WEIGHTS / WEIGHTS.sum()
    to, of = weights @ rigid, weights @ RIGID_POINTS
    spread = RIGID_POINTS - of
    u, strengths, v = np.linalg.svd((weights[:, None] * (rigid - to)).T @ spread)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ v))])
    turn = u @ np.diag(sign) @ v
    scale = float((strengths * sign).sum() / (weights @ (spread**2).sum(1)))
    shift = to - scale * turn @ of
    level = (points - shift) @ turn / scale
    pitch = np.arcsin(np.clip(turn[2, 1], -1, 1))
    yaw = np.arctan2(-turn[2, 0], turn[2, 2])
    roll = np.arctan2(-turn[0, 1], turn[1, 1])
    pivot = scale * turn @ PIVOT + shift
    return HeadPose(
        angles=np.degrees([pitch, yaw, roll]).astype(np.float32),
        place=np.array([pivot[0], pivot[1], scale], np.float32),
        level=level.astype(np.float32),
    )
