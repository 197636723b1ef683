"""What shows between parted lips: cavity, tongue, teeth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.portrait.anatomy import Anatomy

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Aperture:
    """The opening between the lips in one frame.

    Attributes:
        upper, lower: float32 [points, 2], its edges, pixels.
        widest: pixels between them where most.
    """

    upper: Floats
    lower: Floats
    widest: float

    @staticmethod
    def between(upper: Floats, lower: Floats, gap: Floats) -> Aperture:
        """``gap``: the lips' distance by construction, any unit: 0 seals whatever rounding says."""
        apart = (lower[:, 1] - upper[:, 1]) * (gap > 0)
        return Aperture(upper, lower, float(apart.max()))


class Interior:
    """Draws the inside of one face's mouth.

    Args:
        frame: BGR uint8, the picture at frame size.
        anatomy: of the face in it.
    """

    def __init__(self, frame: Pixels, anatomy: Anatomy) -> None:
        self._half = anatomy.half_mouth

    def draw(self, aperture: Aperture, controls: Floats, left: int, top: int, width: int, height: int) -> Floats:
        """BGR float32 [height, width, 3] of the box at (left, top)."""
        return np.full((height, width, 3), (22, 20, 48), np.float32)
