"""Cuts the frame out of the picture: which square, at which size, and where the landmarks lie in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from avatar.portrait.arrays import Floats, Pixels

Framing = Literal["portrait", "half-body"]

SIZES = (256, 384, 512, 768)

FACES_HIGH = {"portrait": 2.3, "half-body": 4.4}
"""Side of the frame in face heights (forehead to chin landmark)."""

HEADROOM = {"portrait": 0.72, "half-body": 0.85}
"""From the frame's top edge to the forehead landmark, in face heights (hair takes about 0.5); less in
pictures that reach no further than a portrait."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One square of the picture at one size.

    Attributes:
        pixels: BGR uint8 [size, size, 3].
        points: float32 [478, 3], the landmarks in pixels of the frame.
    """

    pixels: Pixels
    points: Floats

    @property
    def size(self) -> int:
        return int(self.pixels.shape[0])


def square(points: Floats, width: int, height: int, framing: Framing) -> tuple[int, int, int]:
    """(left, top, side) of the square to show, inside the picture; smaller where the picture is."""
    face = float(np.linalg.norm(points[152, :2] - points[10, :2]))
    side: int = int(min(round(FACES_HIGH[framing] * face), width, height))
    middle = float(points[:468, 0].min() + points[:468, 0].max()) / 2
    headroom = min(HEADROOM[framing] * face, HEADROOM["portrait"] / FACES_HIGH["portrait"] * side)
    top = float(min(points[10, 1], points[152, 1])) - headroom
    left = int(np.clip(round(middle - side / 2), 0, width - side))
    return left, int(np.clip(round(top), 0, height - side)), int(side)


def cut(picture: Pixels, points: Floats, size: int, framing: Framing) -> Frame:
    """The frame of ``picture`` (BGR uint8) at ``size`` x ``size``."""
    left, top, side = square(points, picture.shape[1], picture.shape[0], framing)
    area = picture[top : top + side, left : left + side]
    method = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    pixels = np.ascontiguousarray(cv2.resize(area, (size, size), interpolation=method), np.uint8)
    scale = size / side
    moved = points.astype(np.float32) * np.float32(scale)
    # pixel centres are at integers on both sides of the resize
    moved[:, 0] += (0.5 - left) * scale - 0.5
    moved[:, 1] += (0.5 - top) * scale - 0.5
    return Frame(pixels, moved)
