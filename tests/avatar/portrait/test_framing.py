"""Frames lie inside their picture, whatever its shape and wherever the face."""

from __future__ import annotations

import numpy as np
import pytest

from avatar.portrait.framing import cut, square
from tests.avatar.portrait.conftest import Source


@pytest.mark.parametrize("framing", ["portrait", "half-body"])
@pytest.mark.parametrize("shape", [(1024, 1024), (400, 1000), (1000, 400), (300, 300), (5000, 4000)])
@pytest.mark.parametrize("at", [(0.5, 0.4), (0.02, 0.05), (0.98, 0.97)])
def test_inside_the_picture(helen: Source, framing: str, shape: tuple[int, int], at: tuple[float, float]) -> None:
    height, width = shape
    points = helen[1].points.copy()
    points[:, :2] += np.array([at[0] * width, at[1] * height]) - points[:, :2].mean(0)
    left, top, side = square(points, width, height, framing)  # type: ignore[arg-type]
    assert 0 <= left <= width - side
    assert 0 <= top <= height - side
    assert 0 < side <= min(width, height)


def test_landmarks_move_with_the_pixels(helen: Source) -> None:
    picture, rig = helen
    marked = np.zeros_like(picture)
    x, y = (round(float(v)) for v in rig.points[1, :2])
    marked[y - 2 : y + 3, x - 2 : x + 3] = 255
    points = rig.points.copy()
    points[1, :2] = x, y
    frame = cut(marked, points, 768, "portrait")
    rows, columns = np.nonzero(frame.pixels[..., 0] > 100)
    assert frame.points[1, 0] == pytest.approx(columns.mean(), abs=0.6)
    assert frame.points[1, 1] == pytest.approx(rows.mean(), abs=0.6)


def test_hair_has_room(sources: dict[str, Source]) -> None:
    for picture, rig in sources.values():
        frame = cut(picture, rig.points, 512, "portrait")
        forehead, chin = frame.points[10, 1], frame.points[152, 1]
        assert 0.2 * 512 < forehead < chin < 0.8 * 512
        assert abs(float(frame.points[:468, 0].mean()) - 256) < 20
