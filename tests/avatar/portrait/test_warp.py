"""The inverse of the displacement is its inverse."""

from __future__ import annotations

import numpy as np
import pytest

from avatar.portrait.arrays import resample
from avatar.portrait.controls import clean
from avatar.portrait.renderer import PASSES
from avatar.portrait.warp import charts
from tests.avatar.portrait.conftest import Shared, row


@pytest.mark.parametrize(
    "channels",
    [
        {"jawOpen": 0.5},
        {"mouthSmile": 0.8, "jawOpen": 0.2},
        {"headYaw": 7, "headRoll": 3, "headPitch": -4},
        {"mouthPucker": 0.8, "headYaw": -6, "breath": 1},
    ],
)
def test_points_come_back(shared_renderer: Shared, channels: dict[str, float]) -> None:
    renderer = shared_renderer("helen", 512)
    controls = clean(row(**channels).values[0])
    lines, _ = renderer._lips.lines(controls)
    grid, pose = renderer._grid, renderer._body.pose(controls)
    moved = grid.displaced(controls, charts(lines, renderer._anatomy).both, "lower", pose)
    source = grid.xy + grid.inverse(moved, grid.xy, PASSES)
    there = source + resample(moved, (source - grid.origin) / grid.step)
    error = np.linalg.norm(there - grid.xy, axis=-1)
    # between the lips two layers part: the mouth is drawn over by its own two maps
    u, v = renderer._anatomy.to_mouth(grid.xy)
    elsewhere = (np.abs(u) > 1.5) | (v < -0.8) | (v > 1.3)
    assert error[elsewhere].max() < 0.6
    assert error[elsewhere].mean() < 0.02


def test_rest_moves_nothing(shared_renderer: Shared) -> None:
    renderer = shared_renderer("helen", 256)
    controls = clean(row().values[0])
    lines, gap = renderer._lips.lines(controls)
    assert not lines.any()
    assert not gap.any()
    chart = charts(lines, renderer._anatomy).both
    assert not renderer._grid.displaced(controls, chart, "lower", renderer._body.pose(controls)).any()
