"""V1's crop around the face."""

from __future__ import annotations

import numpy as np
import pytest

from avatar.echomimic.face_crop import crop_face


def picture(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows % 256, columns % 256, (rows + columns) % 256], axis=-1).astype(np.uint8)


def test_a_face_in_the_middle() -> None:
    """100x120 at (300, 200): half of each side around it is 200x240, the square takes the shorter side."""
    crop = crop_face(picture(800, 700), (300, 200, 400, 320))
    assert crop.box == (250, 160, 450, 360)
    assert crop.picture.shape == (512, 512, 3) and crop.mask.shape == (512, 512)
    rows, columns = np.nonzero(crop.mask)
    # The mask is the box and a tenth: (290, 188, 410, 332), seen in the crop and scaled by 2.56.
    assert (columns.min(), columns.max() + 1) == pytest.approx((40 * 2.56, 160 * 2.56), abs=3)
    assert (rows.min(), rows.max() + 1) == pytest.approx((28 * 2.56, 172 * 2.56), abs=3)
    assert crop.mask.max() == 255


def test_a_face_at_the_edge_stays_square() -> None:
    crop = crop_face(picture(300, 300), (0, 0, 100, 80))
    assert crop.box is not None
    left, top, right, bottom = crop.box
    assert right - left == bottom - top and (left, top) == (15, 0) and bottom == 120
    assert crop.mask[0, 0] == 255, "what reaches beyond the picture is cut off, not turned around"


def test_no_face() -> None:
    crop = crop_face(picture(400, 300), None, size=256)
    assert crop.box is None and crop.picture.shape == (256, 256, 3) and (crop.mask == 255).all()


@pytest.mark.parametrize("face", [(400, 10, 500, 50), (10, 10, 10, 50), (-50, -50, -1, -1)])
def test_a_box_outside_the_picture(face: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="no area in a picture of 300x300"):
        crop_face(picture(300, 300), face)
