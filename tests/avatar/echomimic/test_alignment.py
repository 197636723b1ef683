"""The reference picture's square."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from avatar.echomimic.alignment import Body, align, cut_square, find_body, half_body_square
from avatar.errors import ToolMissing
from avatar.landmarks import find_faces


def face(forehead: float = 100, chin: float = 200, x: float = 300) -> np.ndarray:
    points = np.zeros((478, 3), np.float32)
    points[:, 0], points[:, 1] = x, (forehead + chin) / 2
    points[:234, 0] -= 40
    points[234:468, 0] += 40
    points[10, :2], points[152, :2] = (x, forehead), (x, chin)
    for brow in (70, 63, 105, 66, 107, 336, 296, 334, 293, 300):
        points[brow, 1] = forehead + 20
    return points


def test_from_the_brows_to_the_elbows_with_the_originals_margins() -> None:
    left, top, side = half_body_square(face(), Body(neck_x=310, lowest=520), height=1000)
    assert (top, top + side) == (int(120 - 0.65 * 100), int(520 + 0.05 * 100))
    assert left + side // 2 == 310


def test_the_square_stays_within_the_pictures_height() -> None:
    _, top, side = half_body_square(face(forehead=10), Body(300, 590), height=592)
    assert top == 0 and side == 592


def test_beyond_the_picture_it_is_black() -> None:
    picture = np.full((100, 60, 3), 200, np.uint8)
    square = cut_square(picture, (-20, 0, 100), 100)
    assert not square[:, :19].any() and not square[:, 81:].any() and (square[:, 21:79] == 200).all()


def test_without_a_body_it_is_guessed_and_told() -> None:
    aligned = align(np.zeros((800, 600, 3), np.uint8), face(), 128, finder=lambda rgb: None)
    assert aligned.picture.shape == (128, 128, 3) and "guessed" in aligned.warnings[0]


def test_without_mediapipe_it_is_guessed_and_told_why() -> None:
    def missing(rgb: np.ndarray) -> Body:
        raise ToolMissing("MediaPipe is not here.")

    (warning,) = align(np.zeros((800, 600, 3), np.uint8), face(), 128, finder=missing).warnings
    assert "MediaPipe is not here." in warning


def test_without_a_face_the_middle_is_shown_and_told() -> None:
    picture = np.zeros((100, 300, 3), np.uint8)
    picture[:, 100:200] = 255
    aligned = align(picture, None, 64)
    assert (aligned.picture == 255).all() and aligned.warnings


def test_a_portrait_is_around_the_face() -> None:
    picture = np.zeros((800, 600, 3), np.uint8)
    picture[100:200, 260:340] = 255
    aligned = align(picture, face(), 230, framing="portrait")
    rows = np.flatnonzero(aligned.picture[:, 115, 0])
    assert not aligned.warnings and 0.4 < len(rows) / 230 < 0.47


def test_a_portrait_whose_head_is_near_the_pictures_edge_has_no_black_above_it() -> None:
    picture = np.full((800, 600, 3), 200, np.uint8)
    high = face()
    high[:, 1] -= high[10, 1]
    assert align(picture, high, 230, framing="portrait").picture.all()


def test_a_half_body_picture_is_cut_where_its_makers_would(shared: Path) -> None:
    """The persons of the samples stand upright in the middle: the neck is in the square's middle, the brows near its top."""
    picture = cv2.imread(str(shared / "samples/portraits/woman-open-hands.png"))
    assert picture is not None
    rgb = np.ascontiguousarray(picture[..., ::-1])
    try:
        (found, *_) = find_faces(rgb)
        body = find_body(rgb)
    except ToolMissing as missing:
        pytest.skip(str(missing))
    assert body is not None
    left, top, side = half_body_square(found.points, body, rgb.shape[0])
    assert abs(left + side / 2 - float(found.points[152, 0])) < 0.1 * side
    assert 0.5 * rgb.shape[0] < side <= rgb.shape[0] and top < 0.3 * rgb.shape[0]
