"""What hands look like while they rest and while they gesture: shapes, places, and the draws among them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from avatar.motion.training.scenes.anatomy import AT, COUNT, CURLS, PLACE, Array, keypoints, over_face

LEFT, RIGHT = 0, 1


class Rest(StrEnum):
    """Where hands are while they say nothing."""

    ASIDE = "aside"  # arms hanging, hands below the picture
    FOLDED = "folded"  # one hand over the other before the belly
    LOW = "low"  # loosely together, half out of the picture
    TABLE = "table"  # forearms on a table, palms down
    FINGERS = "fingers"  # fingertips together
    ONE = "one"  # one hand before the belly, the other hanging


def pose(
    out: float, up: float, fwd: float, *, swivel: float = 25.0, supination: float = 0.0, flexion: float = 0.0,
    deviation: float = 0.0, curls: tuple[float, ...] = (0.2, 0.22, 0.27, 0.33, 0.4), spread: float = 0.35,
) -> Array:  # fmt: skip
    """One arm's parameters, float64 [anatomy.COUNT]."""
    return np.array([out, up, fwd, swivel, supination, flexion, deviation, *curls, spread])


HANGING = pose(0.235, -0.505, 0.09, swivel=20.0, supination=5.0, curls=(0.25, 0.3, 0.36, 0.42, 0.48))
_RELAXED, _LOOSE = (0.18, 0.2, 0.24, 0.28, 0.34), (0.25, 0.3, 0.36, 0.42, 0.5)
# Fingers point to the other hand, thumbs up: forearms come from the sides, wrists bend inwards.
_UPPER = pose(0.135, -0.315, 0.19, swivel=36.0, supination=-10.0, flexion=34.0, deviation=15.0, curls=_RELAXED)
_UNDER = pose(0.140, -0.330, 0.17, swivel=36.0, supination=-6.0, flexion=30.0, deviation=14.0, curls=_RELAXED)

_RESTS: dict[Rest, tuple[Array, Array]] = {  # the dominant hand's, the other's
    Rest.ASIDE: (HANGING, HANGING),
    Rest.FOLDED: (_UPPER, _UNDER),
    Rest.LOW: (
        pose(0.13, -0.375, 0.17, swivel=34.0, supination=-20.0, flexion=24.0, curls=_LOOSE),
        pose(0.13, -0.380, 0.16, swivel=34.0, supination=-14.0, flexion=22.0, curls=_LOOSE),
    ),
    Rest.TABLE: (
        pose(0.15, -0.345, 0.25, swivel=48.0, supination=-58.0, flexion=4.0, deviation=6.0, curls=(0.12, 0.16, 0.18, 0.22, 0.26)),
        pose(0.16, -0.350, 0.24, swivel=48.0, supination=-54.0, flexion=6.0, deviation=6.0, curls=(0.15, 0.2, 0.22, 0.26, 0.3)),
    ),
    Rest.FINGERS: (
        pose(0.155, -0.300, 0.20, swivel=40.0, supination=-4.0, flexion=28.0, deviation=16.0, curls=(0.1, 0.14, 0.14, 0.16, 0.18), spread=0.5),
        pose(0.155, -0.300, 0.20, swivel=40.0, supination=-4.0, flexion=28.0, deviation=16.0, curls=(0.1, 0.14, 0.14, 0.16, 0.18), spread=0.5),
    ),
    Rest.ONE: (_UPPER, HANGING),
}  # fmt: skip

_REST_JITTER = np.array([0.012, 0.012, 0.012, 4.0, 6.0, 4.0, 3.0, 0.05, 0.05, 0.05, 0.05, 0.05, 0.06])


def resting(rest: Rest, dominant: int, rng: np.random.Generator) -> list[Array]:
    """Both hands' poses at a rest, a little different every time: [left, right]."""
    first, second = _RESTS[rest]
    shift = rng.normal(0.0, 1.0, COUNT) * _REST_JITTER  # hands that lie on each other move together
    out = []
    for hand in (LEFT, RIGHT):
        base = first if hand == dominant else second
        own = rng.normal(0.0, 0.35, COUNT) * _REST_JITTER
        out.append(_limited(base + shift + own))
    return out


@dataclass(frozen=True, slots=True)
class Shape:
    """A way to hold the hand in a stroke.

    Attributes:
        share: how often, against the others.
        supination, flexion: mean and standard deviation, degrees.
        curls: of thumb to little finger.
        spread: of the fingers.
        upright: how much the hand is held up, metres at the wrist.
    """

    share: float
    supination: tuple[float, float]
    flexion: tuple[float, float]
    curls: tuple[float, float, float, float, float]
    spread: float
    upright: float = 0.0


SHAPES: dict[str, Shape] = {
    # Palm-up presentation and the open vertical hand are the commonest beats of speakers (Kendon, "Gesture", 2004, ch. 11-13).
    "offer": Shape(5.0, (52.0, 14.0), (-8.0, 7.0), (0.10, 0.10, 0.15, 0.20, 0.26), 0.5),
    "side": Shape(5.0, (6.0, 14.0), (10.0, 10.0), (0.12, 0.12, 0.16, 0.21, 0.27), 0.45),
    "settle": Shape(2.5, (-52.0, 12.0), (-16.0, 7.0), (0.12, 0.10, 0.12, 0.15, 0.18), 0.5),
    "loose": Shape(3.5, (0.0, 22.0), (14.0, 10.0), (0.28, 0.34, 0.42, 0.48, 0.54), 0.35),
    "pinch": Shape(1.5, (2.0, 14.0), (6.0, 8.0), (0.50, 0.47, 0.30, 0.25, 0.22), 0.6),
    "chop": Shape(1.2, (2.0, 8.0), (0.0, 5.0), (0.10, 0.03, 0.03, 0.04, 0.05), 0.1),
    "ball": Shape(1.5, (-14.0, 16.0), (8.0, 9.0), (0.18, 0.26, 0.26, 0.26, 0.26), 0.95),
    "fist": Shape(0.4, (0.0, 15.0), (0.0, 6.0), (0.60, 0.82, 0.84, 0.84, 0.84), 0.1),
    "point": Shape(0.5, (-25.0, 14.0), (-4.0, 6.0), (0.50, 0.04, 0.80, 0.84, 0.86), 0.2, 0.03),
    "count": Shape(0.4, (30.0, 10.0), (-8.0, 6.0), (0.60, 0.04, 0.84, 0.86, 0.86), 0.45, 0.06),
}
COUNTED = {1: (0.60, 0.04, 0.84, 0.86, 0.86), 2: (0.60, 0.04, 0.06, 0.86, 0.86), 3: (0.65, 0.04, 0.05, 0.08, 0.86)}
ONE_HANDED = frozenset({"point", "count"})

_LOWEST = np.array([-0.04, -0.52, 0.02, 0.0, -80.0, -45.0, -15.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
_HIGHEST = np.array([0.40, 0.02, 0.40, 75.0, 75.0, 50.0, 22.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
"""Ranges of comfortable motion (wrist +-50 degrees, radial 15-20, forearm +-80; AAOS), and of places a talker uses."""

_TRIES = 12
_LOWEST_STROKE = -0.34
"""Metres: a stroke lower than this would leave the picture."""


def _limited(poses: Array) -> Array:
    return np.clip(poses, _LOWEST, _HIGHEST)


@dataclass(frozen=True, slots=True, eq=False)
class Stroke:
    """One stroke of one hand: from ``ready`` to ``apex``, float64 [anatomy.COUNT] each."""

    ready: Array
    apex: Array

    @property
    def length(self) -> float:
        """Way of the wrist, metres."""
        return float(np.linalg.norm(self.apex[PLACE] - self.ready[PLACE]))


def draw_stroke(
    shape: Shape, rng: np.random.Generator, *, amplitude: float, height: float, width: float, near: Array | None = None
) -> Stroke:
    """A reachable stroke whose hand stays off the face and on its own side of the body.

    Args:
        shape: of the hand.
        rng: what chance is left to.
        amplitude: of the stroke, 1 ordinary.
        height, width: where this person gestures, metres about the ordinary place.
        near: a pose whose place it stays close to, None for anywhere.
    """
    n = _TRIES
    apex = np.tile(pose(0.0, 0.0, 0.0), (n, 1))
    if near is None:
        apex[:, 0] = rng.normal(0.19 + width, 0.05, n)
        apex[:, 1] = np.maximum(rng.normal(-0.22 + height + shape.upright, 0.055, n), _LOWEST_STROKE)
        apex[:, 2] = rng.normal(0.16, 0.04, n)
    else:
        apex[:, PLACE] = near[PLACE] + rng.normal(0.0, 0.025, (n, 3))
    apex[:, AT["swivel"]] = rng.normal(32.0, 9.0, n)
    apex[:, AT["supination"]] = rng.normal(*shape.supination, n)
    apex[:, AT["flexion"]] = rng.normal(*shape.flexion, n)
    apex[:, AT["deviation"]] = rng.normal(4.0, 5.0, n)
    apex[:, CURLS] = np.array(shape.curls) + rng.normal(0.0, 0.04, (n, 5))
    apex[:, AT["spread"]] = shape.spread + rng.normal(0.0, 0.1, n)
    size = amplitude * rng.lognormal(0.0, 0.3, n)
    ready = apex.copy()
    ready[:, 0] -= size * rng.normal(0.015, 0.025, n)  # strokes go down, a little out, and to the listener
    ready[:, 1] += size * np.abs(rng.normal(0.055, 0.02, n))
    ready[:, 2] -= size * rng.normal(0.02, 0.015, n)
    ready[:, AT["flexion"]] -= size * rng.normal(9.0, 5.0, n)
    ready[:, AT["supination"]] -= size * np.sign(shape.supination[0]) * np.abs(rng.normal(10.0, 6.0, n))
    ready[:, CURLS.start + 1 : CURLS.stop] += 0.08 * rng.random((n, 1))
    apex, ready = _limited(apex), _limited(ready)
    seen = keypoints(np.stack((ready, apex)), left=True)
    fits = ~over_face(seen, 1.12).any(axis=0)
    fits &= (seen[..., 0].min(axis=(0, 2)) > 0.47) & (seen[..., 0].max(axis=(0, 2)) < 0.99)
    best = int(fits.argmax()) if fits.any() else int(seen[..., 1].min(axis=(0, 2)).argmax())
    return Stroke(ready[best], apex[best])
