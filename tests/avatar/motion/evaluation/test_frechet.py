from __future__ import annotations

import numpy as np
import pytest

from avatar.motion.evaluation.frechet import WINDOW_FRAMES, WindowSpace, distance, starts


def scenes(count: int, seed: int, *, speed: float = 1.0, shift: float = 0.0, channels: int = 4) -> list[np.ndarray]:
    """Smooth random motion: sums of sines with random phases."""
    rng = np.random.default_rng(seed)
    time = np.arange(150)[:, None, None] / 25
    out = []
    for _ in range(count):
        hertz = speed * rng.uniform(0.2, 2.0, (channels, 6))
        phase = rng.uniform(0, 2 * np.pi, (channels, 6))
        out.append((np.sin(2 * np.pi * hertz * time + phase).sum(2) + shift).astype(np.float32))
    return out


@pytest.fixture(scope="module")
def space() -> WindowSpace:
    return WindowSpace.fitted(scenes(80, 0))


def test_the_same_law_is_near_another_is_far(space: WindowSpace) -> None:
    data = space.project(scenes(80, 1))
    near = distance(space.project(scenes(80, 2)), data)
    fast = distance(space.project(scenes(80, 3, speed=2.0)), data)
    moved = distance(space.project(scenes(80, 4, shift=1.0)), data)
    assert near.value < 0.5 * min(fast.value, moved.value)
    assert near.low <= near.high
    assert fast.low > near.high


def test_a_set_has_no_distance_to_itself(space: WindowSpace) -> None:
    data = space.project(scenes(40, 5))
    assert distance(data, data, resamples=0).value == pytest.approx(0, abs=1e-3)


def test_a_shift_is_measured_exactly() -> None:
    """Equal covariances leave the distance of the means."""
    base = [np.asarray(np.random.default_rng(i).standard_normal((200, 3)), np.float32) for i in range(5)]
    moved = [rows + np.array([3.0, 4.0, 0.0], np.float32) for rows in base]
    assert distance(moved, base, resamples=0).value == pytest.approx(5.0, abs=1e-3)


def test_motion_that_stands_still_is_far_though_its_poses_are_right(space: WindowSpace) -> None:
    data = space.project(scenes(80, 1))
    rng = np.random.default_rng(0)
    frozen = [np.repeat(scene[rng.integers(150)][None], 150, axis=0) for scene in scenes(80, 6)]
    assert distance(space.project(frozen), data).value > 2 * distance(space.project(scenes(80, 2)), data).value


def test_windows_lie_wholly_within_a_scene() -> None:
    assert list(starts(WINDOW_FRAMES - 1, 5)) == []
    assert list(starts(WINDOW_FRAMES + 10, 5)) == [0, 5, 10]
    with pytest.raises(ValueError, match="50 frames"):
        WindowSpace.fitted([np.zeros((20, 3), np.float32)])


def test_few_windows_of_many_channels_are_borne() -> None:
    few = scenes(3, 0, channels=10)
    space = WindowSpace.fitted(few)
    assert 0 < space.explained <= 1.0001
    norms = np.linalg.norm(space.components, axis=1)
    np.testing.assert_allclose(norms[: len(few)], 1.0, atol=1e-3)
