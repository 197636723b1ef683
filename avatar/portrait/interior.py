"""What shows between parted lips: a dark warm cavity, a tongue, and teeth that stay in the shade.

Teeth are the first thing that makes a mouth look false. So they are shown only where lips part widely, soften
towards corners and lip, have shaded joints rather than lines, and take their light from the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatar.portrait.anatomy import Anatomy
from avatar.portrait.arrays import Floats, Pixels, smoothstep, to_pixels
from avatar.portrait.controls import index
from avatar.portrait.lip_shapes import JAW_DROP
from avatar.portrait.teeth import own_teeth, row_of_teeth, tongue

CAVITY_BGR = np.array([30, 29, 62], np.float32)
THROAT_BGR = np.array([18, 16, 38], np.float32)
"""Not black: the inside of a mouth is lit through its opening and is red."""


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
        self._half = half = anatomy.half_mouth
        middle = len(anatomy.columns) // 2
        self._contact_v = float(anatomy.levels_upper[2][middle])
        self._own = own_teeth(frame, anatomy)
        self._upper = row_of_teeth(frame, anatomy, upper=True)
        self._lower = row_of_teeth(frame, anatomy, upper=False)
        self._tongue = tongue(half)
        self._axes = (np.stack([anatomy.along, anatomy.down], 1) * half).astype(np.float32)
        self._anchor = anatomy.from_mouth(np.zeros(()), np.array(self._contact_v))
        self._lower_rest = float(anatomy.levels_lower[2][middle]) - self._contact_v
        self._parted = float(anatomy.rest_gap.max())

    def draw(
        self, aperture: Aperture, controls: Floats, skull: Floats, left: int, top: int, width: int, height: int
    ) -> Pixels:
        """BGR uint8 [height, width, 3] of the box at (left, top).

        ``skull``: float32 [2, 3], what the head's pose does to a point of the picture near the teeth.
        """
        half = self._half
        x = np.arange(left, left + width, dtype=np.float32)
        y = np.arange(top, top + height, dtype=np.float32)[:, None]
        above = y - np.interp(x, aperture.upper[:, 0], aperture.upper[:, 1]).astype(np.float32)
        below = np.interp(x, aperture.lower[:, 0], aperture.lower[:, 1]).astype(np.float32) - y
        across = np.abs(np.interp(x, aperture.upper[:, 0], np.linspace(-1, 1, len(aperture.upper)))).astype(np.float32)
        open_by = aperture.widest / half
        rounding = min(1.0, float(controls[_FUNNEL] + controls[_PUCKER]))
        jaw = JAW_DROP * float(controls[_JAW])
        raised = float(max(controls[_TONGUE_UP], controls[_TONGUE_OUT]))

        depth = smoothstep(0, 0.45 * half, below)[..., None]
        inside = CAVITY_BGR + (THROAT_BGR - CAVITY_BGR) * depth

        lift = -0.50 * jaw * raised - 0.16 * raised
        tongue_at = 0.20 + 0.62 * jaw + lift + self._lower_rest - 0.06 * float(controls[_TONGUE_OUT])
        inside = self._tongue.over(inside, self._place(skull, 0.0, tongue_at), left, top,
                                   0.55 + 0.45 * smoothstep(0.02, 0.3, open_by))  # fmt: skip
        lit = (0.40 + 0.60 * smoothstep(0, (0.06 + 0.25 * min(open_by, 0.6)) * half, above)) * (
            1 - 0.85 * smoothstep(0.30, 0.95, across)
        )
        # rounded lips stand before the teeth, the more the wider the jaw
        hidden = float(smoothstep(0.15, 0.75, rounding)) * (0.72 + 0.2 * float(smoothstep(0.1, 0.35, jaw)))
        showing = float(smoothstep(0.04, 0.24, open_by)) * (1 - hidden)
        sideways = 0.15 * float(controls[_JAW_LEFT] - controls[_JAW_RIGHT])
        inside = self._lower.over(
            inside, self._place(skull, sideways, self._lower_rest - 0.02 + jaw), left, top,
            showing * (1 - raised) * 0.55, lit * 0.62,
        )  # fmt: skip
        own, shy = self._own, 1 - hidden
        if own is None or not own.bright:
            # dimmed rather than thinned: half-transparent teeth are grey
            inside = self._upper.over(
                inside, self._place(skull, 0.0, 0.0), left, top, min(1.0, 1.8 * showing), lit * (0.40 + 0.60 * showing)
            )
        if own is not None:
            near = 1.0 if own.bright else float(smoothstep(0.30, 0.0, open_by - self._parted))
            dimmed = np.full_like(lit, 0.4 + 0.6 * shy) if shy < 1 else None
            inside = own.sprite.over(
                inside, self._place(skull, 0.0, 0.0), left, top, near * min(1.0, 1.8 * shy), dimmed
            )
        tip = float(smoothstep(0.35, 0.85, raised))
        if tip > 0:  # the tip between or behind the teeth: seen in the lower half of the opening
            inside = self._tongue.over(
                inside, self._place(skull, 0.0, self._lower_rest * 0.5 + 0.52 * open_by), left, top, 0.9 * tip
            )
        return to_pixels(inside)

    def _place(self, skull: Floats, along: float, down: float) -> Floats:
        """float32 [2, 3]: sprite units (half mouth widths) to frame pixels."""
        matrix = skull[:, :2] @ self._axes
        offset = skull[:, :2] @ (self._anchor + self._axes @ np.array([along, down], np.float32)) + skull[:, 2]
        return np.hstack([matrix, offset[:, None]]).astype(np.float32)


_JAW, _FUNNEL, _PUCKER = index("jawOpen"), index("mouthFunnel"), index("mouthPucker")
_TONGUE_UP, _TONGUE_OUT = index("tongueUp"), index("tongueOut")
_JAW_LEFT, _JAW_RIGHT = index("jawLeft"), index("jawRight")
