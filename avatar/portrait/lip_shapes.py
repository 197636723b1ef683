"""How each mouth channel bends the levels between nose and neck, and how the lips meet exactly.

Displacements are written along eight level lines in the mouth's own coordinates (``Anatomy``), in half
mouth widths. Two contact lines, one a lip, are what lets the lips part without smearing one into the other.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from avatar.portrait.anatomy import Anatomy
from avatar.portrait.arrays import Floats
from avatar.portrait.controls import USED, index


class Level(IntEnum):
    """Lines on which displacements are written, top to bottom."""

    NOSE = 0
    UPPER_EDGE = 1
    UPPER_CONTACT = 2
    LOWER_CONTACT = 3
    LOWER_EDGE = 4
    FOLD = 5
    JAW = 6


JAW_DROP = 0.92
"""Of the lower lip at jawOpen 1, in half mouth widths (about a quarter of the eye span)."""

WIDEST_MOUTH = 0.27
"""Half mouth width over eye span above which the mouth is smiling, not large: drop no more for it."""

UPPER_SHARE = 0.28
"""Of the way that closing lips go, the upper one goes this share (the lower lip follows the jaw)."""


SEALED = 0.98
"""Lips brought together this far are together: the rest is rounding, and would be a glimmer."""


class LipShapes:
    """Level displacements of one face for any mouth channels.

    Args:
        anatomy: of the face in the frame.
    """

    def __init__(self, anatomy: Anatomy) -> None:
        self._rest_gap = anatomy.rest_gap
        self._u = u = anatomy.columns
        self._basis = _basis(anatomy)
        self._columns = [i for i in range(USED) if np.any(self._basis[i])]
        self._matrix = np.ascontiguousarray(self._basis[self._columns].reshape(len(self._columns), -1))
        a = np.abs(u)
        self._outside = a >= 1
        opening = np.clip(1 - a**2.2, 0, 1) ** 0.72
        narrow = np.clip(1 - (a / 0.84) ** 2.2, 0, 1) ** 0.6
        self._round = np.where(opening > 0.02, np.minimum(narrow / np.maximum(opening, 0.02), 1), 0)

    def lines(self, controls: Floats) -> tuple[Floats, Floats]:
        """Displacements of the level lines for one cleaned row.

        Returns:
            float32 [7, CHART_COLUMNS, 2] (along, down) in half mouth widths, and the gap between the lips
            that results, float32 [CHART_COLUMNS], same unit: exactly 0 where they touch.
        """
        weights = controls[self._columns]
        lines = (weights @ self._matrix).reshape(len(Level), len(self._u), 2)
        upper, lower = lines[Level.UPPER_CONTACT], lines[Level.LOWER_CONTACT]
        mean = (upper[self._outside] + lower[self._outside]) / 2
        upper[self._outside] = lower[self._outside] = mean

        rounding = min(1.0, float(controls[_FUNNEL] + controls[_PUCKER]))
        opened = lower[:, 1] - upper[:, 1]
        wanted = self._rest_gap + opened
        # lips parted in the picture part less for the same sound: both together as two sides of a right angle;
        # rounded lips come together first
        parted_before = self._rest_gap * (1 - 0.75 * rounding)
        parted = np.where(opened > 0, np.hypot(opened, parted_before), np.maximum(parted_before + opened, 0))
        gap = parted * (1 - rounding + rounding * self._round) * (1 - sealing(controls))
        gap[self._outside] = 0
        close = wanted - gap
        upper[:, 1] += UPPER_SHARE * close
        lower[:, 1] -= (1 - UPPER_SHARE) * close
        lines[Level.UPPER_EDGE, :, 1] += 0.85 * UPPER_SHARE * close
        lines[Level.LOWER_EDGE, :, 1] -= 0.88 * (1 - UPPER_SHARE) * close
        lines[Level.FOLD, :, 1] -= 0.25 * (1 - UPPER_SHARE) * close
        return lines, gap.astype(np.float32)


def lips_part(lines: Floats) -> bool:
    """Whether the lips move apart or together at all; else one layer serves both."""
    return bool(np.abs(lines[Level.UPPER_CONTACT] - lines[Level.LOWER_CONTACT]).max() > 1e-3)


_JAW, _CLOSE, _FUNNEL, _PUCKER = (index(n) for n in ("jawOpen", "mouthClose", "mouthFunnel", "mouthPucker"))
_PRESS = [index("mouthPressLeft"), index("mouthPressRight")]
_PART = [index(n) for n in ("mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight")]


def sealing(controls: Floats) -> float:
    """0..1: how far the lips are brought together from wherever the other channels put them.

    ``mouthClose`` closes what opens the mouth (ARKit: lips together independent of the jaw), so equal
    values of it and of ``jawOpen`` seal the lips; pressed lips are sealed ones.
    """
    opens = float(controls[_JAW] + 0.25 * controls[_FUNNEL] + 0.2 * controls[_PART].sum())
    closed = min(1.0, float(controls[_CLOSE]) / max(opens, 0.03))
    pressed = min(1.0, 0.9 * float(controls[_PRESS].sum()))
    seal = 1 - (1 - closed) * (1 - pressed)
    return 1.0 if seal > SEALED else seal


def _basis(anatomy: Anatomy) -> Floats:
    """float32 [USED, 7, CHART_COLUMNS, 2] in half mouth widths."""
    u = anatomy.columns
    a = np.abs(u)
    basis = np.zeros((USED, len(Level), len(u), 2), np.float32)
    fit = min(1.0, WIDEST_MOUTH * anatomy.eye_span / anatomy.half_mouth)
    lips = np.clip(1 - a**2.2, 0, 1) ** 0.72  # across the lips: 1 in the middle, 0 in the corners
    lip_edge = np.clip(1 - (a / 1.12) ** 2, 0, 1) ** 0.8
    cheek = np.where(a < 1, 1.0, 0.5 + 0.5 * np.cos(np.pi * np.clip((a - 1) / 1.5, 0, 1)))
    corner = np.minimum(a, 1) ** 2 * cheek  # 0 in the middle, 1 in the corners, fading over the cheek
    hinge = np.exp(-((a / 1.9) ** 2.4)) * (0.5 + 0.5 * np.cos(np.pi * np.clip(a / 3, 0, 1)))
    spread = np.sign(u) * np.minimum(a, 1) ** 1.3 * cheek
    sides = {"Left": np.clip((u + 0.35) / 0.7, 0, 1), "Right": np.clip((0.35 - u) / 0.7, 0, 1)}
    sides = {name: s * s * (3 - 2 * s) for name, s in sides.items()}  # +u is the avatar's left

    def put(name: str, level: Level, along: Floats | float, down: Floats | float) -> None:
        basis[index(name), level, :, 0] += along
        basis[index(name), level, :, 1] += down

    j = JAW_DROP * fit
    put("jawOpen", Level.NOSE, 0, 0.05 * j * corner)
    put("jawOpen", Level.UPPER_EDGE, -0.03 * u * cheek, j * (0.22 * corner - 0.03 * lips))
    put("jawOpen", Level.UPPER_CONTACT, -0.06 * u * cheek, j * (0.32 * corner - 0.05 * lips))
    put("jawOpen", Level.LOWER_CONTACT, -0.06 * u * cheek, j * (0.32 * cheek + 0.63 * lips))
    put("jawOpen", Level.LOWER_EDGE, -0.05 * u * cheek, j * (0.35 * cheek + 0.62 * lip_edge))
    put("jawOpen", Level.FOLD, -0.02 * u * cheek, 0.98 * j * hinge)
    put("jawOpen", Level.JAW, 0, j * hinge)

    # roundness: the line between the lips is first made straight, or a smile turns the hole into a V
    bend = np.where(a < 1, anatomy.flat - anatomy.flat[a < 1].mean(), -anatomy.flat[a < 1].mean())
    straight = -0.85 * bend * cheek
    pursed = np.where(a < 1, 1.0, 0.5 + 0.5 * np.cos(np.pi * np.clip((a - 1) / 1.0, 0, 1)))
    bow = np.asarray(_bow(u, anatomy.levels_upper[Level.UPPER_EDGE]))
    for name, narrow, up, down in (("mouthPucker", 0.40, 0.03, 0.03), ("mouthFunnel", 0.33, 0.10, 0.13)):
        put(name, Level.NOSE, -0.10 * narrow * u * pursed, 0)
        put(name, Level.UPPER_EDGE, -0.85 * narrow * u * pursed, 0.7 * straight - (up + 0.06) * lip_edge - 0.7 * bow)
        put(name, Level.UPPER_CONTACT, -narrow * u * pursed, straight - up * lips)
        put(name, Level.LOWER_CONTACT, -narrow * u * pursed, straight + down * lips)
        put(name, Level.LOWER_EDGE, -0.85 * narrow * u * pursed, 0.7 * straight + (down + 0.05) * lip_edge)
        put(name, Level.FOLD, -0.35 * narrow * u * pursed, 0.02)
        put(name, Level.JAW, -0.08 * narrow * u * pursed, 0)
    basis[index("mouthPucker"), [Level.UPPER_CONTACT, Level.LOWER_CONTACT], :, 1] -= np.array(
        [[-0.03], [0.03]], np.float32
    ) * lips.astype(np.float32)  # a bare pucker keeps the lips together

    for side, mask in sides.items():
        for name, out, up in (("mouthSmile", 0.20, 0.20), ("mouthStretch", 0.17, -0.05), ("mouthDimple", 0.11, 0.02),
                              ("mouthFrown", 0.02, -0.20)):  # fmt: skip
            for level, share in ((Level.NOSE, 0.32), (Level.UPPER_EDGE, 0.85), (Level.UPPER_CONTACT, 1),
                                 (Level.LOWER_CONTACT, 1), (Level.LOWER_EDGE, 0.85), (Level.FOLD, 0.45),
                                 (Level.JAW, 0.12)):  # fmt: skip
                put(name + side, level, share * out * spread * mask, -share * up * corner * mask)
        half = mask * lips
        put("mouthUpperUp" + side, Level.NOSE, 0, -0.05 * mask * cheek)
        put("mouthUpperUp" + side, Level.UPPER_EDGE, 0, -0.17 * mask * lip_edge)
        put("mouthUpperUp" + side, Level.UPPER_CONTACT, 0, -0.19 * half)
        put("mouthLowerDown" + side, Level.LOWER_CONTACT, 0, 0.20 * half)
        put("mouthLowerDown" + side, Level.LOWER_EDGE, 0, 0.19 * mask * lip_edge)
        put("mouthLowerDown" + side, Level.FOLD, 0, 0.06 * mask * lip_edge)
        put("mouthPress" + side, Level.UPPER_EDGE, 0, 0.075 * mask * lip_edge)
        put("mouthPress" + side, Level.LOWER_EDGE, 0, -0.09 * mask * lip_edge)
        way = 1.0 if side == "Left" else -1.0
        for level, share in ((Level.UPPER_EDGE, 0.8), (Level.UPPER_CONTACT, 1), (Level.LOWER_CONTACT, 1),
                             (Level.LOWER_EDGE, 0.9), (Level.FOLD, 0.5), (Level.JAW, 0.15)):  # fmt: skip
            put("mouth" + side, level, way * 0.16 * share * cheek, 0)
        for level, share in ((Level.LOWER_CONTACT, 0.7), (Level.LOWER_EDGE, 0.85), (Level.FOLD, 1), (Level.JAW, 1)):
            put("jaw" + side, level, way * 0.15 * share * hinge, 0)
    put("mouthRollUpper", Level.UPPER_EDGE, 0, 0.14 * lip_edge)
    put("mouthRollUpper", Level.UPPER_CONTACT, 0, 0.02 * lips)
    put("mouthRollLower", Level.LOWER_EDGE, 0, -0.19 * lip_edge)
    put("mouthRollLower", Level.LOWER_CONTACT, 0, -0.05 * lips)
    put("mouthRollLower", Level.FOLD, 0, -0.04 * lip_edge)
    put("mouthShrugUpper", Level.UPPER_EDGE, 0, -0.07 * lip_edge)
    put("mouthShrugUpper", Level.UPPER_CONTACT, 0, -0.05 * lips)
    put("mouthShrugLower", Level.LOWER_CONTACT, 0, -0.08 * lips)
    put("mouthShrugLower", Level.LOWER_EDGE, 0, -0.10 * lip_edge)
    put("mouthShrugLower", Level.FOLD, 0, -0.12 * lip_edge)
    put("mouthShrugLower", Level.JAW, 0, -0.03 * hinge)
    put("jawForward", Level.LOWER_EDGE, 0, 0.03 * lip_edge)
    put("jawForward", Level.JAW, 0, 0.03 * hinge)
    return basis


def _bow(u: Floats, edge: Floats) -> Floats:
    """The upper edge's bow: what it differs from a parabola, which is what protruding lips stretch it to."""
    lips = np.abs(u) < 0.8
    parabola = np.polyval(np.polyfit(u[lips], edge[lips], 2), u)
    return (edge - parabola) * np.clip((0.8 - np.abs(u)) / 0.3, 0, 1)
