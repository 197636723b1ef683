"""Puts the mouth together at full resolution: upper lip, lower lip, and what shows between them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar.portrait.anatomy import CHART_COLUMNS, REACH, Anatomy
from avatar.portrait.body import Body
from avatar.portrait.interior import Aperture, Interior
from avatar.portrait.lip_shapes import JAW_DROP, Level
from avatar.portrait.warp import Charts, Grid

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

EDGE_PX = 1.7
"""Softness of the cut between lip and mouth's inside; a hard cut crawls."""

LEAK = 0.10
"""Share of a pixel that the two lips may leave uncovered before the inside shows: resampled maps err by
that much, and a closed mouth must not glimmer."""

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
        self._box = np.array([low, high])
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
        layers = []
        for layer, chart in (("upper", charts.upper), ("lower", charts.lower)):
            moved = self._source.displaced(controls, chart, layer, pose)
            nodes = self._source.inverse(moved, at, PASSES)
            width, height = columns * node, rows * node
            dense = cv2.resize(nodes, ((columns + 2) * node, (rows + 2) * node), interpolation=cv2.INTER_LINEAR)
            dense = np.ascontiguousarray(dense[node : node + height, node : node + width])
            layers.append(dense)
        x1, y1 = min(x0 + columns * node, size), min(y0 + rows * node, size)
        left, top = max(x0, 0), max(y0, 0)
        inside = (slice(top - y0, y1 - y0), slice(left - x0, x1 - x0))
        maps = [cv2.convertMaps(np.ascontiguousarray(m[inside]), None, cv2.CV_16SC2) for m in layers]
        upper = _sample(texture, maps[0])
        lower = _sample(texture, maps[1])
        over = _sample(self._upper_mask, maps[0]).astype(np.float32) * np.float32(1 / 255)
        under = _sample(self._lower_mask, maps[1]).astype(np.float32) * np.float32(1 / 255)
        covered = over + under
        hole = np.clip((1 - LEAK - covered) * np.float32(1 / (1 - LEAK)), 0, 1)
        lips = (1 - hole) / np.maximum(covered, 1e-3)
        blend = upper * (over * lips)[..., None] + lower * (under * lips)[..., None]
        if aperture.widest > 0.5 and hole.max() > 0:
            skull = self._body.skull(self._interior.anchor, self._depth[0, len(self._inner) // 2], pose)
            inside = self._interior.draw(aperture, controls, skull, left, top, x1 - left, y1 - top)
            blend += inside * hole[..., None]
        else:
            rest = hole[..., None]
            blend += lower * rest
        out[top:y1, left:x1] = np.clip(blend + 0.5, 0, 255)

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


def _sample(picture: Pixels, maps: tuple[NDArray[np.int16], NDArray[np.uint16]]) -> Pixels:
    return np.asarray(cv2.remap(picture, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)
