from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from avatar.errors import MediaFileError
from avatar.motion.capture.video import LONGEST_SIDE, VideoFile
from tests.avatar.motion.capture.conftest import encode

LEVEL = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 16384]]) * 65536
PHONE = {
    # how a telephone writes that its picture must be turned (ISO 14496-12, tkhd): [a b u; c d v; x y w]
    90: np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 16384]]) * 65536,
    180: np.array([[-1, 0, 0], [0, -1, 0], [0, 0, 16384]]) * 65536,
    270: np.array([[0, -1, 0], [1, 0, 0], [0, 0, 16384]]) * 65536,
}


def striped(width: int = 64, height: int = 48) -> np.ndarray:
    """Red top left corner, the rest grey."""
    picture = np.full((height, width, 3), 90, np.uint8)
    picture[: height // 2, : width // 2] = (30, 30, 220)
    return picture


def refused(path: Path) -> MediaFileError:
    with pytest.raises(MediaFileError) as error, VideoFile.open(path) as video:
        list(video.frames())
    assert str(path) in str(error.value)
    return error.value


def test_frames_come_with_their_times(tmp_path: Path) -> None:
    path = encode(tmp_path / "v.mp4", [striped()] * 12, rate=30)
    with VideoFile.open(path) as video:
        frames = list(video.frames())
    assert video.duration_s == pytest.approx(0.4, abs=0.01)
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(12) / 30, atol=1e-3)
    red = frames[0].rgb[10, 10].astype(int)
    assert frames[0].rgb.shape == (48, 64, 3) and red[0] > 150 > red[2]


def test_large_pictures_are_looked_at_smaller(tmp_path: Path) -> None:
    path = encode(tmp_path / "v.mp4", [striped(1920, 1080)] * 2)
    with VideoFile.open(path) as video:
        assert next(video.frames()).rgb.shape == (540, LONGEST_SIDE, 3)


@pytest.mark.parametrize("turn", PHONE)
def test_a_telephone_held_upright_gives_upright_pictures(tmp_path: Path, turn: int) -> None:
    path = encode(tmp_path / "v.mp4", [striped()] * 3)
    level, turned = (matrix.astype(">i4").tobytes() for matrix in (LEVEL, PHONE[turn]))
    data = path.read_bytes()
    track = data.index(b"tkhd")
    at = data.index(level, track)
    path.write_bytes(data[:at] + turned + data[at + len(level) :])
    with VideoFile.open(path) as video:
        rgb = next(video.frames()).rgb
    assert rgb.shape[:2] == ((48, 64) if turn == 180 else (64, 48))
    red = rgb[..., 0].astype(int) - rgb[..., 2] > 80
    rows, columns = np.nonzero(red)
    top, left = rows.mean() < rgb.shape[0] / 2, columns.mean() < rgb.shape[1] / 2
    # turned clockwise by `turn`: the top left corner goes on to the right
    assert (top, left) == {90: (True, False), 180: (False, False), 270: (False, True)}[turn]


def test_reasons_for_refusing(tmp_path: Path) -> None:
    assert refused(tmp_path / "absent.mp4").code == "file_missing"
    (tmp_path / "empty.mp4").touch()
    assert refused(tmp_path / "empty.mp4").code == "file_empty"
    (tmp_path / "text.mp4").write_text("not a video at all, whatever its name says")
    assert refused(tmp_path / "text.mp4").code == "not_a_media_file"
    assert refused(tmp_path).code == "file_missing"
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n")
    assert refused(tmp_path / "list.m3u8").code == "not_a_media_file"


def test_sound_has_no_pictures(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), format="s16", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
    assert refused(path).code == "no_video_track"


def test_damage_in_the_middle_is_told(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 96, 128, 3)).astype(np.uint8)
    path = encode(tmp_path / "v.mkv", list(noise))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle - 40_000 : middle + 40_000] = bytes(80_000)
    path.write_bytes(bytes(data))
    try:
        with VideoFile.open(path) as video:
            frames = list(video.frames())
    except MediaFileError as error:
        assert error.code in ("video_damaged", "no_video")
    else:  # what FFmpeg conceals is read, in order
        times = [frame.time_s for frame in frames]
        assert times == sorted(times)
