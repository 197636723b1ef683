from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from avatar.motion.capture.capture import capture_motion
from avatar.motion.capture.hands import (
    Canvas,
    canvas_of,
    hand_row,
    move_hands,
    move_shoulders,
    shoulder_row,
)
from avatar.motion.capture.tracker import Hand
from avatar.motion.capture.video import VideoFile
from avatar.motion.motion import HAND_POINTS, Motion
from tests.avatar.motion.capture.conftest import encode


def body(**heights: float) -> np.ndarray:
    """Neck at x 320; points that are not named are not seen."""
    names = ("nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow")
    points = np.zeros((7, 3), np.float32)
    for i, name in enumerate(names):
        if name in heights:
            points[i] = (320, heights[name], 0.9)
    return points


def ones(value: float, frames: int = 50) -> np.ndarray:
    return np.full(frames, value, np.float32)


def test_the_canvas_is_that_of_the_alignment_rule() -> None:
    """Span from the brows (100) to the lowest elbow (500): 0.17 of it above, 0.14 below, neck in the middle."""
    seen = body(neck=260, left_shoulder=280, right_shoulder=280, left_elbow=500, right_elbow=480)
    canvas = canvas_of(ones(100), ones(110), ones(330), [seen] * 10)
    assert canvas.side == pytest.approx(400 * 1.31)
    assert canvas.top == pytest.approx(100 - 400 * 0.17)
    assert canvas.left + canvas.side / 2 == pytest.approx(320)


def test_without_elbows_the_face_gives_the_size() -> None:
    head = body(neck=260, left_shoulder=280, right_shoulder=280)
    canvas = canvas_of(ones(100), ones(100), ones(330), [head] * 10)
    assert canvas.side == pytest.approx(500)
    alone = canvas_of(ones(100), ones(100), ones(330), [])
    assert alone.side == pytest.approx(500) and alone.left + 250 == pytest.approx(330)


def test_hands_are_placed_on_the_canvas_and_hidden_where_they_are_not_seen() -> None:
    motion = Motion.zeros(20)
    points = np.tile(np.array([[250.0, 300.0]], np.float32), (HAND_POINTS, 1))
    rows = np.stack([hand_row(Hand(points, 0.8))] * 20)
    believed = np.ones(20, np.float32)
    believed[12:] = 0
    move_hands(motion, "Left", rows, believed, Canvas(50, 100, 400))
    np.testing.assert_allclose(motion["handLeft7X"], 0.5, atol=1e-5)
    np.testing.assert_allclose(motion["handLeft20Y"], 0.5, atol=1e-5)
    assert motion["handLeftScore"][5] == pytest.approx(0.8) and motion["handLeftScore"][15] == 0
    assert not motion["handRight0X"].any() and np.isnan(hand_row(None)).all()


def test_shoulders_rise() -> None:
    motion = Motion.zeros(100)
    heights = np.zeros((100, 2), np.float32)
    heights[60:90, 0] = 20  # pixels up, of a face 100 high: a full shrug of the left
    move_shoulders(motion, heights, np.ones(100, np.float32), 100.0)
    assert motion["shoulderLeft"][75] == pytest.approx(1.0, abs=0.05)
    assert motion["shoulderLeft"][30] == 0 and not motion["shoulderRight"].any()
    assert np.isnan(shoulder_row(None)).all() and np.isnan(shoulder_row(body(left_shoulder=9))).all()
    both = shoulder_row(body(left_shoulder=200, right_shoulder=210))
    assert both.tolist() == [-200, -210]


@pytest.mark.slow
@pytest.mark.usefixtures("mediapipe")
def test_both_hands_of_a_person_are_found_on_their_own_sides(shared: Path, tmp_path: Path) -> None:
    """The speaker's left hand is on the picture's right; palms up, so fingers point away from the body."""
    picture = cv2.imread(str(shared / "samples" / "portraits" / "woman-open-hands.png"))
    assert picture is not None
    small = np.asarray(cv2.resize(picture, (768, 768), interpolation=cv2.INTER_AREA), np.uint8)
    with VideoFile.open(encode(tmp_path / "v.mp4", [small] * 30)) as video:
        found = capture_motion(video)
    assert found.hands_seen > 0.9
    motion = found.motion
    assert motion["handLeft0X"][15] > 0.6 and motion["handRight0X"][15] < 0.4
    assert motion["handLeft12X"][15] > motion["handLeft0X"][15] + 0.05
    assert motion["handRight12X"][15] < motion["handRight0X"][15] - 0.05
    for side in ("Left", "Right"):
        assert motion[f"hand{side}Score"][15] > 0.7
        assert 0 < motion[f"hand{side}8Y"][15] < 1
