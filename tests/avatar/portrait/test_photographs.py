"""The same on pictures that were not drawn for this renderer: photographs, an illustration."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from avatar.landmarks import find_faces
from avatar.portrait.controls import clean
from avatar.portrait.framing import cut
from avatar.portrait.renderer import PortraitRenderer
from avatar.portrait.rig import build_rig
from avatar.portrait.warp import charts
from tests.avatar.portrait.conftest import Source, draw, green_pixels, row
from tests.avatar.portrait.test_renderer import difference, paint_inside_green

pytest.importorskip("mediapipe", reason="MediaPipe 0.10.14 is not installed (see mediapipe-requirements.txt)")

CLOSED = ("woman-neutral.png", "man-plain.png", "illustration.png")
PARTED = ("smiling-teeth.jpg", "man-classroom.png")


def source_of(shared: Path, name: str) -> Source:
    picture = np.asarray(cv2.imread(str(shared / "samples" / "portraits" / name)), np.uint8)
    (face, *_) = find_faces(np.ascontiguousarray(picture[..., ::-1]))
    return picture, build_rig(picture, face)


@pytest.mark.parametrize("name", CLOSED + PARTED)
def test_rest_sealed_and_blinking(shared: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    picture, rig = source_of(shared, name)
    assert bool((rig.lip_line[1] > rig.lip_line[0]).any()) == (name in PARTED)
    renderer = PortraitRenderer(picture, rig, size=512)
    photo = cut(picture, rig.points, 512, "portrait").pixels
    assert np.array_equal(draw(renderer), photo)
    assert difference(draw(renderer, headYaw=0.01), photo).mean() < 0.5
    paint_inside_green(renderer, monkeypatch)
    already_green = green_pixels(photo)
    for channels in ({"jawOpen": 0.2, "mouthClose": 0.2}, {"mouthPress": 0.7}, {"jawOpen": 0.1, "mouthPress": 0.6}):
        assert green_pixels(draw(renderer, **channels)) == already_green
    assert green_pixels(draw(renderer, jawOpen=0.3)) > already_green + 50
    for eye in renderer._eyes._eyes:
        eye._ball[:] = (0, 255, 0)
    assert green_pixels(draw(renderer, eyeBlink=1.0)) == already_green


def test_the_pictures_own_teeth_stay(shared: Path) -> None:
    picture, rig = source_of(shared, "smiling-teeth.jpg")
    renderer = PortraitRenderer(picture, rig, size=512)
    photo = cut(picture, rig.points, 512, "portrait").pixels
    opened = draw(renderer, jawOpen=0.25)
    x, y = (int(v) for v in (renderer.points[13, :2] + renderer.points[14, :2]) / 2)
    teeth = np.s_[y - 3 : y + 3, x - 12 : x + 12]
    assert photo[teeth].mean() > 150  # teeth it is
    assert difference(opened[teeth], photo[teeth]).mean() < 20


@pytest.mark.parametrize(
    ("channels", "farthest", "steepest"),
    [({"headYaw": 7.0}, 2.2, 0.06), ({"headPitch": -5.0}, 2.2, 0.06), ({"headRoll": 3.0}, 8.0, 0.25)],
)
def test_a_background_stays_straight(
    shared: Path, channels: dict[str, float], farthest: float, steepest: float
) -> None:
    """Beside the head, idle motion at its limits moves and bends lines little (0.1: by six degrees)."""
    picture, rig = source_of(shared, "man-classroom.png")
    renderer = PortraitRenderer(picture, rig, size=512)
    controls = clean(row(**channels).values[0])
    lines, _ = renderer._lips.lines(controls)
    chart = charts(lines, renderer._anatomy).both
    moved = renderer._grid.displaced(controls, chart, "lower", renderer._body.pose(controls))
    face = renderer.points[:468, 0]
    wide = (face.max() - face.min()) * 0.85
    beside = np.abs(renderer._grid.xy[..., 0] - face.mean()) > wide
    assert np.abs(moved[beside]).max() < farthest
    for axis in (0, 1):
        slope = np.abs(np.diff(moved, axis=axis)) / renderer._grid.step
        assert slope[beside[1:] if axis == 0 else beside[:, 1:]].max() < steepest
