"""What a face's landmarks say in one frame: lengths in the level head, in eye spans."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatar.motion.capture.head import HeadPose, head_pose
from avatar.motion.capture.tracker import Floats

MEASURES = (
    "gap",                             # between the inner lips, in the middle
    "chin",                            # how low the chin is
    "red_upper", "red_lower",          # how much of each lip shows
    "width",                           # from corner to corner
    "corner_left", "corner_right",     # how high each corner is
    "mouth_x",                         # the mouth's middle, to the speaker's left
    "lid_left", "lid_right",           # how far the lids are apart, in eye widths
    "brow_inner_left", "brow_inner_right", "brow_outer_left", "brow_outer_right",  # heights above the eyes
    "gaze_x", "gaze_y",                # the irises' place between the corners, in eye widths; to the left, up
    "pitch", "yaw", "roll",            # degrees
    "place_x", "place_y", "span",      # the skull's pivot and an eye span, pixels
)  # fmt: skip
MEASURE = {name: i for i, name in enumerate(MEASURES)}

# MediaPipe's face mesh; "left" is the speaker's own, on the picture's right.
_INNER_LIPS = ((13, 14), (82, 87), (312, 317))
_CORNERS = {"left": 291, "right": 61}
_LIDS = {"left": ((386, 374), (385, 380), (387, 373)), "right": ((159, 145), (158, 153), (160, 144))}
_EYE_CORNERS = {"left": (263, 362), "right": (33, 133)}
_IRIS = {"left": 473, "right": 468}
_BROW_INNER = {"left": (336, 296, 285), "right": (107, 66, 55)}
_BROW_OUTER = {"left": (300, 293, 334), "right": (70, 63, 105)}

NOT_SEEN = np.full(len(MEASURES), np.nan, np.float32)


@dataclass(frozen=True, slots=True)
class Face:
    """Attributes:
    measures: float32 [len(MEASURES)].
    brow_y, height: top of the brows and forehead to chin, pixels of the picture.
    """

    measures: Floats
    brow_y: float
    height: float


def measure_face(points: Floats) -> Face:
    """Args:
    points: float32 [478, 3], ``Tracked.face``.
    """
    pose = head_pose(points)
    level = pose.level
    row = np.empty(len(MEASURES), np.float32)

    def put(name: str, value: float) -> None:
        row[MEASURE[name]] = value

    put("gap", float(np.mean([level[low, 1] - level[high, 1] for high, low in _INNER_LIPS])))
    put("chin", float(level[152, 1]))
    put("red_upper", float(level[13, 1] - level[0, 1]))
    put("red_lower", float(level[17, 1] - level[14, 1]))
    put("width", float(level[_CORNERS["left"], 0] - level[_CORNERS["right"], 0]))
    put("mouth_x", float(level[_CORNERS["left"], 0] + level[_CORNERS["right"], 0]) / 2)
    gaze = []
    for side in ("left", "right"):
        put(f"corner_{side}", -float(level[_CORNERS[side], 1]))
        outer, inner = level[_EYE_CORNERS[side][0]], level[_EYE_CORNERS[side][1]]
        middle, wide = (outer + inner)[:2] / 2, float(np.linalg.norm((outer - inner)[:2]))
        put(f"lid_{side}", float(np.mean([level[low, 1] - level[high, 1] for high, low in _LIDS[side]])) / wide)
        put(f"brow_inner_{side}", float(middle[1] - level[list(_BROW_INNER[side]), 1].mean()))
        put(f"brow_outer_{side}", float(middle[1] - level[list(_BROW_OUTER[side]), 1].mean()))
        gaze.append((level[_IRIS[side], :2] - middle) / wide)
    put("gaze_x", float(gaze[0][0] + gaze[1][0]) / 2)
    put("gaze_y", -float(gaze[0][1] + gaze[1][1]) / 2)
    _put_pose(row, pose)
    brows = [*_BROW_INNER["left"], *_BROW_INNER["right"]]
    return Face(row, float(points[brows, 1].min()), float(np.linalg.norm(points[152, :2] - points[10, :2])))


def _put_pose(row: Floats, pose: HeadPose) -> None:
    row[MEASURE["pitch"] : MEASURE["roll"] + 1] = pose.angles
    row[MEASURE["place_x"] : MEASURE["span"] + 1] = pose.place
