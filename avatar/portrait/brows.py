"""Brows, cheeks and nose: displacements that are the same wherever the mouth is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatar.portrait.anatomy import Anatomy
from avatar.portrait.arrays import Floats
from avatar.portrait.controls import index

BROWS = {"Right": (70, 63, 105, 66, 107), "Left": (300, 293, 334, 296, 336)}  # outer end to inner end
EYES = {"Right": (33, 133), "Left": (263, 362)}  # outer and inner corner
WINGS = {"Right": 98, "Left": 327}


@dataclass(frozen=True, slots=True)
class UpperFace:
    """Fields of the channels that move the face above and beside the mouth.

    Attributes:
        columns: positions of the channels in a cleaned row.
        fields: float32 [len(columns), rows, columns, 2], pixels at weight 1.
    """

    columns: list[int]
    fields: Floats


def upper_face_basis(anatomy: Anatomy, xy: Floats) -> UpperFace:
    """The fields at the points ``xy`` [rows, columns, 2]."""
    span = anatomy.eye_span
    points = anatomy.points[:, :2]
    right = (points[263] - points[33]) / span
    down = np.array([-right[1], right[0]], np.float32)
    fields: dict[str, Floats] = {}

    def bump(centre: Floats, wide: float, high: float) -> Floats:
        relative = (xy - centre) / span
        along, below = relative @ right / wide, relative @ down / high
        return np.asarray(np.exp(-0.5 * (along**2 + below**2)), np.float32)

    def add(name: str, weight: Floats, along: float, below: float) -> None:
        move = (span * (along * right + below * down)).astype(np.float32)
        fields[name] = fields.get(name, np.zeros_like(xy)) + weight[..., None] * move

    for side, brow in BROWS.items():
        away = 1.0 if side == "Left" else -1.0  # the avatar's left is at the picture's right
        outer, middle, inner = points[brow[0]], points[brow[2]], points[brow[4]]
        add("browInnerUp", bump(inner, 0.13, 0.12), 0, -0.045)
        add("browOuterUp" + side, bump((outer * 2 + middle) / 3, 0.14, 0.12), 0, -0.045)
        add("browDown" + side, bump((middle + inner) / 2, 0.17, 0.11), -0.012 * away, 0.035)
        eye = (points[EYES[side][0]] + points[EYES[side][1]]) / 2
        add("cheekSquint" + side, bump(eye + span * (0.32 * down + 0.05 * away * right), 0.17, 0.13), 0, -0.035)
        wing = points[WINGS[side]]
        add("noseSneer" + side, bump(wing - 0.03 * span * down, 0.09, 0.10), 0.005 * away, -0.03)
        puffed = anatomy.from_mouth(np.array(1.65 * away), np.zeros(()))
        add("cheekPuff", bump(puffed, 0.20, 0.22), 0.05 * away, 0.0)
    return UpperFace([index(name) for name in fields], np.stack(list(fields.values())))
