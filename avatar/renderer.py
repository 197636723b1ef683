"""The seam behind which ``Motion`` becomes pictures."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from avatar.motion.motion import Motion


class Renderer(Protocol):
    """Draws one persona.

    Attributes:
        width, height: of the frames, pixels, both even (4:2:0 video needs that).
    """

    width: int
    height: int

    def render(self, motion: Motion) -> list[NDArray[np.uint8]]:
        """One BGR picture, uint8 [height, width, 3], for each frame of ``motion``, in order.

        The arrays belong to the caller until the next call. Stateful only for speed: the picture
        depends on nothing but the motion's row. Not thread-safe.
        """
