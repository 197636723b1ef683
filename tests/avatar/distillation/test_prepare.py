"""Videos to clips."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from avatar.distillation.clips import load_clip  # noqa: E402
from avatar.distillation.prepare import Preparation, prepare_video  # noqa: E402
from avatar.echomimic.audio_features import encode_clip, log_mel, slice_windows  # noqa: E402
from avatar.echomimic.config import TINY  # noqa: E402
from avatar.echomimic.networks import Networks, synthetic_networks  # noqa: E402
from avatar.errors import MediaFileError, ToolMissing  # noqa: E402
from avatar.motion.capture.tracker import Hand, Tracked  # noqa: E402

OPTIONS = Preparation(size=64, clip_frames=40, least_frames=24)


@pytest.fixture(scope="module")
def networks() -> Networks:
    return synthetic_networks(TINY)


def write_video(path: Path, frames: int, *, rate: int = 25, sound: bool = True) -> Path:
    with av.open(str(path), "w") as file:
        picture = file.add_stream("libx264", rate=rate)
        picture.width, picture.height, picture.pix_fmt = 96, 128, "yuv420p"
        voice = file.add_stream("aac", rate=48_000, layout="mono") if sound else None
        rng = np.random.default_rng(0)
        for number in range(frames):
            image = np.full((128, 96, 3), 3 * number % 250, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            file.mux(picture.encode(frame))
            if voice is not None:
                pcm = rng.integers(-5000, 5000, (1, 48_000 // rate)).astype(np.int16)
                block = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
                block.sample_rate, block.pts, block.time_base = 48_000, number * (48_000 // rate), Fraction(1, 48_000)
                file.mux(voice.encode(block))
        file.mux(picture.encode(None))
        if voice is not None:
            file.mux(voice.encode(None))
    return path


def face_at(x: float, y: float) -> np.ndarray:
    points = np.zeros((478, 3), np.float32)
    points[:, 0], points[:, 1] = x, np.linspace(y - 15, y + 15, 478)
    points[10, 1], points[152, 1] = y - 15, y + 15
    return points


class Scripted:
    """Sees what the script says of each frame."""

    def __init__(self, script: list[Tracked]) -> None:
        self._script = iter(script)

    def look(self, rgb: np.ndarray) -> Tracked:
        return next(self._script)


def speaker(x: float = 48, second: float = 0.0) -> Tracked:
    hand = Hand(np.full((21, 2), 60.0, np.float32), 0.8)
    body = np.array(
        [[x, 40, 1], [x, 60, 1], [x - 20, 62, 1], [x - 20, 90, 1], [0, 0, 0], [x + 20, 62, 1], [x + 20, 91, 1]]
    )
    return Tracked(face_at(x, 40), second, hand, None, body.astype(np.float32))


NOBODY = Tracked(None, 0.0, None, None, None)


def test_a_speaker_is_cut_out_with_hands_and_sound(tmp_path: Path, networks: Networks) -> None:
    video = write_video(tmp_path / "talk.mp4", 60)
    made = prepare_video(video, tmp_path / "clips", networks, OPTIONS, looker=lambda: Scripted([speaker()] * 60))
    assert made.frames + made.left_out == 60 and len(made.clips) == 1 and made.left_out == 20
    clip = load_clip(made.clips[0])
    assert clip.latents.shape == (40, 4, 8, 8) and clip.audio.shape == (40, 30, 32)
    assert float(clip.scores[0, 0, 0]) == pytest.approx(0.8) and not clip.scores[:, 1].any()
    side = 91 - 25 + (0.65 + 0.05) * 0.25 * (91 - 25)
    assert 0.3 < float(clip.hands[0, 0, 0, 0]) < 0.9 and float(clip.hands[0, 0, 0, 1]) < 60 / side


def test_sound_is_that_of_the_clips_own_time(tmp_path: Path, networks: Networks) -> None:
    from avatar.media import SoundFile

    video = write_video(tmp_path / "talk.mp4", 80)
    made = prepare_video(video, tmp_path, networks, OPTIONS, looker=lambda: Scripted([speaker()] * 80))
    second = load_clip(made.clips[1])
    with SoundFile.open(video) as file:
        pcm = np.concatenate([chunk.pcm48k for chunk in file.chunks()]).astype(np.float32) / 32768
    import soxr

    with torch.no_grad():
        features = encode_clip(networks.whisper, log_mel(soxr.resample(pcm, 48_000, 16_000)))
    expected = slice_windows(features, 80, 25)[40:80]
    assert torch.allclose(second.audio.float(), expected, atol=2e-2)


def test_cuts_divide_and_what_shows_no_one_or_two_is_left_out(tmp_path: Path, networks: Networks) -> None:
    video = write_video(tmp_path / "talk.mp4", 120)
    script = [speaker()] * 30 + [speaker(x=90)] * 30 + [NOBODY] * 30 + [speaker(second=0.9)] * 30
    made = prepare_video(video, tmp_path, networks, OPTIONS, looker=lambda: Scripted(script))
    assert [len(load_clip(path)) for path in made.clips] == [30, 30] and made.left_out == 60


def test_without_mediapipe_the_middle_is_taken_and_told(tmp_path: Path, networks: Networks) -> None:
    def missing() -> Scripted:
        raise ToolMissing("MediaPipe is not here.")

    video = write_video(tmp_path / "talk.mp4", 30)
    made = prepare_video(video, tmp_path, networks, OPTIONS, looker=missing)
    assert made.frames == 30 and "MediaPipe is not here" in made.warnings[0]
    assert not load_clip(made.clips[0]).scores.any()


def test_other_frame_rates_become_25(tmp_path: Path, networks: Networks) -> None:
    video = write_video(tmp_path / "talk.mp4", 50, rate=50)
    made = prepare_video(video, tmp_path, networks, OPTIONS, looker=lambda: Scripted([speaker()] * 100))
    assert made.frames + made.left_out in (24, 25, 26)


def test_a_video_without_sound_is_refused(tmp_path: Path, networks: Networks) -> None:
    video = write_video(tmp_path / "mute.mp4", 30, sound=False)
    with pytest.raises(MediaFileError) as refusal:
        prepare_video(video, tmp_path, networks, OPTIONS)
    assert refusal.value.code == "no_sound_track"


@pytest.mark.slow
def test_a_person_on_video(shared: Path, tmp_path: Path, networks: Networks) -> None:
    try:
        made = prepare_video(shared / "samples/video/talking-man-7s.mp4", tmp_path, networks, OPTIONS)
    except MediaFileError as error:
        pytest.skip(str(error))
    if any("MediaPipe" in warning for warning in made.warnings):
        pytest.skip(made.warnings[0])
    assert made.frames > 0.7 * (made.frames + made.left_out)
