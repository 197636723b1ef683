"""Finds where the lips end towards the mouth's inside, finer than landmarks tell."""

from __future__ import annotations

import cv2
import numpy as np

from avatar.portrait.arrays import Floats, Pixels, resample

LINE_SAMPLES = 65
CORNERS = (61, 291)
INNER_CORNERS = (78, 308)
UPPER_INNER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)

TOUCHING = 0.09
"""Gap, in half mouth widths, below which lips count as touching: on closed mouths the landmarks' inner
lips lie up to this far apart."""

SEARCH = 0.17
"""How far from the landmarks the line is looked for, in half mouth widths: landmarks of closed lips are
off by a pixel or two, which would glue a sliver of one lip to the other."""


def mouth_frame(points: Floats) -> tuple[Floats, Floats, Floats, float]:
    """Centre, unit vector along the corners (to the picture's right), unit vector down, half width in pixels."""
    left = (points[CORNERS[0], :2] + points[INNER_CORNERS[0], :2]) / 2
    right = (points[CORNERS[1], :2] + points[INNER_CORNERS[1], :2]) / 2
    half = float(np.linalg.norm(right - left)) / 2
    along = (right - left) / (2 * half)
    down = np.array([-along[1], along[0]], np.float32)
    return (left + right) / 2, along, down, half


def curve_in_frame(points: Floats, indices: tuple[int, ...], at: Floats) -> Floats:
    """Heights of a landmark curve at positions ``at`` along the mouth, both in half mouth widths."""
    centre, along, down, half = mouth_frame(points)
    relative = (points[list(indices), :2] - centre) / half
    u, v = relative @ along, relative @ down
    order = np.argsort(u)
    return np.interp(at, u[order], v[order]).astype(np.float32)


def find_lip_line(gray: Pixels, points: Floats) -> Floats:
    """See ``Rig.lip_line``.

    Touching lips: the darkest path between the corners near the landmarks' middle, by dynamic programming.
    Parted lips: the landmarks' inner contours.
    """
    u = np.linspace(-1, 1, LINE_SAMPLES, dtype=np.float32)
    upper, lower = (curve_in_frame(points, side, u) for side in (UPPER_INNER, LOWER_INNER))
    lower = np.maximum(upper, lower)
    if (lower - upper).max() >= TOUCHING:
        taper = np.clip((1 - np.abs(u)) / 0.06, 0, 1)  # both lips meet in the corners
        middle, half_gap = (upper + lower) / 2, (lower - upper) / 2 * taper
        return np.stack([middle - half_gap, middle + half_gap]).astype(np.float32)
    line = _darkest_path(gray, points, u, (upper + lower) / 2)
    return np.stack([line, line])


def _darkest_path(gray: Pixels, points: Floats, u: Floats, prior: Floats) -> Floats:
    centre, along, down, half = mouth_frame(points)
    steps = max(9, int(2 * SEARCH * half * 2) | 1)  # half a pixel apart
    offsets = np.linspace(-SEARCH, SEARCH, steps, dtype=np.float32)
    free = np.clip((1 - np.abs(u)) / 0.15, 0, 1)[None]  # the corners themselves are the landmarks'
    v = prior[None] + offsets[:, None] * free
    positions = centre + half * (u[None, :, None] * along + v[..., None] * down)
    sampled = resample(gray, positions)
    darkness = cv2.GaussianBlur(sampled.astype(np.float32), (3, 1), 0)
    spread = float(darkness.std()) + 1.0
    cost = darkness / spread + 0.25 * (offsets[:, None] / SEARCH) ** 2
    bend = 0.35 * np.abs(np.arange(steps)[:, None] - np.arange(steps)[None]) ** 2
    total, back = cost[:, 0], np.zeros((steps, len(u)), np.intp)
    for i in range(1, len(u)):
        ways = total[None] + bend
        back[:, i] = ways.argmin(1)
        total = ways.min(1) + cost[:, i]
    path = np.zeros(len(u), np.intp)
    path[-1] = total.argmin()
    for i in range(len(u) - 1, 0, -1):
        path[i - 1] = back[path[i], i]
    line = prior + offsets[path] * free[0]
    return np.asarray(cv2.GaussianBlur(line[None], (0, 0), 1.2, borderType=cv2.BORDER_REPLICATE)[0], np.float32)
