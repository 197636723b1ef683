"""Arms and hands in three dimensions, and where their keypoints lie in EchoMimicV2's picture.

One arm is computed in a frame of its own side: ``out`` from the middle of the body, ``up``, and ``fwd`` to the camera, metres
from the root of the neck at shoulder height. Left and right arm differ by the sign of ``out`` alone, so one code serves both, and
a pose means the same on either side. The wrist is placed, the elbow follows by two-bone inverse kinematics,
and the hand turns about the forearm it hangs on: what no arm can do cannot be written down.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PARAMETERS = (
    "out", "up", "fwd",          # the wrist, metres
    "swivel",                    # degrees, the elbow below (0) .. lifted to the side (90)
    "supination",                # degrees, palm down (-90) .. facing inwards (0) .. up (90)
    "flexion", "deviation",      # degrees at the wrist: to the palm, to the thumb
    "thumb", "index", "middle", "ring", "little",  # curls, 0 straight .. 1 in the fist
    "spread",                    # of the fingers, 0 together .. 1 fanned out
)  # fmt: skip
COUNT = len(PARAMETERS)
AT = {name: i for i, name in enumerate(PARAMETERS)}
PLACE = slice(0, 3)
CURLS = slice(AT["thumb"], AT["little"] + 1)

# Segment lengths of an adult of 1.70 m, shares of stature (Drillis & Contini 1966): .186, .146, .108; half the
# distance of the shoulder joints .129 less the joint's own depth.
SHOULDER_OUT, UPPER_ARM, FOREARM, HAND = 0.18, 0.30, 0.26, 0.185
_REACH = 0.98 * (UPPER_ARM + FOREARM)
_CLOSEST = 0.14

CANVAS_PER_METRE = 1.12
"""EchoMimicV2's framing, head to waist in a square: in its pose sequences shoulders lie 0.2 of the picture to each side,
elbows 0.33 below them, and a hand in the picture's plane is 0.2-0.23 long."""
SHOULDER_Y = 0.47
_CAMERA_M = 2.2
"""Distance of the camera: hands held forward look larger."""

FACE_CENTRE, FACE_RADII = (0.5, 0.24), (0.115, 0.17)
"""An ellipse about the face and its hair, where no hand may pass."""

_JOINT_DEG = np.array([75.0, 100.0, 60.0])
"""Flexion of the finger's three joints in the fist."""

# Palm fan and bones in units of the hand's length (Buryanov & Kotiuk 2010), index to little finger.
_KNUCKLE_DEG = np.array([14.0, 1.0, -12.0, -25.0])
_KNUCKLE_REACH = np.array([0.50, 0.49, 0.46, 0.43])
_BONES = np.array([[0.22, 0.13, 0.10], [0.245, 0.15, 0.105], [0.225, 0.14, 0.105], [0.175, 0.10, 0.095]])
_SPLAY_DEG = np.array([11.0, 1.0, -9.0, -20.0])
_THUMB_BONES = (0.23, 0.17, 0.14)


def _unit(v: Array) -> Array:
    out: Array = v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9)
    return out


def _cos_sin(degrees: Array) -> tuple[Array, Array]:
    radians = np.radians(degrees)[..., None]
    return np.cos(radians), np.sin(radians)


def elbow_of(poses: Array) -> tuple[Array, Array]:
    """Elbow and reachable wrist of poses [..., COUNT]: float64 [..., 3] each, (out, up, fwd)."""
    shoulder = np.array([SHOULDER_OUT, 0.0, 0.0])
    to_wrist = poses[..., PLACE] - shoulder
    distance = np.linalg.norm(to_wrist, axis=-1, keepdims=True)
    direction = _unit(to_wrist)
    distance = np.clip(distance, _CLOSEST, _REACH)
    cosine = (UPPER_ARM**2 + distance**2 - FOREARM**2) / (2 * UPPER_ARM * distance)
    cos_swivel, sin_swivel = _cos_sin(poses[..., AT["swivel"]])
    back = 0.12 + np.maximum(-direction[..., 1:2], 0.0) ** 4  # of a hanging arm the elbow points backwards
    pole = np.concatenate((sin_swivel, -cos_swivel, -back), axis=-1)
    aside = _unit(pole - (pole * direction).sum(axis=-1, keepdims=True) * direction)
    sine = np.sqrt(np.maximum(1.0 - cosine**2, 0.0))
    return shoulder + UPPER_ARM * (cosine * direction + sine * aside), shoulder + distance * direction


def keypoints(poses: Array, *, left: bool) -> Array:
    """Keypoints of one hand in DWPose's order (wrist; thumb to little finger, base to tip).

    Args:
        poses: float64 [..., COUNT].
        left: the avatar's left hand, on the picture's right.

    Returns:
        Canvas fractions, x to the picture's right, y down, float64 [..., 21, 2].
    """
    return project(_points(poses), left=left)


def _points(poses: Array) -> Array:
    """Keypoints in (out, up, fwd), [..., 21, 3]."""
    elbow, wrist = elbow_of(poses)
    forearm = _unit(wrist - elbow)
    upper = _unit(elbow - np.array([SHOULDER_OUT, 0.0, 0.0]))
    inwards = _unit(np.cross(upper, forearm))  # the elbow's hinge: where a palm faces that neither turns up nor down
    thumbwards = np.cross(inwards, forearm)
    cos, sin = _cos_sin(poses[..., AT["supination"]])
    palm = cos * inwards + sin * thumbwards
    side = np.cross(palm, forearm)
    cos, sin = _cos_sin(poses[..., AT["flexion"]])
    axis, palm = cos * forearm + sin * palm, cos * palm - sin * forearm
    cos, sin = _cos_sin(poses[..., AT["deviation"]])
    axis, side = cos * axis + sin * side, cos * side - sin * axis
    points = [wrist]
    points += _thumb(wrist, axis, side, palm, poses)
    fan = 0.45 + 0.9 * poses[..., AT["spread"]]
    for finger in range(4):
        cos, sin = _cos_sin(np.broadcast_to(_KNUCKLE_DEG[finger], fan.shape))
        at = wrist + HAND * _KNUCKLE_REACH[finger] * (cos * axis + sin * side)
        points.append(at)
        curl = poses[..., CURLS.start + 1 + finger]
        cos, sin = _cos_sin(_SPLAY_DEG[finger] * fan * (1.0 - 0.7 * np.clip(curl, 0.0, 1.0)))
        straight = cos * axis + sin * side
        bent = np.zeros_like(curl)
        for bone, most in zip(_BONES[finger], _JOINT_DEG, strict=True):
            bent = bent + most * curl
            cos, sin = _cos_sin(bent)
            at = at + HAND * bone * (cos * straight + sin * palm)
            points.append(at)
    return np.stack(points, axis=-2)


def _thumb(wrist: Array, axis: Array, side: Array, palm: Array, poses: Array) -> list[Array]:
    curl, spread = poses[..., AT["thumb"]], poses[..., AT["spread"]]
    cos, sin = _cos_sin(np.full_like(curl, 48.0))
    at = wrist + HAND * 0.22 * (cos * axis + sin * side) + HAND * 0.05 * palm
    out = [at]
    # Straight it points away from the fingers; curled it folds over the palm.
    angle = 26.0 + 26.0 * spread - 12.0 * curl
    for bone, turn in zip(_THUMB_BONES, (0.0, 38.0, 46.0), strict=True):
        angle = angle - turn * curl
        cos, sin = _cos_sin(angle)
        towards_palm = (0.22 + 0.55 * curl)[..., None]
        at = at + HAND * bone * _unit(cos * axis + sin * side + towards_palm * palm)
        out.append(at)
    return out


def project(points: Array, *, left: bool) -> Array:
    """(out, up, fwd) in metres [..., 3] to canvas fractions [..., 2]."""
    scale = CANVAS_PER_METRE * (1.0 + points[..., 2] / _CAMERA_M)
    x = 0.5 + (1.0 if left else -1.0) * scale * points[..., 0]
    return np.stack((x, SHOULDER_Y - scale * points[..., 1]), axis=-1)


def over_face(points: Array, margin: float = 1.0) -> NDArray[np.bool_]:
    """Whether any keypoint of canvas points [..., 21, 2] lies on the face, bool [...]."""
    distance = ((points - np.array(FACE_CENTRE)) / (np.array(FACE_RADII) * margin)) ** 2
    inside: NDArray[np.bool_] = (distance.sum(axis=-1) < 1.0).any(axis=-1)
    return inside


def visibility(points: Array) -> Array:
    """How far a hand is in the picture, 0..1, of canvas points [..., 21, 2]: smooth, 0 well below the edge."""
    lowest, highest = points[..., 1].max(axis=-1), points[..., 1].min(axis=-1)
    middle = 0.5 * (lowest + highest)
    x = np.clip((1.10 - middle) / 0.14, 0.0, 1.0)
    shown: Array = x * x * (3.0 - 2.0 * x)
    return shown
