"""Cuts the reference picture as EchoMimic's authors cut theirs: misalignment is the main failure that its users report.

V2 (half body): from the brows to the lowest of shoulders, elbows and right wrist, a sixth more above and a hundredth
below; a square of that height about the neck. What a square has beyond the picture is black. V1 (portrait): see
``avatar.echomimic.face_crop``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar.errors import AvatarError
from avatar.landmarks import load_solution, quiet_native_stderr

Picture = NDArray[np.uint8]
Points = NDArray[np.float32]

MARGIN = 0.25
ABOVE, BELOW = 0.65, 0.05
"""Of ``MARGIN``, of the span: the original's preprocessing."""

MIN_VISIBILITY = 0.5
"""MediaPipe places joints outside the picture too, and says that it does not see them."""

_BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
_FOREHEAD, _CHIN = 10, 152
"""Of the 478 face landmarks. The original's span begins at the highest of 68 face points, which is a brow."""

ELBOWS_BELOW_CHIN = 2.3
"""Face heights, where the body was not looked for: of an adult who lets the arms hang."""

PORTRAIT_FACES = 2.3
"""Side of the portrait framing in face heights, as of the ``portrait`` renderer."""


@dataclass(frozen=True, slots=True)
class Body:
    """Where a person's upper body is in a picture, pixels.

    Attributes:
        neck_x: between the shoulders.
        lowest: the lowest y of nose, shoulders, elbows and right wrist that are seen.
    """

    neck_x: float
    lowest: float


@dataclass(frozen=True, slots=True)
class Aligned:
    """Attributes:
    picture: RGB uint8 [size, size, 3].
    warnings: what was guessed.
    """

    picture: Picture
    warnings: tuple[str, ...]


def find_body(rgb: Picture) -> Body | None:
    """The person in the picture; None where MediaPipe finds none.

    Raises:
        ToolMissing: MediaPipe is not installed or cannot load on this machine.
    """
    pose = load_solution("pose")
    with (
        quiet_native_stderr(),
        warnings.catch_warnings(),
        pose.Pose(static_image_mode=True, model_complexity=1) as finder,
    ):
        warnings.simplefilter("ignore")
        found = finder.process(np.ascontiguousarray(rgb)).pose_landmarks
    if found is None:
        return None
    height, width = rgb.shape[:2]
    mark, names = found.landmark, pose.PoseLandmark
    shoulders = [mark[names.LEFT_SHOULDER], mark[names.RIGHT_SHOULDER]]
    if min(shoulder.visibility for shoulder in shoulders) < MIN_VISIBILITY:
        return None
    others = [mark[names.NOSE], mark[names.LEFT_ELBOW], mark[names.RIGHT_ELBOW], mark[names.RIGHT_WRIST]]
    seen = [point.y for point in others if point.visibility >= MIN_VISIBILITY]
    neck_x = (shoulders[0].x + shoulders[1].x) / 2 * width
    return Body(float(neck_x), float(max([point.y for point in shoulders] + seen) * height))


def align(
    rgb: Picture,
    face: Points | None,
    size: int,
    *,
    framing: str = "half-body",
    finder: Callable[[Picture], Body | None] = find_body,
) -> Aligned:
    """The reference picture.

    Args:
        rgb: uint8 [height, width, 3].
        face: float32 [478, 2 or 3], the face's landmarks in pixels; None where there are none.
        size: side of the result, pixels.
        framing: "half-body" as the weights were trained, or "portrait".
        finder: of the body; may raise AvatarError.
    """
    height, width = rgb.shape[:2]
    if face is None:
        side = min(height, width)
        box = ((width - side) // 2, (height - side) // 2, side)
        return Aligned(cut_square(rgb, box, size), ("No face is known in the picture: its middle is shown.",))
    if framing == "portrait":
        return Aligned(cut_square(rgb, _head_and_shoulders(face), size), ())
    told: tuple[str, ...] = ()
    body: Body | None = None
    try:
        body = finder(rgb)
    except AvatarError as error:
        told = (f"Shoulders and elbows were guessed from the face. {error}",)
    if body is None:
        told = told or ("No shoulders were found in the picture; they were guessed from the face.",)
        reach = float(face[_CHIN, 1] - face[_FOREHEAD, 1]) * ELBOWS_BELOW_CHIN
        body = Body(float(face[_CHIN, 0]), float(face[_CHIN, 1]) + reach)
    return Aligned(cut_square(rgb, half_body_square(face, body, height), size), told)


def half_body_square(face: Points, body: Body, height: int) -> tuple[int, int, int]:
    """(left, top, side), pixels; may lie beyond the picture on its sides."""
    top, bottom = float(face[list(_BROWS), 1].min()), body.lowest
    margin = MARGIN * (bottom - top)
    first = int(max(top - ABOVE * margin, 0))
    end = int(min(bottom + BELOW * margin, height))
    side = max(end - first, 2)
    return int(body.neck_x) - side // 2, first, side


def _head_and_shoulders(face: Points) -> tuple[int, int, int]:
    tall = float(np.linalg.norm(face[_CHIN, :2] - face[_FOREHEAD, :2]))
    side = int(PORTRAIT_FACES * tall)
    middle = float(face[:468, 0].min() + face[:468, 0].max()) / 2
    return int(middle - side / 2), max(int(face[_FOREHEAD, 1] - 0.31 * side), 0), side


def cut_square(rgb: Picture, square: tuple[int, int, int], size: int) -> Picture:
    """A square (left, top, side) of the picture, scaled to ``size``; black beyond the picture."""
    left, top, side = square
    height, width = rgb.shape[:2]
    whole = np.zeros((side, side, 3), np.uint8)
    x0, x1 = max(left, 0), min(left + side, width)
    y0, y1 = max(top, 0), min(top + side, height)
    if x1 > x0 and y1 > y0:
        whole[y0 - top : y1 - top, x0 - left : x1 - left] = rgb[y0:y1, x0:x1]
    method = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    return np.ascontiguousarray(cv2.resize(whole, (size, size), interpolation=method), np.uint8)
