"""V1's portrait: the crop around the face, and the mask that tells its face locator where the face is."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

MASK_MARGIN = 0.1
CROP_MARGIN = 0.5
"""Of the face box's sides, added on each side: the original's defaults."""

Box = tuple[int, int, int, int]
"""Left, top, right, bottom; pixels, right and bottom exclusive."""


@dataclass(frozen=True, slots=True)
class FaceCrop:
    """What V1's audio mode is given.

    Attributes:
        picture: uint8 [size, size, 3], channels as they came.
        mask: uint8 [size, size], 255 on the face. Divide by 255 for the face locator; one mask serves every frame.
        box: where the crop lay in the picture; None where it is the whole.
    """

    picture: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    box: Box | None


def crop_face(picture: NDArray[np.uint8], face: tuple[float, float, float, float] | None, size: int = 512) -> FaceCrop:
    """Crop as the original does.

    Args:
        picture: uint8 [height, width, 3].
        face: the face detector's box (left, top, right, bottom, pixels); None where it found none: then the whole
            picture is scaled, and all of it counts as face.
        size: side of the result.

    Raises:
        ValueError: the box has no area inside the picture.
    """
    height, width = picture.shape[:2]
    if face is None:
        return FaceCrop(_scaled(picture, size), np.full((size, size), 255, np.uint8), None)
    left, top, right, bottom = (int(edge) for edge in np.round(face))
    if min(right, width) <= max(left, 0) or min(bottom, height) <= max(top, 0):
        raise ValueError(f"The face's box {face} has no area in a picture of {width}x{height} pixels.")
    mask = np.zeros((height, width), np.uint8)
    inner = _grown((left, top, right, bottom), MASK_MARGIN, width, height)
    mask[inner[1] : inner[3], inner[0] : inner[2]] = 255
    box = _square(_grown((left, top, right, bottom), CROP_MARGIN, width, height), width, height)
    rows, columns = slice(box[1], box[3]), slice(box[0], box[2])
    return FaceCrop(_scaled(picture[rows, columns], size), _scaled(mask[rows, columns], size), box)


def _grown(box: Box, margin: float, width: int, height: int) -> Box:
    left, top, right, bottom = box
    across, down = int((right - left) * margin), int((bottom - top) * margin)
    return max(0, left - across), max(0, top - down), min(width, right + across), min(height, bottom + down)


def _square(box: Box, width: int, height: int) -> Box:
    """The largest square about the box's centre that its shorter side allows and the picture holds."""
    side = min(box[2] - box[0], box[3] - box[1])
    left = max(0, (box[0] + box[2]) // 2 - side // 2)
    top = max(0, (box[1] + box[3]) // 2 - side // 2)
    side = min(side, width - left, height - top)
    return left, top, left + side, top + side


def _scaled(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(picture, (size, size)), np.uint8)
