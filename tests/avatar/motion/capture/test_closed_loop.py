"""A portrait is moved in a known way, drawn, and read back: what is captured must be what was played."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avatar.errors import MediaFileError
from avatar.motion.capture.capture import Captured, capture_motion
from avatar.motion.capture.video import VideoFile
from avatar.motion.motion import INDEX, Motion
from avatar.motion.speech.mouth import measures
from tests.avatar.motion.capture.conftest import drawn, encode

pytestmark = pytest.mark.usefixtures("mediapipe")

FRAMES = 150
PLAYED = {
    "headYaw": 8.0, "headPitch": 6.0, "headRoll": 6.0, "headX": 0.05, "headY": 0.05,
}  # fmt: skip


def curve(seed: int, hertz: float = 1.2, *, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """Smooth, at rest half of the time where ``low`` is 0."""
    rng = np.random.default_rng(seed)
    time = np.arange(FRAMES) / 25
    values = sum(np.sin(2 * np.pi * f * time + rng.uniform(0, 6)) for f in rng.uniform(0.2, hertz, 4)) / 2
    values = np.clip(values, -1, 1)
    return np.asarray(np.clip(values, 0, 1) * high if low == 0 else values * high, np.float32)


def played() -> Motion:
    motion = Motion.zeros(FRAMES)
    for i, (name, high) in enumerate(PLAYED.items()):
        motion[name][:] = curve(i, 0.7, low=-1, high=high)
    motion["jawOpen"][:] = curve(20, 2.0, high=0.5)
    wide = curve(21, low=-1)
    for side in ("Left", "Right"):
        motion[f"mouthStretch{side}"][:] = 0.6 * np.clip(wide, 0, 1)
    motion["mouthPucker"][:] = 0.8 * np.clip(-wide, 0, 1)
    gaze = curve(22, low=-1, high=0.6)
    for name, part in (("OutLeft", gaze), ("InRight", gaze), ("InLeft", -gaze), ("OutRight", -gaze)):
        motion[f"eyeLook{name}"][:] = np.clip(part, 0, 1)
    brows = curve(23)
    motion["browInnerUp"][:] = brows
    motion["browOuterUpLeft"][:] = motion["browOuterUpRight"][:] = brows
    for at in (30, 75, 118):
        for side in ("Left", "Right"):
            motion[f"eyeBlink{side}"][at : at + 4] = (0.6, 1.0, 0.9, 0.4)
    return motion


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory, mediapipe: None) -> tuple[Motion, Captured]:
    path = encode(tmp_path_factory.mktemp("loop") / "helen.mp4", drawn(played()))
    with VideoFile.open(path) as video:
        return played(), capture_motion(video, hands=False)


def agreement(loop: tuple[Motion, Captured], name: str) -> tuple[float, float]:
    """Correlation, and slope of captured over played."""
    truth, read = loop[0][name].astype(float), loop[1].motion[name].astype(float)
    assert len(truth) == len(read)
    return float(np.corrcoef(truth, read)[0, 1]), float(np.polyfit(truth, read, 1)[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["headYaw", "headPitch", "headRoll", "headX", "headY"])
def test_the_head_turns_as_it_was_turned(loop: tuple[Motion, Captured], name: str) -> None:
    alike, gain = agreement(loop, name)
    assert alike > (0.85 if name in ("headX", "headY") else 0.93), (name, alike)
    assert 0.55 < gain < 1.2, (name, gain)  # one picture drawn turned looks less turned than a head is


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "least"), [("jawOpen", 0.9), ("browInnerUp", 0.85), ("eyeLookOutLeft", 0.9), ("mouthPucker", 0.85)]
)
def test_the_face_moves_as_it_was_moved(loop: tuple[Motion, Captured], name: str, least: float) -> None:
    alike, gain = agreement(loop, name)
    assert alike > least, (name, alike)
    assert 0.35 < gain < 1.3, (name, gain)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("opening", 0.9), ("width", 0.93), ("rounding", 0.93)])
def test_lips_are_seen_as_they_were_drawn(loop: tuple[Motion, Captured], name: str, least: float) -> None:
    truth, read = (measures(motion.values)[name] for motion in (loop[0], loop[1].motion))
    assert np.corrcoef(truth, read)[0, 1] > least
    assert 0.6 < np.polyfit(truth, read, 1)[0] < 1.2


@pytest.mark.slow
def test_blinks_are_where_they_were(loop: tuple[Motion, Captured]) -> None:
    lids = loop[1].motion["eyeBlinkLeft"]
    assert lids[[31, 76, 119]].min() > 0.6
    away = np.ones(FRAMES, bool)
    for at in (30, 75, 118):
        away[at - 3 : at + 8] = False
    assert np.median(lids[away]) < 0.1


@pytest.mark.slow
def test_a_face_at_rest_is_nearly_zero(tmp_path: Path, portrait: np.ndarray) -> None:
    path = encode(tmp_path / "still.mp4", [portrait] * 40)
    with VideoFile.open(path) as video:
        found = capture_motion(video, hands=False)
    assert found.face_seen == 1.0 and not found.warnings
    mouth = measures(found.motion.values)
    assert np.abs(mouth["opening"]).max() < 0.05
    assert np.abs(found.motion["headYaw"]).max() < 1.0
    assert found.motion["eyeBlinkLeft"].max() < 0.3


@pytest.mark.slow
def test_a_face_that_is_lost_comes_to_rest(tmp_path: Path) -> None:
    motion = Motion.zeros(75)
    motion["jawOpen"][:] = np.abs(np.sin(np.arange(75) / 3)) * 0.5
    frames = drawn(motion, size=256)
    for i in range(30, 55):
        frames[i] = np.full_like(frames[i], 40)
    path = encode(tmp_path / "lost.mp4", frames)
    with VideoFile.open(path) as video:
        found = capture_motion(video, hands=False)
    assert found.motion["jawOpen"][40:45].max() < 0.05
    assert any("lost" in warning for warning in found.warnings)


def refused(path: Path) -> str:
    with pytest.raises(MediaFileError) as error, VideoFile.open(path) as video:
        capture_motion(video, hands=False)
    assert str(path) in str(error.value)
    return error.value.code


def test_nobody_is_told(tmp_path: Path) -> None:
    assert refused(encode(tmp_path / "v.mp4", [np.full((240, 320, 3), 90, np.uint8)] * 5)) == "no_face"


def test_too_little_is_told(tmp_path: Path, portrait: np.ndarray) -> None:
    assert refused(encode(tmp_path / "v.mp4", [portrait] * 8)) == "video_too_short"


def test_two_people_are_told(tmp_path: Path, portrait: np.ndarray) -> None:
    assert refused(encode(tmp_path / "v.mp4", [np.hstack([portrait, portrait])] * 30)) == "several_faces"


def test_captured_channels_are_in_their_ranges(loop: tuple[Motion, Captured]) -> None:
    values = loop[1].motion.values
    assert np.isfinite(values).all()
    faces = values[:, : INDEX["headPitch"]]
    assert faces.min() >= 0 and faces.max() <= 1
    assert (loop[1].motion["mouthClose"] <= loop[1].motion["jawOpen"] + 1e-6).all()
