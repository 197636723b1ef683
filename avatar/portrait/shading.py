"""Soft light and shadow that moving skin makes: smile folds, hollow cheeks, the chin's shadow on the neck."""

from __future__ import annotations

import cv2
import numpy as np

from avatar.portrait.anatomy import Anatomy
from avatar.portrait.arrays import Floats, Pixels, smoothstep
from avatar.portrait.controls import index

STEPS = 64
"""Weights are taken in steps, so that a resting face costs nothing."""


SKIN_SHADE = np.array([1.25, 1.12, 0.75], np.float32)
"""Skin in shade is redder, not greyer (BGR)."""


class Shading:
    """Shades the lower face of one picture, before it is moved.

    Args:
        frame: BGR uint8, the picture at frame size.
        anatomy: of the face in it.
        below: first row that may change (above it the eyes are painted).
    """

    def __init__(self, frame: Pixels, anatomy: Anatomy, below: int) -> None:
        size = frame.shape[0]
        reach = anatomy.from_mouth(np.array([-2.6, 2.6, 0, 0]), np.array([0, 0, -1.6, 3.2]))
        left, right = (int(np.clip(v, 0, size)) for v in (reach[0, 0], reach[1, 0]))
        top, bottom = int(np.clip(reach[2, 1], below, size)), int(np.clip(reach[3, 1], below, size))
        self._where = (slice(top, max(bottom, top)), slice(left, max(right, left)))
        y, x = np.mgrid[self._where].astype(np.float32)
        u, v = anatomy.to_mouth(np.stack([x, y], -1))
        shapes = _shapes(anatomy, u, v)
        border = np.minimum.reduce([x - left, right - 1 - x, y - top, bottom - 1 - y]) if x.size else x
        fade = np.clip(border / max(1.0, 0.2 * anatomy.half_mouth), 0, 1)
        self._base = frame[self._where].astype(np.float32)
        light = np.stack([shapes[name] * fade for name in SHAPES])
        self._deltas = (light[..., None] * SKIN_SHADE * frame[self._where]).astype(np.float32)
        self._shown = np.zeros(len(SHAPES), np.intp)

    def paint(self, texture: Pixels, controls: Floats) -> None:
        """Shade ``texture``, whatever was painted there before."""
        weights = np.array([float(sum(k * controls[i] for i, k in parts)) for parts in SHAPES.values()])
        steps = np.round(np.clip(weights, 0, 1.2) * STEPS).astype(np.intp)
        if np.array_equal(steps, self._shown) or not self._base.size:
            return
        self._shown = steps
        shaded: Floats = self._base
        for i in np.flatnonzero(steps):
            shaded = np.asarray(cv2.scaleAdd(self._deltas[i], steps[i] / STEPS, shaded), np.float32)
        texture[self._where] = cv2.convertScaleAbs(shaded)


def _parts(**channels: float) -> list[tuple[int, float]]:
    return [(index(name), k) for name, k in channels.items()]


SHAPES = {
    "fold_right": _parts(mouthSmileRight=1.0, noseSneerRight=0.6, mouthUpperUpRight=0.4, cheekSquintRight=0.2,
                         mouthDimpleRight=0.4, mouthStretchRight=0.25),
    "fold_left": _parts(mouthSmileLeft=1.0, noseSneerLeft=0.6, mouthUpperUpLeft=0.4, cheekSquintLeft=0.2,
                        mouthDimpleLeft=0.4, mouthStretchLeft=0.25),
    "jaw": _parts(jawOpen=1.0),
    "purse": _parts(mouthPucker=0.8, mouthFunnel=0.5),
    "press": _parts(mouthPressLeft=0.4, mouthPressRight=0.4, mouthShrugLower=0.8, mouthRollLower=0.3),
}  # fmt: skip
"""Which channels bring each shape out, and how much."""


def _shapes(anatomy: Anatomy, u: Floats, v: Floats) -> dict[str, Floats]:
    """Relative change of light, one map a shape, at mouth coordinates."""

    def blob(at_u: Floats | float, at_v: Floats | float, wide: float, high: float) -> Floats:
        return np.asarray(np.exp(-0.5 * (((u - at_u) / wide) ** 2 + ((v - at_v) / high) ** 2)))

    nose = float(np.median(anatomy.levels_upper[0]))
    jaw = np.interp(u, anatomy.columns, anatomy.levels_lower[-1])
    edge = np.interp(u, anatomy.columns, anatomy.levels_lower[3])
    # the fold runs from beside the nose wing, out and down past the corner of the mouth
    t = np.clip((v - (nose - 0.05)) / (0.55 - nose), 0, 1)
    fold_at = 0.78 + 0.62 * t**0.8
    along = smoothstep(nose - 0.30, nose + 0.15, v) * smoothstep(0.75, 0.15, v)
    folds = {}
    for name, side in (("fold_right", -1.0), ("fold_left", 1.0)):
        across = side * u - fold_at
        crease = np.exp(-0.5 * (across / 0.10) ** 2) + 0.5 * np.exp(-0.5 * ((across + 0.10) / 0.16) ** 2)
        cheek = np.exp(-0.5 * ((across - 0.32) / 0.22) ** 2)
        dimple = blob(side * 1.22, -0.12, 0.09, 0.14)
        folds[name] = (-0.07 * crease + 0.035 * cheek) * along * (side * u > 0) - 0.07 * dimple
    return {
        **folds,
        "jaw": (
            -0.07 * (blob(-1.75, 0.5, 0.35, 0.6) + blob(1.75, 0.5, 0.35, 0.6))
            - 0.16
            * smoothstep(jaw - 0.02, jaw + 0.12, v)
            * smoothstep(jaw + 1.1, jaw + 0.2, v)
            * smoothstep(2.0, 1.2, np.abs(u))
        ),
        "purse": -0.10 * (blob(-1.08, 0.0, 0.13, 0.22) + blob(1.08, 0.0, 0.13, 0.22)),
        "press": -0.10 * np.exp(-0.5 * ((v - edge - 0.16) / 0.10) ** 2) * smoothstep(1.0, 0.5, np.abs(u)),
    }
