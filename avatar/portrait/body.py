"""The head turning on the neck and the chest breathing, without a matte: smooth limits of effect.

A matte with an inpainted plate was tried and gave ghosts, lost strands of hair and a blurred band round the head.
"""

from __future__ import annotations

import numpy as np

from avatar.portrait.anatomy import EARS, OVAL, Anatomy
from avatar.portrait.arrays import Floats, resample, smoothstep
from avatar.portrait.controls import index

BREATH = 0.014
"""Rise of the chest when breathed in, in eye spans: about 1.5 px in a 512 px frame."""

BEHIND_LIPS = 0.08
"""Depth of the teeth behind the lips, in eye spans: they turn a little less than the lips do."""

SMOOTHING = 0.6
"""Of the depth, in eye spans: followed exactly, the steep side of the face folds its outline into bumps."""

LATTICE = 72
"""Points of the depth's lattice each way: about a fortieth of the face's height apart."""

EDGE = 0.08
"""Towards the frame's edges nothing moves, over this part of its size: there is no picture beyond them."""

SHOULDER = 0.09
"""Rise of a shoulder at 1, in face heights."""


class Body:
    """Head and torso of one face in one frame.

    Args:
        anatomy: of the face in the frame.
        size: of the frame, pixels.
    """

    def __init__(self, anatomy: Anatomy, size: int) -> None:
        self._size = size
        points = anatomy.points
        self._span = span = anatomy.eye_span
        oval = points[list(OVAL), :2]
        self._low, self._high = oval.min(0), oval.max(0)
        self.face_height = float(np.linalg.norm(points[152, :2] - points[10, :2]))
        self._chin = points[152, :2]
        middle = (self._low + self._high) / 2
        self._middle = middle
        width, height = self._high - self._low
        self._centre = middle + np.array([0, -0.10 * height], np.float32)
        self._radii = np.array([0.70 * width, 0.78 * height], np.float32)
        # the base of the skull: as high as the mouth, a little in front of the ears' plane; a lower pivot would
        # carry the hair, and the background above it, farther at every tilt
        self._pivot = np.array([middle[0], points[13, 1]], np.float32)
        self._pivot_depth = 0.10 * span
        self._fit_depth(points, middle, oval)

    def _fit_depth(self, points: Floats, middle: Floats, oval: Floats) -> None:
        """Linear radial basis through the landmarks' depth, and through guessed depths of hair and neck."""
        ears = float(points[list(EARS), 2].mean())
        rings = [middle + (oval - middle) * grow for grow in (1.22, 1.6, 2.2)]
        sites = np.concatenate([points[:468:2, :2], *rings]).astype(np.float64)
        guessed = [np.full(len(ring), depth * self._span) for ring, depth in zip(rings, (0.10, 0.05, 0.0), strict=True)]
        depth = np.concatenate([ears - points[:468:2, 2], *guessed])
        distance = np.linalg.norm(sites[:, None] - sites[None], axis=-1)
        smoothing = SMOOTHING * self._span * np.eye(len(depth))  # landmarks share places where the face turns away
        strengths = np.linalg.solve(distance - smoothing, depth)
        # evaluated once on a lattice over head and neck, and read from there
        self._depth_origin = sites.min(0)
        self._depth_step = np.ptp(sites, axis=0) / (LATTICE - 1)
        steps = np.arange(LATTICE)
        at = np.stack(np.meshgrid(steps, steps), -1) * self._depth_step + self._depth_origin
        lattice = np.zeros((LATTICE, LATTICE))
        for site, strength in zip(sites, strengths, strict=True):
            lattice += strength * np.hypot(at[..., 0] - site[0], at[..., 1] - site[1])
        self._depth = lattice.astype(np.float32)

    def head_at(self, xy: Floats) -> tuple[Floats, Floats]:
        """How far points belong to the head (0..1), and their depth towards the camera in pixels."""
        relative = (xy - self._centre) / self._radii
        side = smoothstep(2.1, 1.0, np.sqrt((relative**2).sum(-1)))
        neck = (xy[..., 1] - self._chin[1]) / self.face_height
        edge = np.minimum.reduce([xy[..., 0], self._size - 1 - xy[..., 0], xy[..., 1]]) / self._size
        weight = side * smoothstep(0.48, -0.05, neck) * smoothstep(0.0, EDGE, edge)
        depth = resample(self._depth, (xy - self._depth_origin) / self._depth_step)
        return weight.astype(np.float32), np.asarray(depth, np.float32)

    def pose(self, controls: Floats) -> Floats:
        """float32 [2, 4]: displacement of a point of the head is this times (x, y, depth, 1)."""
        pitch, yaw, roll = np.radians(controls[_POSE])
        x, y, z = controls[_PLACE]
        about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
        about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
        about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
        turn = (1 + float(z)) * about_z @ about_x @ about_y - np.eye(3)
        lift = 0.6 * BREATH * self._span * float(controls[_BREATH])  # the head rides on the breath
        move = np.array([[x * self.face_height], [-y * self.face_height - lift]])
        move -= turn[:2] @ np.array([[*self._pivot, self._pivot_depth]]).T
        return np.hstack([turn[:2], move]).astype(np.float32)

    def turned(self, xy: Floats, depth: Floats, weight: Floats, pose: Floats) -> Floats:
        """Displacement by ``pose`` of a few points ``xy`` [..., 2] of the head."""
        return np.asarray((xy @ pose[:, :2].T + depth[..., None] * pose[:, 2] + pose[:, 3]) * weight[..., None])

    def skull(self, depth: float, pose: Floats) -> Floats:
        """float32 [2, 3]: ``pose`` as an affine map of points of the head behind the lips' ``depth`` (teeth)."""
        turn = pose[:, :2] + np.eye(2, dtype=np.float32)
        move = pose[:, 3] + (depth - BEHIND_LIPS * self._span) * pose[:, 2]
        return np.hstack([turn, move[:, None]]).astype(np.float32)

    def torso_at(self, xy: Floats) -> Floats:
        """float32 [3, rows, columns, 2]: displacement by breath 1 and by a raised left and right shoulder."""
        width = float(self._high[0] - self._low[0])
        below = (xy[..., 1] - self._chin[1]) / self.face_height
        aside = (xy[..., 0] - self._middle[0]) / width
        chest = (
            smoothstep(-0.05, 0.48, below)
            * (1 - 0.7 * smoothstep(0.9, 2.4, below))
            * smoothstep(2.4, 1.5, np.abs(aside))
        )
        fields = np.zeros((3, *xy.shape), np.float32)
        fields[0, ..., 1] = -BREATH * self._span * chest
        fields[0, ..., 0] = 0.5 * BREATH * self._span * chest * np.clip(aside, -1.5, 1.5)
        for i, side in ((1, 1.0), (2, -1.0)):
            bump = np.exp(-0.5 * (((aside - side) / 0.42) ** 2 + ((below - 0.75) / 0.38) ** 2))
            fields[i, ..., 1] = -SHOULDER * self.face_height * bump * smoothstep(0.1, 0.45, below)
        return fields


_POSE = [index(name) for name in ("headPitch", "headYaw", "headRoll")]
_PLACE = [index(name) for name in ("headX", "headY", "headZ")]
_BREATH = index("breath")
TORSO = (_BREATH, index("shoulderLeft"), index("shoulderRight"))
"""Channels of ``Body.torso_at``, in its order."""
