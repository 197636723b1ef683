"""Hands drawn as the pose encoder was trained to see them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avatar.echomimic.pose_map import BONES, draw_hands, paste


def hand(x: float = 0.5, y: float = 0.5, size: float = 0.2) -> np.ndarray:
    fan = np.array([[x, y]] + [[x + size * (f - 2) / 4, y - size * (j + 1) / 4] for f in range(5) for j in range(4)])
    return fan


def test_bones() -> None:
    assert len(BONES) == 20 and BONES[:4] == ((0, 1), (1, 2), (2, 3), (3, 4))
    assert [bone for bone in BONES if bone[0] == 0] == [(0, 1), (0, 5), (0, 9), (0, 13), (0, 17)]
    assert {joint for bone in BONES for joint in bone} == set(range(21))


def test_a_hand() -> None:
    drawn = draw_hands(hand()[None], np.ones((1, 21)))
    assert drawn.shape == (768, 768, 3) and drawn.dtype == np.uint8
    assert drawn[384, 384].tolist() == [255, 0, 0], "keypoints are discs of pure red"
    assert drawn[..., 1].any() and drawn[..., 2].any(), "bones have the rainbow's other colours"
    assert not drawn[:200].any() and not drawn[500:].any()


def test_brightness_is_the_score() -> None:
    dim = draw_hands(hand()[None], np.full((1, 21), 0.5))
    assert dim[384, 384].tolist() == [127, 0, 0]
    assert dim[..., 1].max() <= 64, "a bone has its two ends' product"
    assert draw_hands(hand()[None], np.full((1, 21), 1.09))[384, 384, 0] == 255


@pytest.mark.parametrize("where", [(-0.5, 0.5), (0.5, -0.5)])
def test_what_is_left_of_or_above_the_picture_is_not_drawn(where: tuple[float, float]) -> None:
    assert not draw_hands(hand(*where, size=0.1)[None], np.ones((1, 21))).any()


def test_no_hands() -> None:
    assert not draw_hands(np.zeros((0, 21, 2)), np.zeros((0, 21))).any()


def test_other_sizes() -> None:
    assert draw_hands(hand()[None], np.ones((1, 21)), 512, 512).shape == (512, 512, 3)
    assert draw_hands(hand()[None], np.ones((1, 21)), 640, 384).shape == (640, 384, 3)


def test_pasting() -> None:
    whole = paste(np.full((4, 2, 3), 9, np.uint8), 8, 8, (2, 6, 3, 5))
    assert whole.sum() == 4 * 2 * 3 * 9 and (whole[2:6, 3:5] == 9).all()


def test_as_the_original_draws_real_poses(fixtures: Path) -> None:
    with np.load(fixtures / "parity_v2.npz", allow_pickle=False) as arrays:
        for frame in (0, 100, 200):
            of = f"pose_render|{frame}|"
            drawn = draw_hands(arrays[of + "hands"], arrays[of + "hands_score"])
            theirs = arrays[of + "image_rgb_u8"]
            assert theirs.any()
            different = (drawn != theirs).any(axis=-1).sum()
            assert different <= 0.02 * theirs.any(axis=-1).sum(), "single pixels may move between OpenCV's releases"
