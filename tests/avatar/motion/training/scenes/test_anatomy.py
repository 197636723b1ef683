"""Arms that an adult could have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from avatar.motion.training.scenes import anatomy
from avatar.motion.training.scenes.anatomy import FOREARM, HAND, SHOULDER_OUT, UPPER_ARM, elbow_of, keypoints, over_face
from avatar.motion.training.scenes.handshapes import SHAPES, draw_stroke, pose

WRIST, THUMB_TIP, INDEX_BASE, MIDDLE_TIP, LITTLE_BASE = 0, 4, 5, 12, 17


def bent(**changes: float) -> NDArray[np.float64]:
    """A forearm held forward from the waist."""
    return pose(0.17, -0.28, 0.28, swivel=5.0, **changes)  # type: ignore[arg-type]


@settings(max_examples=80, deadline=None)
@given(st.tuples(st.floats(-0.5, 0.8), st.floats(-0.9, 0.5), st.floats(-0.3, 0.9)), st.floats(0.0, 80.0))
def test_arms_keep_their_lengths_wherever_the_wrist_is_wanted(place: tuple[float, float, float], swivel: float) -> None:
    elbow, wrist = elbow_of(pose(*place, swivel=swivel))
    shoulder = np.array([SHOULDER_OUT, 0.0, 0.0])
    assert np.linalg.norm(elbow - shoulder) == pytest.approx(UPPER_ARM, abs=1e-6)
    assert np.linalg.norm(wrist - elbow) == pytest.approx(FOREARM, abs=1e-6)


def test_the_elbow_hangs_below_and_lifts_to_the_side() -> None:
    hanging, _ = elbow_of(bent())
    lifted, _ = elbow_of(pose(0.17, -0.28, 0.28, swivel=75.0))
    assert hanging[1] < -0.15 and lifted[0] > hanging[0] + 0.1 and lifted[1] > hanging[1]


def test_a_hand_is_as_long_as_a_hand() -> None:
    points = anatomy._points(bent())
    assert points.shape == (21, 3)
    length = np.linalg.norm(anatomy._points(pose(0.17, -0.28, 0.28, curls=(0.0,) * 5))[MIDDLE_TIP] - points[WRIST])
    assert length == pytest.approx(HAND, rel=0.05)


def test_the_palm_turns_as_it_is_told() -> None:
    def thumb_side(supination: float) -> NDArray[np.float64]:
        points = anatomy._points(bent(supination=supination))
        across: NDArray[np.float64] = points[INDEX_BASE] - points[LITTLE_BASE]
        return across

    assert thumb_side(0.0)[1] > 0.05  # a handshake: thumb up
    assert thumb_side(80.0)[0] > 0.05  # palm up: thumbs outwards
    assert thumb_side(-80.0)[0] < -0.05  # palm down: thumbs inwards


def test_curling_brings_fingertips_to_the_palm() -> None:
    def reach(curl: float) -> float:
        points = anatomy._points(pose(0.17, -0.28, 0.28, curls=(curl,) * 5))
        return float(np.linalg.norm(points[MIDDLE_TIP] - points[WRIST]))

    reaches = [reach(curl) for curl in (0.0, 0.3, 0.6, 0.9)]
    assert reaches == sorted(reaches, reverse=True) and reaches[-1] < 0.55 * HAND


def test_the_left_hand_is_on_the_pictures_right_and_mirrored() -> None:
    left, right = keypoints(bent(), left=True), keypoints(bent(), left=False)
    assert left[WRIST, 0] > 0.5
    assert np.allclose(left[:, 0] - 0.5, 0.5 - right[:, 0]) and np.allclose(left[:, 1], right[:, 1])


def test_keypoints_of_many_poses_are_those_of_each() -> None:
    poses = np.stack([bent(supination=s) for s in (-40.0, 0.0, 50.0)])
    assert np.allclose(keypoints(poses, left=True)[1], keypoints(poses[1], left=True))


@pytest.mark.parametrize("name", SHAPES)
def test_strokes_stay_off_the_face_and_in_the_picture(name: str) -> None:
    for seed in range(30):
        rng = np.random.default_rng(seed)
        stroke = draw_stroke(SHAPES[name], rng, amplitude=1.3, height=0.05, width=0.0)
        for held in (stroke.ready, stroke.apex):
            points = keypoints(held, left=True)
            assert not over_face(points)
            assert points.min() > 0.2 and points.max() < 1.05
