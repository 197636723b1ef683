"""Lids and gaze, painted into the picture before it is moved: two small patches, kept while unchanged."""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise

import cv2
import numpy as np

from avatar.portrait.anatomy import Anatomy
from avatar.portrait.arrays import Floats, Pixels, blurred, gray_of, resample, smoothstep, to_pixels
from avatar.portrait.controls import index

UPPER_LID = {
    "Right": (33, 246, 161, 160, 159, 158, 157, 173, 133),
    "Left": (362, 398, 384, 385, 386, 387, 388, 466, 263),
}
LOWER_LID = {"Right": (33, 7, 163, 144, 145, 153, 154, 155, 133), "Left": (362, 382, 381, 380, 374, 373, 390, 249, 263)}
IRISES = (range(468, 473), range(473, 478))  # centre first

STEPS = 32
"""Lid and gaze positions told apart: a step is a fifth of a pixel at 512, and blinks repeat from memory."""

KEPT = 96
"""Patches remembered per eye (about 15 kB each at 512)."""

UPPER_SHARE = 0.88
"""Of the way that closing lids go, the upper one goes this share."""

LASH_PX = 0.022
"""Height of the lash line that moves with the lid's edge unstretched, in eye spans."""

CREASE = 0.085
"""From the lid's edge up to its crease, in eye spans."""

LID_TOP = 0.20
"""From the lid's edge up to where the skin rests, in eye spans: just under the brow."""

LIDS_WIDER, CORNERS_WIDER = 0.010, 0.05
"""The open eye is larger than its landmarks, on photographs as on drawings: the upper lid by this many eye
spans, the corners by this part of the eye's width. Without, a strip of the iris stays behind on the lid."""

SOFT_PX = 1.2
"""Width of the edge between lid and eye."""

LOOK_SIDE, LOOK_UP = 0.85, 0.50
"""Shift of the iris at full gaze, in its radii."""


class Eyes:
    """Paints both eyes of one face.

    Args:
        frame: BGR uint8, the picture at frame size.
        anatomy: of the face in it.
    """

    def __init__(self, frame: Pixels, anatomy: Anatomy) -> None:
        self._eyes = [Eye(frame, anatomy, side) for side in ("Right", "Left")]

    @property
    def bottom(self) -> int:
        """First row of the frame below everything painted here."""
        return max(int(eye.where[0].stop) for eye in self._eyes)

    def paint(self, texture: Pixels, controls: Floats) -> None:
        """Paint both eyes over ``texture``, whatever was painted there before."""
        for eye in self._eyes:
            eye.paint(texture, controls)


class Eye:
    """One eye: ``side`` is the avatar's own."""

    def __init__(self, frame: Pixels, anatomy: Anatomy, side: str) -> None:
        self._span = span = anatomy.eye_span
        points = anatomy.points
        upper, lower = (points[list(lid[side]), :2] for lid in (UPPER_LID, LOWER_LID))
        size = frame.shape[0]
        wide = upper[-1, 0] - upper[0, 0]
        left = int(np.clip(upper[0, 0] - 0.30 * wide, 0, size - 4))
        right = int(np.clip(upper[-1, 0] + 0.30 * wide, left + 4, size))
        top = int(np.clip(upper[:, 1].min() - (LID_TOP + 0.05) * span, 0, size - 4))
        bottom = int(np.clip(lower[:, 1].max() + 0.16 * span, top + 4, size))
        self.where = (slice(top, bottom), slice(left, right))
        self._original = frame[self.where].copy()
        self._y, self._x = np.mgrid[top:bottom, left:right].astype(np.float32)
        x = self._x[0]
        centre = (upper[0] + upper[-1]) / 2
        iris = min(IRISES, key=lambda ring: float(np.linalg.norm(points[ring[0], :2] - centre)))
        radius = float(np.mean([np.linalg.norm(points[i, :2] - points[iris[0], :2]) for i in iris[1:]]))
        gray = blurred(gray_of(frame).astype(np.float32), 0.8)
        self._iris, self._radius = fit_iris(gray, points[iris[0], :2], radius)
        along = np.clip((x - upper[0, 0]) / max(wide, 1.0), 0, 1)
        wider = LIDS_WIDER * span * np.sqrt(4 * along * (1 - along))
        self._upper, self._lower = _lid(upper, x) - wider, _lid(lower, x) + 0.8 * wider
        self._lower = np.maximum(self._lower, self._upper)
        outer = upper[0, 0] if side == "Right" else upper[-1, 0]
        # past its corner the closing lid still takes the lash line down, or a hook stays behind
        self._tail = 0.20 * np.exp(-(((x - outer) / (0.15 * wide)) ** 2)) * float((self._lower - self._upper).max())
        # room that the iris has to each corner, less what would fold the white
        self._room = (
            0.6 * (self._iris[0] - self._radius - upper[0, 0]),
            0.6 * (upper[-1, 0] - self._radius - self._iris[0]),
        )
        reach = np.where(x < self._iris[0], self._iris[0] - upper[0, 0], upper[-1, 0] - self._iris[0])
        self._moves = smoothstep(
            1.0, 1.15 * self._radius / max(float(reach.max()), 1.0), np.abs(x - self._iris[0]) / reach
        )
        self._ball = self._eyeball(frame)
        self._lid_colour = self._lid_skin(frame)
        towards_left = side == "Left"
        self._channels = [index(name + side) for name in (
            "eyeBlink", "eyeSquint", "eyeWide", "eyeLookUp", "eyeLookDown", "eyeLookOut", "eyeLookIn",
        )]  # fmt: skip
        self._outwards = 1.0 if towards_left else -1.0  # the avatar's left is at the picture's right
        self._kept: OrderedDict[tuple[int, ...], Pixels] = OrderedDict()
        self._shown: tuple[int, ...] = (0, 0, 0, 0)

    def paint(self, texture: Pixels, controls: Floats) -> None:
        key = self._key(controls)
        if key == self._shown:
            return
        self._shown = key
        patch = self._kept.get(key)
        if patch is None:
            patch = self._draw(*(k / STEPS for k in key)) if any(key) else self._original
            self._kept[key] = patch
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        texture[self.where] = patch

    def _key(self, controls: Floats) -> tuple[int, ...]:
        """(upper lid, lower lid, gaze right, gaze down) in steps: 0 at rest, STEPS closed or far."""
        blink, squint, wide, up, down, out, inwards = (float(v) for v in controls[self._channels])
        upper = 0.22 * squint - 0.20 * wide + 0.42 * down - 0.12 * up
        upper = min(1.0, blink + (1 - blink) * upper)
        lower = min(1.0, blink + (1 - blink) * 1.0 * squint)
        aside = float(np.clip(self._outwards * (out - inwards), -1, 1))
        return tuple(round(v * STEPS) for v in (upper, lower, aside, down - up))

    def _eyeball(self, frame: Pixels) -> Pixels:
        """The eye without lids: hidden iris is mirrored from its visible part, hidden white continued."""
        x, y = self._x, self._y
        # the lids' edges shade and blur the last pixel
        low, high = self._upper + 1.2, np.maximum(self._lower - 1.0, self._upper + 1.2)
        known = np.clip(y - low + 0.5, 0, 1) * np.clip(high - y + 0.5, 0, 1)
        away = np.hypot(x - self._iris[0], y - self._iris[1]) / self._radius
        unknown = ((known < 0.5) | (away < 1.18)).astype(np.uint8)
        white = self._original
        if unknown.min() == 0:
            white = np.asarray(cv2.inpaint(self._original, unknown, 2, cv2.INPAINT_TELEA), np.uint8)
        # above, its lower half mirrored: of two mirrored places the darker, the other holds the light's
        # reflection; below, where only the rim can be hidden, its last visible row
        lowest = np.maximum(high - 1.0, low)
        mirrored = np.where(y > high, lowest, np.clip(2 * self._iris[1] - y, low + 1.5, lowest))
        ways = [
            resample(frame, np.stack([at_x, mirrored], -1)).astype(np.float32) for at_x in (x, 2 * self._iris[0] - x)
        ]
        darker = np.where(ways[0].sum(-1, keepdims=True) < ways[1].sum(-1, keepdims=True), *ways)
        disc = np.clip((1.0 - away) * self._radius / 1.5 + 0.5, 0, 1)[..., None]
        built = white * (1 - disc) + darker * disc
        return to_pixels(built + (self._original - built) * known[..., None])

    def _lid_skin(self, frame: Pixels) -> Floats:
        """Colour of the closed lid along the eye, float32 [columns, 3].

        Sampled a few pixels above the lash line, whose darkness would make the closed lid a bruise, and
        below the eye, where the light is the same and no crease shades it.
        """
        x = self._x[0]
        rows = []
        for heights, share in (
            (self._upper - (LASH_PX + 0.02) * self._span, 0.3),
            (self._upper - (LASH_PX + 0.04) * self._span, 0.3),
            (self._lower + 0.10 * self._span, 0.4),
        ):
            at = np.stack([x, heights], -1)[None]
            rows.append(share * resample(frame, at)[0].astype(np.float32))
        colour = np.sum(rows, 0)[None]
        return np.asarray(blurred(colour, max(1.0, 0.035 * self._span))[0])

    def _draw(self, upper: float, lower: float, aside: float, down: float) -> Pixels:
        span, x, y = self._span, self._x, self._y
        high = self._lower - self._upper
        drop = UPPER_SHARE * upper * high + max(upper, 0.0) * self._tail  # of the upper lid's edge, per column
        rise = (1 - UPPER_SHARE) * 1.6 * lower * high if lower < 1 else (1 - UPPER_SHARE) * high
        rise = np.clip(high - np.maximum(drop, 0), 0, rise)
        edge = self._upper + drop
        floor = np.maximum(self._lower - rise, edge)

        # skin above: rests under the brow, the crease gives a little, the lashes ride on the edge
        lash, crease, rest = (self._upper - k * span for k in (LASH_PX, CREASE, LID_TOP))
        knots_out = (rest, crease + 0.25 * drop, lash + drop)
        knots_in = (rest, crease, lash)
        above = y.copy()
        for (a_out, b_out), (a_in, b_in) in zip(pairwise(knots_out), pairwise(knots_in), strict=True):
            part = np.clip((y - a_out) / (b_out - a_out), 0, 1)
            above += part * ((b_in - a_in) - (b_out - a_out))
        skin = resample(self._original, np.stack([x - x[0, 0], above - y[0, 0]], -1)).astype(np.float32)
        if upper > 0:
            # unfolded lid: its own colour between crease and lashes, rounded by light
            t = np.clip((y - knots_out[1]) / np.maximum(knots_out[2] - knots_out[1], 1), 0, 1)
            between = smoothstep(0.0, 0.30, t) * smoothstep(knots_out[2] + 0.01 * span, knots_out[2] - 0.015 * span, y)
            new = np.clip(drop / (0.07 * span), 0, 1)
            light = 0.94 + 0.10 * np.sin(np.pi * np.clip(t, 0, 1)) - 0.05 * t
            amount = (0.85 * between * new)[..., None]
            skin += (self._lid_colour * light[..., None] - skin) * amount
            # closed lids end in lashes, whether or not the picture resolves them
            skin *= 1 - 0.32 * min(1.0, upper) * (np.exp(-(((edge - y) / (0.011 * span)) ** 2)) * (high > 1))[..., None]

        # skin below: follows the lower lid's edge and rests a little under it
        calm = np.clip((y - floor) / (0.13 * span), 0, 1)
        below = resample(self._original, np.stack([x - x[0, 0], y + rise * (1 - calm) ** 2 - y[0, 0]], -1)).astype(
            np.float32
        )

        shift_x = aside * LOOK_SIDE * self._radius
        shift_x = float(np.clip(shift_x, -max(self._room[0], 0), max(self._room[1], 0)))
        shift_y = down * LOOK_UP * self._radius
        ball_at = np.stack([x - shift_x * self._moves - x[0, 0], y - shift_y * self._moves - y[0, 0]], -1)
        ball = resample(self._ball, ball_at).astype(np.float32)
        shade = 1 - 0.30 * min(1.0, max(0.0, 2.5 * upper)) * np.exp(-np.maximum(y - edge, 0) / (0.03 * span))
        ball *= shade[..., None]

        over = np.clip((edge - y) / SOFT_PX + 0.5, 0, 1)
        under = np.clip((y - floor) / SOFT_PX + 0.5, 0, 1)
        seen = np.clip(1 - over - under, 0, 1) * np.clip((floor - edge) / SOFT_PX - 0.2, 0, 1)
        lids = (1 - seen) / np.maximum(over + under, 1e-3)
        painted = skin * (over * lids)[..., None] + below * (under * lids)[..., None] + ball * seen[..., None]
        # the patch's border is the picture
        border = np.minimum.reduce([x - x[0, 0], x[0, -1] - x, y - y[0, 0], y[-1, 0] - y])
        keep = np.clip(border / 3, 0, 1)[..., None]
        return to_pixels(painted * keep + self._original * (1 - keep))


def fit_iris(gray: Floats, centre: Floats, radius: float) -> tuple[Floats, float]:
    """Centre and radius where the iris's sides meet the white, near the landmarks'.

    Landmarks take the iris's size from an average eye; a drawn one is larger, and a disc of the wrong size
    turns square once it looks aside.
    """
    angles = np.radians([-32, -16, 0, 16, 32, 148, 164, 180, 196, 212])
    ways = np.stack([np.cos(angles), np.sin(angles)], -1)
    dark = float(np.median(resample(gray, (centre + 0.7 * radius * ways)[None])))
    best, found = -np.inf, (centre, radius)
    for grow in np.linspace(0.85, 1.25, 9):
        for aside in np.linspace(-0.2, 0.2, 9):
            for below in np.linspace(-0.25, 0.15, 5):
                middle = centre + radius * np.array([aside, below], np.float32)
                rim = middle + grow * radius * ways
                step = resample(gray, (rim + ways)[None])[0] - resample(gray, (rim - ways)[None])[0]
                step = np.clip(step, -15, 25)  # the light's reflection on the pupil is a stronger edge
                white = resample(gray, (middle + 1.22 * grow * radius * ways)[None])[0]
                step += 0.12 * np.minimum(white - dark, 60)
                unlikely = abs(grow - 1) + abs(aside) + abs(below)
                score = float(min(step[:5].mean(), step[5:].mean())) - 6 * unlikely
                if score > best:
                    best, found = score, (middle, float(grow * radius))
    return found


def _lid(points: Floats, x: Floats) -> Floats:
    """Heights of a lid's edge at columns ``x``; beyond the corners it goes on level."""
    order = np.argsort(points[:, 0])
    points = points[order].copy()
    wide = CORNERS_WIDER * (points[-1, 0] - points[0, 0])
    points[0, 0] -= wide
    points[-1, 0] += wide
    line = np.interp(x, points[:, 0], points[:, 1])
    kernel = np.array([1, 2, 3, 2, 1]) / 9
    return np.convolve(np.pad(line, 2, mode="edge"), kernel, mode="valid").astype(np.float32)
