"""Displacement of points of the picture, forwards, and its inverse, which is what resampling needs."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from avatar.portrait.anatomy import CHART_COLUMNS, REACH, Anatomy
from avatar.portrait.arrays import Floats, resample
from avatar.portrait.body import TORSO, Body
from avatar.portrait.brows import upper_face_basis

CHART_STEPS = 4
"""Rows of a chart between two levels: the cubic through the levels is read linearly from these."""

CHART_LEVELS = 8
"""The seven of ``lip_shapes.Level`` with the two contacts as one, and one still level above and below."""


@dataclass(frozen=True, slots=True)
class Charts:
    """Displacements in pixels of the frame over mouth coordinates, float32 [rows, CHART_COLUMNS, 2].

    ``upper`` treats everything below the contact line as upper lip, ``lower`` the reverse, ``both`` is for
    places where they agree.
    """

    upper: Floats
    lower: Floats
    both: Floats


def charts(lines: Floats, anatomy: Anatomy) -> Charts:
    """Spread level displacements (``LipShapes.lines``) between the levels."""
    axes = np.stack([anatomy.along, anatomy.down]) * anatomy.half_mouth
    nose, upper_edge, uc, lc, lower_edge, fold, jaw = lines @ axes.astype(np.float32)
    still = np.zeros_like(nose)
    rows = np.stack(
        [
            np.stack([still, nose, upper_edge, uc, uc, uc, uc, uc]),
            np.stack([lc, lc, lc, lc, lower_edge, fold, jaw, still]),
            np.stack([still, nose, upper_edge, (uc + lc) / 2, lower_edge, fold, jaw, still]),
        ]
    )
    dense = np.tensordot(_DENSIFY, rows.reshape(3, CHART_LEVELS, -1), (1, 1))  # [rows, 3, columns * 2]
    dense = np.ascontiguousarray(dense.transpose(1, 0, 2)).reshape(3, -1, CHART_COLUMNS, 2)
    dense[:, :, [0, -1]] = 0  # beyond REACH nothing moves
    return Charts(dense[0], dense[1], dense[2])


def _densify() -> Floats:
    """Catmull-Rom through the levels, as a matrix [rows, CHART_LEVELS]."""
    rows = (CHART_LEVELS - 1) * CHART_STEPS + 1
    matrix = np.zeros((rows, CHART_LEVELS), np.float32)
    for row in range(rows):
        i, t = min(row // CHART_STEPS, CHART_LEVELS - 2), 0.0
        t = row / CHART_STEPS - i
        weights = (
            -0.5 * t**3 + t**2 - 0.5 * t,
            1.5 * t**3 - 2.5 * t**2 + 1,
            -1.5 * t**3 + 2 * t**2 + 0.5 * t,
            0.5 * t**3 - 0.5 * t**2,
        )
        for k, weight in enumerate(weights):
            matrix[row, np.clip(i - 1 + k, 0, CHART_LEVELS - 1)] += weight
    return matrix


_DENSIFY = _densify()


class Grid:
    """Points of the picture at equal steps, and where motion takes them.

    Args:
        anatomy, body: of the face in the frame.
        origin: (x, y) of the first point, pixels.
        step: between points, pixels.
        columns, rows: number of points.
    """

    def __init__(
        self, anatomy: Anatomy, body: Body, origin: tuple[float, float], step: float, columns: int, rows: int
    ) -> None:
        self.origin = np.array(origin, np.float32)
        self.step = step
        x = origin[0] + step * np.arange(columns, dtype=np.float32)
        y = origin[1] + step * np.arange(rows, dtype=np.float32)
        self.xy = np.stack(np.meshgrid(x, y), -1).astype(np.float32)
        u, v = anatomy.to_mouth(self.xy)
        self._chart_at = {
            "upper": _chart_position(anatomy, anatomy.levels_upper, u, v),
            "lower": _chart_position(anatomy, anatomy.levels_lower, u, v),
        }
        self._upper_face = upper_face_basis(anatomy, self.xy)
        weight, depth = body.head_at(self.xy)
        self._weight = np.ascontiguousarray(np.repeat(weight[..., None], 2, -1))
        self._places = np.ascontiguousarray(np.dstack([self.xy, depth]))
        self._torso = body.torso_at(self.xy)
        self._still = np.zeros((rows, columns, 1), np.float32)

    def displaced(self, controls: Floats, chart: Floats, layer: str, pose: Floats) -> Floats:
        """Displacement of every point, float32 [rows, columns, 2] pixels; ``pose`` as from ``Body.pose``."""
        moved = resample(chart, self._chart_at[layer])
        for i, field in zip(self._upper_face.columns, self._upper_face.fields, strict=True):
            if controls[i]:
                cv2.scaleAdd(field, float(controls[i]), moved, dst=moved)
        places = cv2.add(self._places, np.dstack([moved, self._still]))
        turned = cv2.transform(places, pose)
        moved += cv2.multiply(turned, self._weight, dst=turned)
        for i, field in zip(TORSO, self._torso, strict=True):
            if controls[i]:
                cv2.scaleAdd(field, float(controls[i]), moved, dst=moved)
        return np.asarray(moved, np.float32)

    def inverse(self, displacement: Floats, at: Floats, passes: int) -> Floats:
        """Where each output pixel ``at`` [..., 2] comes from, less ``at``: p - at with p + D(p) = at.

        By fixed point, which converges where neighbouring displacements differ by less than their distance.
        """
        scale = 1 / self.step
        steps = displacement * np.float32(scale)  # everything in points of the grid
        goal = (at - self.origin) * np.float32(scale)
        source = goal
        for _ in range(passes):
            source = np.asarray(cv2.subtract(goal, resample(steps, source)), np.float32)
        return np.asarray(cv2.scaleAdd(goal, -1.0, source) * np.float32(self.step), np.float32)


def _chart_position(anatomy: Anatomy, levels: Floats, u: Floats, v: Floats) -> Floats:
    """(column, row) in a chart for mouth coordinates, float32 [rows, columns, 2]."""
    column = (u / REACH + 1) / 2 * (CHART_COLUMNS - 1)
    below = levels[-1] + 0.55 * anatomy.eye_span / anatomy.half_mouth
    above = levels[0] - 1.3
    stack = np.concatenate([above[None], levels, below[None]])  # [8, CHART_COLUMNS]
    at = np.clip(column, 0, CHART_COLUMNS - 1)
    low = np.minimum(at.astype(np.intp), CHART_COLUMNS - 2)
    part = at - low
    heights = stack[:, low] * (1 - part) + stack[:, low + 1] * part  # [8, ...]
    row = np.zeros_like(v)
    for i in range(CHART_LEVELS - 1):
        row += np.clip((v - heights[i]) / np.maximum(heights[i + 1] - heights[i], 1e-3), 0, 1)
    return np.stack([column, row * CHART_STEPS], -1).astype(np.float32)
