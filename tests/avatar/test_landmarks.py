"""Finding faces; where MediaPipe is absent, saying so in one line."""

from __future__ import annotations

import sys
from importlib import resources

import cv2
import numpy as np
import pytest

from avatar.errors import ToolMissing
from avatar.landmarks import LANDMARK_COUNT, REQUIREMENTS, find_faces
from avatar.persona import BUILT_IN_DIR


def mediapipe_or_skip() -> None:
    pytest.importorskip("mediapipe", reason="MediaPipe 0.10.14 is not installed (see mediapipe-requirements.txt)")


def test_finds_the_face_of_every_built_in_persona() -> None:
    mediapipe_or_skip()
    for name in ("helen", "mei", "arjun"):
        picture = cv2.imread(str(BUILT_IN_DIR / name / "portrait.png"))
        assert picture is not None
        rgb = np.ascontiguousarray(picture[..., ::-1], np.uint8)
        (face,) = find_faces(rgb)
        assert face.points.shape == (LANDMARK_COUNT, 3)
        assert face.points.dtype == np.float32
        height, width = rgb.shape[:2]
        assert (face.points[:, 0] > 0).all()
        assert (face.points[:, 0] < width).all()
        assert 0.2 * height < face.height < 0.6 * height
        assert face.points[1, 2] < face.points[234, 2]  # the nose is nearer than the ear


def test_finds_several_largest_first() -> None:
    mediapipe_or_skip()
    one = np.asarray(cv2.imread(str(BUILT_IN_DIR / "helen" / "portrait.png")), np.uint8)[..., ::-1]
    small = np.asarray(cv2.resize(one, (600, 600)), np.uint8)
    both = np.full((1024, 1700, 3), 128, np.uint8)
    both[:, 650:1674] = one
    both[200:800, :600] = small
    faces = find_faces(np.ascontiguousarray(both))
    assert len(faces) == 2
    assert faces[0].height > faces[1].height
    assert faces[0].points[1, 0] > 650 > faces[1].points[1, 0]


def test_finds_nothing_in_nothing() -> None:
    mediapipe_or_skip()
    assert find_faces(np.full((200, 300, 3), 90, np.uint8)) == []


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3)),
        np.zeros((0, 5, 3), np.uint8),
    ],
)
def test_refuses_what_is_no_picture(picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8"):
        find_faces(picture)


def test_without_mediapipe_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.split(".")[0] == "mediapipe":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(ToolMissing) as refused:
        find_faces(np.zeros((50, 50, 3), np.uint8))
    assert "\n" not in str(refused.value)
    assert "pip install --no-deps" in str(refused.value)
    assert "copy its folder" in str(refused.value)
    assert refused.value.code == "tool_missing"


def test_requirements_are_lines_for_pip() -> None:
    lines = [
        line
        for line in resources.files("avatar").joinpath(REQUIREMENTS).read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert lines[0].startswith("mediapipe==0.10.14")
    assert any(line.startswith("protobuf>=4.25.8,<5") for line in lines)
    assert not any("opencv" in line or "jax" in line for line in lines)
