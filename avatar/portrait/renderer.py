"""The CPU renderer: one picture moved by ``Motion``."""

from __future__ import annotations

import cv2
import numpy as np

from avatar.errors import PersonaError
from avatar.motion.motion import Motion
from avatar.portrait.anatomy import measure
from avatar.portrait.arrays import Floats, Pixels, blurred, fixed, resample_fixed, to_pixels
from avatar.portrait.body import Body
from avatar.portrait.controls import clean
from avatar.portrait.eyes import Eyes
from avatar.portrait.framing import SIZES, Framing, cut
from avatar.portrait.lip_shapes import LipShapes, lips_part
from avatar.portrait.mouth import Mouth
from avatar.portrait.rig import Rig
from avatar.portrait.shading import Shading
from avatar.portrait.warp import Grid, charts

NODES = {"portrait": 64, "half-body": 128}
"""Points of the displacement grid across the frame: a sixteenth of the eye span apart or less."""

PASSES = 6


SHARPEN = 0.38
"""Resampling between pixels softens a moving picture by a quarter (Laplacian's deviation); this much of an
unsharp mask, put on before, gives three quarters of it back and stays under half a level where nothing moves."""


class PortraitRenderer:
    """Implements ``avatar.renderer.Renderer`` on one CPU core with numpy and OpenCV.

    Args:
        picture_bgr: uint8 [height, width, 3], the picture the rig was built from.
        rig: what is known about the face in it.
        size: of the square frames: 256, 384, 512 or 768.
        framing: "portrait" (head and shoulders) or "half-body", as far as the picture reaches.

    Attributes:
        points: float32 [478, 3], where the resting face's landmarks lie in the frame.

    Raises:
        PersonaError: the rig belongs to another picture.
        ValueError: a size or framing that does not exist.
    """

    def __init__(self, picture_bgr: Pixels, rig: Rig, *, size: int = 512, framing: Framing = "portrait") -> None:
        if size not in SIZES:
            raise ValueError(f"size must be one of {SIZES}, got {size}")
        if framing not in NODES:
            raise ValueError(f"framing must be one of {tuple(NODES)}, got {framing!r}")
        height, width = picture_bgr.shape[:2]
        if (width, height) != rig.picture_size:
            raise PersonaError(
                f"The persona's rig was made for a picture of {rig.picture_size[0]}x{rig.picture_size[1]}, "
                f"but its portrait is {width}x{height}: create the persona again."
            )
        self.width = self.height = size
        frame = cut(picture_bgr, rig.points, size, framing)
        self._anatomy = anatomy = measure(frame.points, rig.lip_line)
        self._body = Body(anatomy, size)
        self._lips = LipShapes(anatomy)
        self.points = frame.points
        self._picture = frame.pixels
        moving = sharpened(frame.pixels)
        self._texture = moving.copy()
        self._eyes = Eyes(moving, anatomy)
        self._shading = Shading(moving, anatomy, self._eyes.bottom)
        nodes = NODES[framing]
        self._step = size // nodes
        first = -self._step + (self._step - 1) / 2  # one point outside the frame on every side
        self._grid = Grid(anatomy, self._body, (first, first), self._step, nodes + 2, nodes + 2)
        self._mouth = Mouth(moving, anatomy, self._body)
        y, x = np.mgrid[:size, :size].astype(np.float32)
        self._identity = np.stack([x, y], -1)
        self._map = np.empty_like(self._identity)

    def render(self, motion: Motion) -> list[Pixels]:
        """See ``avatar.renderer.Renderer.render``."""
        return [self._draw(clean(row)) for row in motion.values]

    def _draw(self, controls: Floats) -> Pixels:
        if not controls.any():
            return self._picture.copy()
        self._eyes.paint(self._texture, controls)
        self._shading.paint(self._texture, controls)
        lines, gap = self._lips.lines(controls)
        mouth_charts = charts(lines, self._anatomy)
        pose = self._body.pose(controls)
        moved = self._grid.displaced(controls, mouth_charts.both, "lower", pose)
        source = self._grid.inverse(moved, self._grid.xy, PASSES)
        step = self._step
        dense = cv2.resize(source, None, fx=step, fy=step, interpolation=cv2.INTER_LINEAR)
        np.add(dense[step:-step, step:-step], self._identity, out=self._map)
        out = resample_fixed(self._texture, fixed(self._map))
        if lips_part(lines):
            self._mouth.draw(out, self._texture, controls, lines, gap, mouth_charts, pose)
        return out


def sharpened(picture: Pixels) -> Pixels:
    """What is moved in place of ``picture``, so that moving does not soften it."""
    values = picture.astype(np.float32)
    return to_pixels(values + SHARPEN * (values - blurred(values, 0.8)))
