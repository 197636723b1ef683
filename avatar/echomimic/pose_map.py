"""Hand keypoints drawn as the original draws them for its pose encoder: hands only, no body, no face.

The look is DWPose's: 20 bones a hand as lines in the hues of a rainbow, keypoints as discs of pure red.
"""

from __future__ import annotations

import colorsys

import cv2
import numpy as np
from numpy.typing import NDArray

CANVAS_SIDE = 800
"""The original draws with the short side at 800 and scales down: line and disc widths are of that size."""

DRAWING_SIDE = 768
LINE_WIDTH = 2
DISC_RADIUS = 4
MIN_POSITION = 0.01
"""Keypoints nearer than a hundredth of a pixel to the left or upper edge (so: at it or beyond) are not drawn."""

BONES = tuple(
    (0 if joint == 0 else 4 * finger + joint, 4 * finger + joint + 1) for finger in range(5) for joint in range(4)
)
"""Wrist to fingertip, thumb first; 21 keypoints, MediaPipe's and OpenPose's order."""

_COLOURS = [colorsys.hsv_to_rgb(number / len(BONES), 1.0, 1.0) for number in range(len(BONES))]


def draw_hands(
    hands: NDArray[np.floating], scores: NDArray[np.floating], height: int = DRAWING_SIDE, width: int = DRAWING_SIDE
) -> NDArray[np.uint8]:
    """One frame's map.

    Args:
        hands: [hands, 21, 2], x and y in widths and heights of the picture; may lie outside it.
        scores: [hands, 21], confidence; brightness goes with it (reaches 1.09 in the released sequences).
        height, width: of the map, pixels.

    Returns:
        RGB uint8 [height, width, 3]; black where there is no hand. Divide by 255 for the pose encoder.
    """
    scale = CANVAS_SIDE / min(height, width)
    canvas = np.zeros((int(height * scale), int(width * scale), 3), np.uint8)
    for points, confidence in zip(hands, scores, strict=True):
        _draw_hand(canvas, points, confidence)
    resized = cv2.resize(canvas, (width, height))
    return np.ascontiguousarray(resized[..., ::-1])  # drawn as if BGR, read as RGB


def paste(drawing: NDArray[np.uint8], height: int, width: int, placed: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """A drawing in its place on a black map.

    Args:
        drawing: from ``draw_hands``.
        height, width: of the map.
        placed: first and end row, first and end column (the last four of ``draw_pose_params``).
    """
    first_row, end_row, first_column, end_column = placed
    whole = np.zeros((height, width, 3), np.uint8)
    whole[first_row:end_row, first_column:end_column] = drawing
    return whole


def _draw_hand(canvas: NDArray[np.uint8], points: NDArray[np.floating], scores: NDArray[np.floating]) -> None:
    height, width = canvas.shape[:2]
    places = [(int(x * width), int(y * height)) for x, y in points]
    inside = [x > MIN_POSITION and y > MIN_POSITION for x, y in places]
    for colour, (start, end) in zip(_COLOURS, BONES, strict=True):
        if inside[start] and inside[end]:
            brightness = int(scores[start] * scores[end] * 255)
            cv2.line(canvas, places[start], places[end], [part * brightness for part in colour], LINE_WIDTH)
    for place, shown, score in zip(places, inside, scores, strict=True):
        if shown:
            cv2.circle(canvas, place, DISC_RADIUS, (0, 0, int(score * 255)), -1)
