"""Measured in pixels: what the portrait does with each kind of motion."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from avatar.errors import PersonaError
from avatar.motion.motion import CHANNELS, INDEX, Motion
from avatar.portrait.framing import SIZES, cut
from avatar.portrait.renderer import PortraitRenderer
from avatar.portrait.rig import Rig
from tests.avatar.portrait.conftest import GREEN, Shared, Source, draw, green_pixels, row

Frame = NDArray[np.uint8]

PERSONAS = ("helen", "mei", "arjun")

SPEAKING = {"jawOpen": 0.4, "mouthFunnel": 0.3, "headYaw": 4.0, "headPitch": -3.0, "breath": 0.5, "eyeBlink": 0.3}


def difference(a: Frame, b: Frame) -> NDArray[np.float64]:
    return np.abs(a.astype(float) - b).mean(-1)


def shift_of(
    renderer: PortraitRenderer, landmark: int, before: Frame, after: Frame, r: int = 12
) -> tuple[float, float]:
    """How far (right, down) the picture around a landmark went."""
    x, y = (round(float(v)) for v in renderer.points[landmark, :2])
    reach = 18
    patch = before[y - r : y + r, x - r : x + r]
    area = after[y - r - reach : y + r + reach, x - r - reach : x + r + reach]
    match = cv2.matchTemplate(area, patch, cv2.TM_CCOEFF_NORMED)
    _, _, _, (best_x, best_y) = cv2.minMaxLoc(match)
    return best_x - reach, best_y - reach


def rest(helen: Source, size: int = 256) -> Frame:
    picture, rig = helen
    return cut(picture, rig.points, size, "portrait").pixels


def paint_inside_green(renderer: PortraitRenderer, monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(*args: object) -> Frame:
        width, height = args[-2:]
        return np.full((height, width, 3), GREEN, np.uint8)  # type: ignore[arg-type]

    monkeypatch.setattr(renderer._mouth._interior, "draw", drawn)


def test_rest_is_the_picture(sources: dict[str, Source], shared_renderer: Shared) -> None:
    for name, source in sources.items():
        for size in (256, 512):
            assert np.array_equal(draw(shared_renderer(name, size)), rest(source, size))


def test_parting_lips_do_not_jump(shared_renderer: Shared) -> None:
    """Sealed lips are drawn by one map, parting ones by two: nothing may show where one takes over."""
    for name in PERSONAS:
        renderer = shared_renderer(name, 512)
        for channels in ({"mouthSmile": 0.5}, {"headYaw": 5.0}, {"mouthPress": 1.0}, {"mouthPucker": 0.6}):
            sealed = draw(renderer, **channels)
            parting = draw(renderer, jawOpen=0.004, **channels)
            assert difference(sealed, parting).max() < 60
            assert difference(sealed, parting).mean() < 0.1


def test_leaving_rest_does_not_jump(sources: dict[str, Source], shared_renderer: Shared) -> None:
    for name, source in sources.items():
        renderer = shared_renderer(name, 512)
        for nearly in ({"headYaw": 0.01}, {"jawOpen": 0.004}, {"mouthSmile": 0.01}, {"browInnerUp": 0.01}):
            frame = draw(renderer, **nearly)
            assert difference(frame, rest(source, 512)).mean() < 0.5
            assert difference(frame, rest(source, 512)).max() < 40


def test_hands_are_not_a_portraits_business(renderer: PortraitRenderer, helen: Source) -> None:
    assert np.array_equal(draw(renderer, handLeftScore=1, handLeft0X=0.5), rest(helen))


@pytest.mark.parametrize("pose", [{}, {"headYaw": 6}, {"headRoll": -5, "headPitch": 5}])
@pytest.mark.parametrize("jaw", [0.05, 0.12, 0.22, 0.4])
def test_closed_lips_are_sealed(
    shared_renderer: Shared, monkeypatch: pytest.MonkeyPatch, jaw: float, pose: dict[str, float]
) -> None:
    for name in PERSONAS:
        renderer = shared_renderer(name, 256)
        paint_inside_green(renderer, monkeypatch)
        assert green_pixels(draw(renderer, jawOpen=jaw, mouthClose=jaw, **pose)) == 0
        assert green_pixels(draw(renderer, jawOpen=jaw, mouthPress=0.6, **pose)) == 0
        assert green_pixels(draw(renderer, jawOpen=jaw, mouthClose=jaw, mouthPress=0.3, mouthFunnel=0.4, **pose)) == 0


def test_sealed_lips_hide_nothing_dark(helen: Source, shared_renderer: Shared) -> None:
    """Whatever is drawn inside, a closed mouth is as light as the picture's own."""
    renderer = shared_renderer("helen", 512)
    x0, y0, x1, y1 = mouth_box(renderer)
    before = rest(helen, 512)[y0:y1, x0:x1].min(-1)
    after = draw(renderer, jawOpen=0.15, mouthClose=0.15)[y0:y1, x0:x1].min(-1)
    assert int(after.min()) >= int(before.min()) - 8


def mouth_box(renderer: PortraitRenderer) -> tuple[int, int, int, int]:
    corners = renderer.points[[61, 291], :2]
    half = int(abs(corners[1, 0] - corners[0, 0]) / 2)
    x, y = (int(v) for v in corners.mean(0))
    return x - half // 2, y - half // 2, x + half // 2, y + half


def test_the_mouth_opens_with_the_jaw(shared_renderer: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PERSONAS:
        renderer = shared_renderer(name, 256)
        paint_inside_green(renderer, monkeypatch)
        open_by = [green_pixels(draw(renderer, jawOpen=jaw)) for jaw in np.linspace(0, 1, 11)]
        assert open_by[0] == 0
        assert all(more > less for less, more in pairwise(open_by[1:])), open_by


def test_rounding_narrows_the_opening(renderer: PortraitRenderer, monkeypatch: pytest.MonkeyPatch) -> None:
    paint_inside_green(renderer, monkeypatch)

    def extent(**channels: float) -> tuple[int, int]:
        frame = draw(renderer, **channels).astype(int)
        inside = frame[..., 1] - np.maximum(frame[..., 0], frame[..., 2]) > 60
        return int(inside.any(0).sum()), int(inside.any(1).sum())

    wide, high = extent(jawOpen=0.4)
    narrow, rounded = extent(jawOpen=0.4, mouthFunnel=0.6, mouthPucker=0.3)
    assert narrow < 0.8 * wide
    assert rounded >= high


def test_teeth_hide_while_lips_are_rounded(helen: Source, shared_renderer: Shared) -> None:
    renderer = shared_renderer("helen", 512)
    x0, y0, x1, y1 = mouth_box(renderer)
    inside = np.s_[(y0 + y1) // 2 - 4 : (y0 + y1) // 2 + 4, (x0 + x1) // 2 - 6 : (x0 + x1) // 2 + 6]
    spread = draw(renderer, jawOpen=0.25, mouthUpperUp=0.4)[inside]
    rounded = draw(renderer, jawOpen=0.25, mouthFunnel=0.7)[inside]
    assert rounded.mean() < spread.mean()


def test_the_inside_is_not_black_and_not_green(shared_renderer: Shared) -> None:
    for name in PERSONAS:
        renderer = shared_renderer(name, 512)
        x0, y0, x1, y1 = mouth_box(renderer)
        blue, green, red = (draw(renderer, jawOpen=0.55)[y0:y1, x0:x1, i].astype(int) for i in range(3))
        dark = (blue + green + red) < 150
        assert dark.sum() > 50
        assert (red[dark] > green[dark]).mean() > 0.95
        assert np.median(red[dark]) > 20


def test_a_blink_hides_the_eyes(sources: dict[str, Source]) -> None:
    for source in sources.values():
        renderer = PortraitRenderer(*source, size=256)
        for eye in renderer._eyes._eyes:
            eye._ball[:] = GREEN
        counts = [green_pixels(draw(renderer, eyeBlink=lid)) for lid in (0.25, 0.5, 0.75, 1.0)]
        assert counts[0] > counts[1] > counts[2] > counts[3] == 0


def test_a_blink_is_skin_coloured(shared_renderer: Shared) -> None:
    for name in PERSONAS:
        renderer = shared_renderer(name, 512)
        closed = draw(renderer, eyeBlink=1)
        for iris, cheek in ((468, 50), (473, 280)):
            # above the lash line, which runs through the eye's lower half
            x, y = (int(v) for v in renderer.points[iris, :2])
            lid = np.median(closed[y - 6 : y - 1, x - 4 : x + 5].reshape(-1, 3), 0)
            cx, cy = (int(v) for v in renderer.points[cheek, :2])
            skin = np.median(closed[cy - 5 : cy + 5, cx - 5 : cx + 5].reshape(-1, 3), 0)
            assert lid.sum() > 0.45 * skin.sum()
            assert lid[2] > lid[0]  # redder than blue


def test_gaze_moves_the_iris(renderer: PortraitRenderer, helen: Source) -> None:
    x, y = (round(float(v)) for v in renderer.points[468, :2])
    area = np.s_[y - 4 : y + 5, x - 14 : x + 15]

    def darkness_at(frame: Frame) -> float:
        weight = 255.0 - frame[area].mean(-1)
        weight = np.maximum(weight - np.percentile(weight, 60), 0)
        return float((weight.sum(0) * np.arange(weight.shape[1])).sum() / weight.sum())

    straight = darkness_at(rest(helen))
    left = darkness_at(draw(renderer, eyeLookInRight=0.8, eyeLookOutLeft=0.8))
    right = darkness_at(draw(renderer, eyeLookOutRight=0.8, eyeLookInLeft=0.8))
    assert left > straight + 1 > right + 2  # the avatar's left is the picture's right


@pytest.mark.parametrize(
    ("channels", "along", "sign"),
    [
        ({"headYaw": 10}, 0, 1),
        ({"headYaw": -10}, 0, -1),
        ({"headPitch": 8}, 1, -1),
        ({"headPitch": -8}, 1, 1),
        ({"headRoll": 8}, 0, 1),
        ({"headX": 0.05}, 0, 1),
        ({"headY": 0.05}, 1, -1),
    ],
)
def test_the_head_turns_as_named(
    renderer: PortraitRenderer, helen: Source, channels: dict[str, float], along: int, sign: int
) -> None:
    shift = shift_of(renderer, 168, rest(helen), draw(renderer, **channels))
    assert shift[along] * sign >= 3


def test_brows_and_corners_go_where_they_are_told(renderer: PortraitRenderer, helen: Source) -> None:
    before = rest(helen)
    up = draw(renderer, browInnerUp=1, browOuterUp=1)
    assert shift_of(renderer, 105, before, up)[1] < 0
    smile = draw(renderer, mouthSmile=1)
    left, right = (shift_of(renderer, corner, before, smile, r=5) for corner in (291, 61))
    assert left[0] > 0 > right[0]
    assert left[1] < 0 > right[1]


def test_the_background_stays(renderer: PortraitRenderer, helen: Source) -> None:
    before = rest(helen)
    for channels in ({"headYaw": 12.0}, {"headRoll": 10.0, "headPitch": -10.0}, {"headX": 0.1}):
        moved = difference(draw(renderer, **channels), before)
        for border in (moved[:, :12], moved[:, -12:], moved[:6]):
            assert border.mean() < 0.5  # grain, moved by parts of a pixel
            assert border.max() < 5
        assert moved[-20:].mean() < 1  # the chest does not turn with the head


def test_breath_lifts_the_chest_a_little(helen: Source, shared_renderer: Shared) -> None:
    renderer = shared_renderer("helen", 512)
    moved = difference(draw(renderer, breath=1), rest(helen, 512))
    assert 0.02 < moved[420:, 100:-100].mean() < 4
    raised = difference(draw(renderer, shoulderLeft=1), rest(helen, 512))
    assert raised[350:, 256:].mean() > 3 * raised[350:, :256].mean()


def test_the_picture_depends_on_the_row_alone(helen: Source) -> None:
    first, second = PortraitRenderer(*helen, size=256), PortraitRenderer(*helen, size=256)
    rng = np.random.default_rng(0)
    wild = Motion(rng.uniform(0, 1, (12, len(CHANNELS))).astype(np.float32))
    second.render(wild)
    for channels in (SPEAKING, {}, {"eyeBlink": 1.0}, {"jawOpen": 0.3}):
        expected = draw(first, **channels)
        assert np.array_equal(draw(second, **channels), expected)
        second.render(wild)
        assert np.array_equal(draw(second, **channels), expected)


def test_frames_belong_to_the_caller(renderer: PortraitRenderer) -> None:
    first, second = renderer.render(Motion(np.concatenate([row(**SPEAKING).values, row().values])))
    kept = second.copy()
    first[:] = 0
    second[:] = 0
    assert np.array_equal(draw(renderer), kept)


@pytest.mark.parametrize("value", [1.0, -1.0, 30.0, -1e30, np.inf, -np.inf])
def test_every_channel_bears_every_value(renderer: PortraitRenderer, value: float) -> None:
    for name in CHANNELS[:62]:
        frame = draw(renderer, **{name: value})
        assert frame.shape == (256, 256, 3)
        assert frame.std() > 10
    everything = Motion.zeros(1)
    everything.values[:] = value
    (frame,) = renderer.render(everything)
    assert frame.std() > 10


def test_not_a_number_is_rest(renderer: PortraitRenderer, helen: Source) -> None:
    motion = Motion.zeros(1)
    motion.values[:] = np.nan
    (frame,) = renderer.render(motion)
    assert np.array_equal(frame, rest(helen))


def test_no_frames_of_no_motion(renderer: PortraitRenderer) -> None:
    assert renderer.render(Motion.zeros(0)) == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("framing", ["portrait", "half-body"])
def test_sizes_and_framings(helen: Source, size: int, framing: str) -> None:
    renderer = PortraitRenderer(*helen, size=size, framing=framing)  # type: ignore[arg-type]
    assert (renderer.width, renderer.height) == (size, size)
    frame = draw(renderer, **SPEAKING)
    assert frame.shape == (size, size, 3)
    assert frame.dtype == np.uint8
    assert frame.flags.c_contiguous
    # the same motion looks the same at every size
    reference = PortraitRenderer(*helen, size=256, framing=framing)  # type: ignore[arg-type]
    small = cv2.resize(frame, (256, 256), interpolation=cv2.INTER_AREA)
    assert difference(np.asarray(small, np.uint8), draw(reference, **SPEAKING)).mean() < 3


def test_half_body_shows_more(helen: Source) -> None:
    picture, rig = helen
    near, far = (cut(picture, rig.points, 256, framing).points for framing in ("portrait", "half-body"))
    assert np.ptp(far[:, 1]) < np.ptp(near[:, 1])


def test_refuses_what_it_cannot_draw(helen: Source) -> None:
    picture, rig = helen
    with pytest.raises(PersonaError, match="create the persona again"):
        PortraitRenderer(picture[:-2], rig)
    with pytest.raises(ValueError, match="size"):
        PortraitRenderer(picture, rig, size=500)
    with pytest.raises(ValueError, match="framing"):
        PortraitRenderer(picture, rig, framing="feet")  # type: ignore[arg-type]


def test_a_face_at_the_edge_of_its_picture(helen: Source) -> None:
    """Cropped to the eyes and below: nothing of the renderer may reach outside the picture."""
    picture, rig = helen
    for left, top, right, bottom in ((0, 380, 1024, 1024), (400, 0, 1024, 1024), (380, 380, 660, 640)):
        points = rig.points - np.array([left, top, 0], np.float32)
        cropped = np.ascontiguousarray(picture[top:bottom, left:right])
        moved = Rig(rig.version, (right - left, bottom - top), points, rig.lip_line)
        frame = draw(PortraitRenderer(cropped, moved, size=256), **SPEAKING, headRoll=10)
        assert frame.std() > 5


@pytest.mark.parametrize("seed", range(6))
def test_a_strangers_rig_breaks_nothing(helen: Source, seed: int) -> None:
    """A persona folder may come from anywhere: landmarks in wrong places give a bad picture, not a crash."""
    picture, rig = helen
    rng = np.random.default_rng(seed)
    points = rig.points.copy()
    if seed % 3 == 0:
        points[:, :2] = 1024 - points[:, :2]  # upside down
    elif seed % 3 == 1:
        points = rng.uniform(0, 1024, points.shape).astype(np.float32)
    else:
        points[:, :2] = points[:, :2] * rng.uniform(0.05, 3) + rng.uniform(-800, 800, 2).astype(np.float32)
    lip_line = np.sort(rng.uniform(-2, 2, rig.lip_line.shape), axis=0).astype(np.float32)
    with np.errstate(all="ignore"):
        renderer = PortraitRenderer(picture, Rig(rig.version, rig.picture_size, points, lip_line), size=256)
        wild = Motion(rng.uniform(-20, 20, (3, len(CHANNELS))).astype(np.float32))
        for frame in [*renderer.render(wild), draw(renderer, **SPEAKING)]:
            assert frame.shape == (256, 256, 3)


def test_channels_are_read_by_name(renderer: PortraitRenderer) -> None:
    assert INDEX["jawOpen"] < 62
    assert not np.array_equal(draw(renderer, jawOpen=0.5), draw(renderer, mouthSmile=0.5))
