"""The face's measures in one frame: the mouth's own coordinates, levels from nose to neck, depth, head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatar.portrait.arrays import Floats
from avatar.portrait.lips import LINE_SAMPLES, curve_in_frame, mouth_frame

OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
        152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)  # fmt: skip
UPPER_OUTER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LOWER_OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
JAW = (132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361)
NOSE_BASE = 2
EYE_OUTER = (33, 263)
EARS = (234, 454)

REACH = 3.0
"""How far from the mouth's centre it moves anything, in half mouth widths."""

CHART_COLUMNS = 97
"""Samples of a level across -REACH..REACH: 1/16 of half a mouth."""

MIN_LIP = 0.13
"""Least distance between levels, in half mouth widths: in the corners the lips have no height."""


@dataclass(frozen=True, slots=True)
class Anatomy:
    """Measures of one face, in pixels of the frame unless said otherwise.

    Attributes:
        points: float32 [478, 3].
        eye_span: between the outer eye corners; the unit of the face's size.
        mouth, along, down, half_mouth: the mouth's frame (see ``lips.mouth_frame``).
        columns: float32 [CHART_COLUMNS], positions along the mouth, half mouth widths.
        levels_upper, levels_lower: float32 [6, CHART_COLUMNS], heights in half mouth widths, top to
            bottom: nose base, upper lip's outer edge, contact line, lower lip's outer edge, fold under
            the lip, jaw edge. They differ in the contact line where the picture's lips are parted.
        flat: float32 [CHART_COLUMNS], the contact line's bend away from its own straight chord.
    """

    points: Floats
    eye_span: float
    mouth: Floats
    along: Floats
    down: Floats
    half_mouth: float
    columns: Floats
    levels_upper: Floats
    levels_lower: Floats
    flat: Floats

    @property
    def rest_gap(self) -> Floats:
        """float32 [CHART_COLUMNS]: how far the picture's lips are parted, half mouth widths."""
        return np.asarray(self.levels_lower[2] - self.levels_upper[2], np.float32)

    def to_mouth(self, xy: Floats) -> tuple[Floats, Floats]:
        """Frame pixels [..., 2] to (along, down) in half mouth widths."""
        relative = (xy - self.mouth) / self.half_mouth
        return (relative @ self.along).astype(np.float32), (relative @ self.down).astype(np.float32)

    def from_mouth(self, u: Floats, v: Floats) -> Floats:
        """Inverse of ``to_mouth``: [..., 2]."""
        return np.asarray(
            self.mouth + self.half_mouth * (u[..., None] * self.along + v[..., None] * self.down), np.float32
        )


def measure(points: Floats, lip_line: Floats) -> Anatomy:
    """Measure a face from its landmarks in the frame and ``Rig.lip_line``."""
    centre, along, down, half = mouth_frame(points)
    eye_span = float(np.linalg.norm(points[EYE_OUTER[0], :2] - points[EYE_OUTER[1], :2]))
    u = np.linspace(-REACH, REACH, CHART_COLUMNS, dtype=np.float32)
    line_u = np.linspace(-1, 1, LINE_SAMPLES, dtype=np.float32)
    contacts = [np.interp(u, line_u, line).astype(np.float32) for line in lip_line]
    contacts = [np.where(np.abs(u) > 1, c * np.exp(-(((np.abs(u) - 1) / 0.5) ** 2)), c) for c in contacts]
    middle = (contacts[0] + contacts[1]) / 2

    nose = float((points[NOSE_BASE, :2] - centre) @ down) / half
    upper = np.where(np.abs(u) < 1, curve_in_frame(points, UPPER_OUTER, u), contacts[0])
    lower = np.where(np.abs(u) < 1, curve_in_frame(points, LOWER_OUTER, u), contacts[1])
    upper = _smooth(np.minimum(upper, contacts[0] - MIN_LIP))
    lower = _smooth(np.maximum(lower, contacts[1] + MIN_LIP))
    jaw = curve_in_frame(points, JAW, u)
    jaw = np.maximum(jaw, lower + 0.5)  # beside the jaw the edge runs up past the mouth
    fold = lower + 0.35 * (jaw - lower)
    nose_level = np.minimum(nose, upper - 0.3)
    levels = [[nose_level, upper, contact, lower, fold, jaw] for contact in contacts]
    chord = np.where(np.abs(u) < 1, middle[np.abs(u) <= 1][[0, -1]].mean(), middle)
    return Anatomy(
        points=points,
        eye_span=eye_span,
        mouth=centre.astype(np.float32),
        along=along.astype(np.float32),
        down=down,
        half_mouth=half,
        columns=u,
        levels_upper=np.array(levels[0], np.float32),
        levels_lower=np.array(levels[1], np.float32),
        flat=np.asarray(middle - chord, np.float32),
    )


def _smooth(line: Floats) -> Floats:
    """Rounds off kinks between landmarks over about a tenth of the mouth."""
    kernel = np.array([1, 4, 6, 4, 1], np.float32) / 16
    return np.convolve(np.pad(line, 2, mode="edge"), kernel, mode="valid").astype(np.float32)
