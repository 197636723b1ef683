"""Where the lips meet in the picture, and that motion makes them meet exactly."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from avatar.portrait.anatomy import Anatomy, measure
from avatar.portrait.controls import USED, clean, index
from avatar.portrait.framing import cut
from avatar.portrait.lip_shapes import Level, LipShapes, sealing
from avatar.portrait.lips import LINE_SAMPLES, find_lip_line, mouth_frame
from tests.avatar.portrait.conftest import Source, row


@pytest.fixture
def anatomy(helen: Source) -> Anatomy:
    picture, rig = helen
    return measure(cut(picture, rig.points, 512, "portrait").points, rig.lip_line)


def test_the_dark_line_is_found_where_it_was_drawn(helen: Source) -> None:
    _, rig = helen
    centre, along, down, half = mouth_frame(rig.points)
    gray = np.full(rig.picture_size[::-1], 180, np.uint8)
    u = np.linspace(-1, 1, LINE_SAMPLES)
    drawn = 0.06 * np.cos(3 * u)
    line = centre + half * (u[:, None] * along + drawn[:, None] * down)
    cv2.polylines(gray, [np.round(line * 16).astype(np.int32)], False, 40, 2, cv2.LINE_AA, 4)
    upper, lower = find_lip_line(gray, rig.points)
    assert np.array_equal(upper, lower)
    middle = np.abs(u) < 0.8
    assert np.abs(upper - drawn)[middle].max() * half < 1.5


def test_parted_lips_have_two_lines(helen: Source) -> None:
    _, rig = helen
    points = rig.points.copy()
    _, _, down, half = mouth_frame(points)
    points[[88, 178, 87, 14, 317, 402, 318], :2] += 0.3 * half * down
    upper, lower = find_lip_line(np.full(rig.picture_size[::-1], 128, np.uint8), points)
    assert (lower - upper).max() > 0.2
    assert lower[0] - upper[0] == pytest.approx(0, abs=1e-6)
    assert (lower >= upper).all()


def test_equal_jaw_and_close_seal_exactly(anatomy: Anatomy) -> None:
    shapes = LipShapes(anatomy)
    for jaw in np.linspace(0.03, 1, 20):
        lines, gap = shapes.lines(clean(row(jawOpen=jaw, mouthClose=jaw).values[0]))
        assert (gap == 0).all()
        assert np.allclose(lines[Level.UPPER_CONTACT], lines[Level.LOWER_CONTACT], atol=1e-5)


def test_lips_never_cross(anatomy: Anatomy) -> None:
    shapes = LipShapes(anatomy)
    rng = np.random.default_rng(1)
    for _ in range(300):
        controls = (rng.uniform(0, 1, USED) * (rng.uniform(0, 1, USED) < 0.3)).astype(np.float32)
        lines, gap = shapes.lines(controls)
        upper, lower = lines[Level.UPPER_CONTACT], lines[Level.LOWER_CONTACT]
        assert (gap >= 0).all()
        assert np.allclose(lower[:, 1] - upper[:, 1] + anatomy.rest_gap, gap, atol=1e-5)
        beside = np.abs(anatomy.columns) >= 1
        assert np.allclose(upper[beside], lower[beside], atol=1e-6)


def test_sealing() -> None:
    def of(**channels: float) -> float:
        return sealing(clean(row(**channels).values[0]))

    assert of() == 0
    assert of(jawOpen=0.4) == 0
    assert of(jawOpen=0.4, mouthClose=0.2) == pytest.approx(0.5)
    assert of(jawOpen=0.4, mouthClose=0.4) == pytest.approx(1)
    assert of(jawOpen=0.4, mouthPress=1) == pytest.approx(1)
    assert of(jawOpen=0.4, mouthClose=0.4, mouthPress=0.5) == pytest.approx(1)


def test_sides_are_the_avatars_own(anatomy: Anatomy) -> None:
    lines, _ = LipShapes(anatomy).lines(clean(row(mouthSmileLeft=1).values[0]))
    up = -lines[Level.UPPER_CONTACT, :, 1]
    at = {side: int(np.argmin(np.abs(anatomy.columns - side))) for side in (-1.0, 1.0)}
    assert up[at[1.0]] > 0.1  # the avatar's left is at the picture's right
    assert abs(up[at[-1.0]]) < 0.01


def test_clean_clamps_and_ignores_what_is_no_number() -> None:
    motion = row(jawOpen=np.nan, mouthPucker=7, headYaw=-900, headRoll=np.inf, breath=-3)
    controls = clean(motion.values[0])
    assert controls[index("jawOpen")] == 0
    assert controls[index("mouthPucker")] == 1
    assert -20 < controls[index("headYaw")] < -10
    assert 10 < controls[index("headRoll")] < 20
    assert controls[index("breath")] == 0
    assert np.isnan(motion.values[0, 0:60]).any()  # the caller's row is left alone
