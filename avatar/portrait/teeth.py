"""Pictures of teeth and tongue, made once for a face, placed in every frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from avatar.portrait.anatomy import Anatomy
from avatar.portrait.arrays import Floats, Pixels, blurred, resample, smoothstep

SPRITE_LEFT, SPRITE_TOP = -1.2, -0.8
SPRITE_WIDE, SPRITE_HIGH = 2.4, 2.0
"""What a sprite covers around the middle of the contact line, in half mouth widths."""

SHADE = np.array([0.66, 0.70, 1.10], np.float32)
"""Shade takes blue and green first: light inside a mouth has passed red walls. Shaded equally, teeth
turn grey-green beside pink lips."""

TOOTH_WIDTHS = (0.33, 0.25, 0.24, 0.20, 0.16)
"""Central incisor to second premolar, half mouth widths (25 mm), foreshortened along the arch."""


@dataclass(frozen=True, slots=True)
class Sprite:
    """A picture with transparency in mouth units.

    Attributes:
        premultiplied: float32 [rows, columns, 4], BGR times alpha, and alpha 0..1.
        scale: its pixels in half a mouth width.
    """

    premultiplied: Floats
    scale: float

    def over(
        self, under: Floats, place: Floats, left: int, top: int, strength: float, lit: Floats | None = None
    ) -> Floats:
        """Draw over ``under`` (BGR float32, the box at (left, top)).

            Args:
                place: float32 [2, 3], half mouth widths to frame pixels.
        X
        """
        if strength <= 0.01:
            return under
        matrix = np.empty((2, 3), np.float32)
        matrix[:, :2] = place[:, :2] / self.scale
        matrix[:, 2] = place[:, :2] @ (SPRITE_LEFT + 0.5 / self.scale, SPRITE_TOP + 0.5 / self.scale) + place[:, 2]
        matrix[:, 2] -= (left, top)
        drawn = cv2.warpAffine(self.premultiplied, matrix, (under.shape[1], under.shape[0]), flags=cv2.INTER_LINEAR)
        alpha = drawn[..., 3:] * np.float32(strength)
        colour = drawn[..., :3] * np.float32(strength)
        if lit is not None:
            light = lit.astype(np.float32)[..., None]
            colour *= light * (SHADE + (1 - SHADE) * light)
        return np.asarray(under * (1 - alpha) + colour)


def _canvas(half: float) -> tuple[Floats, Floats, float]:
    scale = max(24.0, 1.5 * half)
    columns, rows = int(SPRITE_WIDE * scale), int(SPRITE_HIGH * scale)
    u = SPRITE_LEFT + (np.arange(columns) + 0.5) / scale
    v = SPRITE_TOP + (np.arange(rows) + 0.5) / scale
    grid = np.meshgrid(u.astype(np.float32), v.astype(np.float32))
    return grid[0], grid[1], scale


def white_of(frame: Pixels, anatomy: Anatomy) -> Floats:
    """BGR of a tooth in full light of this picture.

    The whites of the eyes and the cheeks tell the light. It has a floor: teeth tinted by skin alone come
    out grey on drawn faces. It is warmer than the eyes: bluish or greenish teeth look dead.
    """
    points = anatomy.points
    span = anatomy.eye_span
    samples = []
    for cheek in (50, 280):
        x, y = (round(float(c)) for c in points[cheek, :2])
        r = max(1, int(0.06 * span))
        area = frame[max(0, y - r) : y + r + 1, max(0, x - r) : x + r + 1].reshape(-1, 3)
        if len(area):
            samples.append(np.median(area, 0))
    skin = np.max(samples, 0) if samples else np.array([170.0, 180, 210])
    light = max(158.0, min(228.0, 1.12 * float(skin @ (0.114, 0.587, 0.299))))
    return (light * np.array([0.885, 0.94, 1.0])).astype(np.float32)


def row_of_teeth(frame: Pixels, anatomy: Anatomy, *, upper: bool) -> Sprite:
    """Ten teeth and gum; the biting edge 0.12 below (upper) or at (lower) the sprite's middle."""
    u, v, scale = _canvas(anatomy.half_mouth)
    white = white_of(frame, anatomy)
    a = np.abs(u)
    widths = np.array(TOOTH_WIDTHS) * (1.0 if upper else 0.72)
    ends = np.cumsum(widths)
    which = np.clip(np.searchsorted(ends, a), 0, len(ends) - 1)
    starts = ends - widths
    inside = np.clip((a - starts[which]) / widths[which], 0, 1)  # across one tooth
    edge_shift = (
        np.array([0.0, -0.018, -0.006, -0.03, -0.05])[which] if upper else np.array([0, 0.005, 0, 0.02, 0.03])[which]
    )
    rounded = 0.028 * (2 * np.abs(inside - 0.5)) ** 4
    if upper:
        edge = 0.12 + edge_shift - rounded - 0.05 * a**2
        towards = edge - v  # inside the tooth: positive
        gum_line = -0.34 + 0.10 * (2 * inside - 1) ** 2
        gum = smoothstep(gum_line + 0.04, gum_line - 0.04, v)
    else:
        edge = edge_shift + rounded + 0.04 * a**2
        towards = v - edge
        gum_line = 0.34 - 0.08 * (2 * inside - 1) ** 2
        gum = smoothstep(gum_line - 0.04, gum_line + 0.04, v)
    soft = 1.2 / scale
    alpha = smoothstep(-soft, soft, towards) * smoothstep(ends[-1] + 0.02, ends[-1] - 0.05, a)
    joint = 1 - 0.11 * np.exp(-((np.minimum(inside, 1 - inside) * widths[which] / 0.03) ** 2))
    round_off = 1 - 0.05 * (2 * inside - 1) ** 2
    body = 1 - 0.06 * smoothstep(0.08, 0.0, towards)
    side = 1 - 0.30 * smoothstep(0.25, 0.9, a)
    shade = (joint * round_off * body * side)[..., None]
    colour = white * np.power(shade, np.array([1.35, 1.15, 0.9]))  # shade towards red, never towards green
    gums = np.array([0.50, 0.50, 0.80], np.float32) * white.max()
    colour = colour + (gums - colour) * gum[..., None]
    # sprites are resampled at about their own size: soften to what the picture itself resolves
    rgba = np.dstack([colour * alpha[..., None], alpha]).astype(np.float32)
    return Sprite(blurred(rgba, 0.9), scale)


def tongue(half: float) -> Sprite:
    """A rounded tongue, its top at the sprite's middle."""
    u, v, scale = _canvas(half)
    top = 0.16 * np.abs(u / 0.62) ** 2.4 + 0.025 * np.exp(-((u / 0.09) ** 2))
    depth = v - top
    alpha = smoothstep(-0.06, 0.05, depth) * smoothstep(0.78, 0.60, np.abs(u))
    light = 0.62 + 0.38 * smoothstep(0.0, 0.28, depth) - 0.25 * smoothstep(0.15, 0.75, np.abs(u))
    light = light - 0.10 * np.exp(-((u / 0.05) ** 2)) * smoothstep(0.0, 0.2, depth)
    colour = np.array([112, 108, 190], np.float32) * light[..., None]
    rgba = np.dstack([colour * alpha[..., None], alpha]).astype(np.float32)
    return Sprite(blurred(rgba, 1.2), scale)


@dataclass(frozen=True, slots=True)
class OwnTeeth:
    """What the picture itself shows between its parted lips.

    Attributes:
        sprite: it, continued upwards, since lips rise.
        bright: it is a row of teeth fit to be the upper row in every shape; else it is shown only near
            the picture's own opening.
    """

    sprite: Sprite
    bright: bool


def own_teeth(frame: Pixels, anatomy: Anatomy) -> OwnTeeth | None:
    """The inside of the mouth in a picture with parted lips; None where they touch."""
    if float(anatomy.rest_gap.max()) <= 0:
        return None
    u, v, scale = _canvas(anatomy.half_mouth)
    middle = len(anatomy.columns) // 2
    start = float(anatomy.levels_upper[2][middle])
    upper, lower = (
        np.interp(u[0], anatomy.columns, levels[2]) - start for levels in (anatomy.levels_upper, anatomy.levels_lower)
    )
    inset = np.minimum(0.05, 0.3 * (lower - upper))  # the lips' own edges blur into the picture's teeth
    at = anatomy.from_mouth(u, np.clip(v, upper + inset, np.maximum(lower - inset, upper + inset)) + start)
    colour = resample(frame, at).astype(np.float32)
    inside = (v > upper + inset) & (v < lower - inset) & (np.abs(u) < 0.6)
    weights = np.array([0.114, 0.587, 0.299], np.float32)
    bright = (
        inside.any()
        and float((colour[inside] @ weights > 0.62 * float(white_of(frame, anatomy) @ weights)).mean()) > 0.5
    )
    soft = 1.0 / scale
    alpha = smoothstep(lower - 0.01 + soft, lower - 0.04 - soft, v) * (np.abs(u) < 1)
    shade = 1 - 0.5 * smoothstep(0.05, 0.45, upper - v)
    rgba = np.dstack([colour * (alpha * shade)[..., None], alpha]).astype(np.float32)
    return OwnTeeth(Sprite(rgba, scale), bool(bright))
