"""Puts the mouth together at full resolution: upper lip, lower lip, and what shows between them."""

from __future__ import annotations

import cv2
import numpy as np

from avatar.portrait.anatomy import CHART_COLUMNS, REACH, Anatomy
from avatar.portrait.arrays import Floats, Pixels, fixed, resample_fixed
from avatar.portrait.body import Body
from avatar.portrait.interior import Aperture, Interior
from avatar.portrait.lip_shapes import JAW_DROP, Level
from avatar.portrait.warp import Charts, Grid

EDGE_PX = 1.7
"""Softness of the cut between lip and mouth's inside; a hard cut crawls."""

LEAK = 0.10
"""Share of a pixel that the two lips may leave uncovered before the inside shows: resampled maps err by
that much, and a closed mouth must not glimmer."""

HOLE_SLOPE = 1 / (255 * (1 - LEAK))
HOLE_START = 1.0
"""From the masks' sum (0..255) to how much of the inside shows: none from 1 - LEAK of full cover."""

PASSES = 6


class Mouth:
    """Draws the mouth of one face into rendered frames.

    Args:
        frame: BGR uint8, the picture at frame size.
        anatomy, body: of the face in it.
    """

    def __init__(self, frame: Pixels, anatomy: Anatomy, body: Body) -> None:
        self._anatomy = anatomy
        half = anatomy.half_mouth
        self._node = node = max(2, round(half / 11))
        # what may be drawn: sideways the lips, down as far as the lower lip's edge gets
        top = min(float(anatomy.levels_upper[0].max()), float(anatomy.levels_upper[1].min()) - 0.15)
        bottom = float(anatomy.levels_lower[3].max()) + JAW_DROP + 0.45
        corners = anatomy.from_mouth(
            np.array([-1.45, 1.45, -1.45, 1.45], np.float32), np.array([top, top, bottom, bottom], np.float32)
        )
        low, high = corners.min(0), corners.max(0)
        reach = 0.6 * half
        columns, rows = (int(np.ceil((high - low)[i] + 2 * reach) / node) + 2 for i in (0, 1))
        self._source = Grid(anatomy, body, (float(low[0] - reach), float(low[1] - reach)), node, columns, rows)
        self._body = body
        self._upper_mask, self._lower_mask = lip_masks(anatomy, frame.shape[0])
        self._interior = Interior(frame, anatomy)
        inner = np.flatnonzero(np.abs(anatomy.columns) <= 1)
        self._inner = inner
        u = anatomy.columns[inner]
        self._rest = np.stack([anatomy.from_mouth(u, side[2][inner]) for side in
                               (anatomy.levels_upper, anatomy.levels_lower)])  # fmt: skip
        self._weight, self._depth = body.head_at(self._rest)
        self._axes = (np.stack([anatomy.along, anatomy.down]) * half).astype(np.float32)

    def draw(
        self, out: Pixels, texture: Pixels, controls: Floats, lines: Floats, gap: Floats, charts: Charts, pose: Floats
    ) -> None:
        """Draw over ``out`` (BGR) what the lips cover and uncover; ``texture`` is the picture to move."""
        upper_curve, lower_curve = self._curves(lines, pose)
        node, size = self._node, out.shape[0]
        aperture = Aperture.between(upper_curve, lower_curve, gap[self._inner])
        x0, y0, columns, rows = self._output_box(upper_curve, lower_curve, size)
        if columns < 1 or rows < 1:
            return
        at = np.stack(np.meshgrid(
            x0 + node * np.arange(-1, columns + 1, dtype=np.float32) + (node - 1) / 2,
            y0 + node * np.arange(-1, rows + 1, dtype=np.float32) + (node - 1) / 2,
        ), -1).astype(np.float32)  # fmt: skip
        width, height = columns * node, rows * node
        # clip to the frame
        left, top = max(x0, 0), max(y0, 0)
        right, bottom = min(x0 + width, size), min(y0 + height, size)
        if right <= left or bottom <= top:
            return
        here = np.stack(np.meshgrid(np.arange(left, right), np.arange(top, bottom)), -1).astype(np.float32)
        inside = (slice(node + top - y0, node + bottom - y0), slice(node + left - x0, node + right - x0))
        maps = []
        for layer, chart in (("upper", charts.upper), ("lower", charts.lower)):
            moved = self._source.displaced(controls, chart, layer, pose)
            back = self._source.inverse(moved, at, PASSES)
            dense = cv2.resize(back, None, fx=node, fy=node, interpolation=cv2.INTER_LINEAR)
            maps.append(fixed(dense[inside] + here))
        upper, lower = (resample_fixed(texture, each) for each in maps)
        over = resample_fixed(self._upper_mask, maps[0]).astype(np.float32)
        under = resample_fixed(self._lower_mask, maps[1]).astype(np.float32)
        covered = cv2.add(over, under)
        lips = cv2.blendLinear(upper, lower, over, under)
        if aperture.widest > 0.5:
            hole = np.clip(HOLE_START - covered * HOLE_SLOPE, 0, 1)
            # beside the corners there is no inside, whatever resampled masks say
            hole[:, : max(0, int(aperture.upper[0, 0]) - left)] = 0
            hole[:, max(0, int(aperture.upper[-1, 0]) + 1 - left) :] = 0
            rows_open = np.flatnonzero(hole.max(1))
            columns_open = np.flatnonzero(hole.max(0))
            if len(rows_open):
                area = (slice(rows_open[0], rows_open[-1] + 1), slice(columns_open[0], columns_open[-1] + 1))
                skull = self._body.skull(float(self._depth[0, len(self._inner) // 2]), pose)
                inner = self._interior.draw(
                    aperture, controls, skull, left + int(columns_open[0]), top + int(rows_open[0]),
                    area[1].stop - area[1].start, area[0].stop - area[0].start,
                )  # fmt: skip
                shown = np.ascontiguousarray(hole[area])
                lips[area] = cv2.blendLinear(np.ascontiguousarray(lips[area]), inner, 1 - shown, shown)
        out[top:bottom, left:right] = lips

    def _curves(self, lines: Floats, pose: Floats) -> tuple[Floats, Floats]:
        """The lips' inner edges in the frame, float32 [points, 2] each, from the picture's left to right."""
        moved = lines[[Level.UPPER_CONTACT, Level.LOWER_CONTACT]][:, self._inner] @ self._axes + self._rest
        moved += self._body.turned(moved, self._depth, self._weight, pose)
        return moved[0], moved[1]

    def _output_box(self, upper: Floats, lower: Floats, size: int) -> tuple[int, int, int, int]:
        """(left, top) in pixels and (columns, rows) in nodes of what must be drawn."""
        half, node = self._anatomy.half_mouth, self._node
        low = np.minimum(upper.min(0), lower.min(0)) - np.array([0.45, 0.55], np.float32) * half
        high = np.maximum(upper.max(0), lower.max(0)) + np.array([0.45, 0.45], np.float32) * half
        x0, y0 = (int(v) for v in np.floor(low))
        columns, rows = (int(v) for v in np.ceil((np.minimum(high, size) - (x0, y0)) / node))
        return x0, y0, columns, rows


def lip_masks(anatomy: Anatomy, size: int) -> tuple[Pixels, Pixels]:
    """uint8 [size, size] each: 255 where the picture is above the upper, below the lower contact line."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    u, v = anatomy.to_mouth(np.stack([x, y], -1))
    column = np.clip((u / REACH + 1) / 2 * (CHART_COLUMNS - 1), 0, CHART_COLUMNS - 1)
    masks = []
    for levels, sign in ((anatomy.levels_upper, -1.0), (anatomy.levels_lower, 1.0)):
        contact = np.interp(column, np.arange(CHART_COLUMNS), levels[2])
        distance = sign * (v - contact) * anatomy.half_mouth
        masks.append(np.clip(255 * (distance / EDGE_PX + 0.5) + 0.5, 0, 255).astype(np.uint8))
    return masks[0], masks[1]
