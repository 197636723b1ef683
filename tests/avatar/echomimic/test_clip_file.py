"""A whole clip into a file, as the original computes it; random weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.create import About, cut_out, write_persona  # noqa: E402
from avatar.echomimic.audio_features import encode_clip, log_mel, slice_windows  # noqa: E402
from avatar.echomimic.clip_file import Clip, clip_hands, render_clip  # noqa: E402
from avatar.echomimic.clip_sampler import sample_clip  # noqa: E402
from avatar.echomimic.ddim import ddim_scheduler, initial_noise  # noqa: E402
from avatar.echomimic.offline import FPS, FRAME_SAMPLES, ClipSettings, clip_latents  # noqa: E402
from avatar.echomimic.options import Drive, Options  # noqa: E402
from avatar.echomimic.persona import make_reference  # noqa: E402
from avatar.echomimic.pose_files import read_poses  # noqa: E402
from avatar.echomimic.poses import CANVAS, PoseSequence  # noqa: E402
from avatar.errors import ToolMissing  # noqa: E402
from avatar.media import SoundFile  # noqa: E402
from avatar.motion.motion import Motion  # noqa: E402
from avatar.motion.rules import RuleMotionSource  # noqa: E402
from avatar.motion.source import Gesture  # noqa: E402
from avatar.persona import Persona, find_persona  # noqa: E402
from avatar.photo import load_photo  # noqa: E402
from avatar.render_file import TAIL_FRAMES  # noqa: E402
from avatar.speech import BEAT_SAMPLES, SpeechChunk  # noqa: E402

if TYPE_CHECKING:
    from avatar.echomimic.networks import Networks


def frames_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as file:
        return np.stack([frame.to_ndarray(format="bgr24") for frame in file.decode(video=0)])


def speech(frames: float) -> SpeechChunk:
    pcm = np.random.default_rng(1).integers(-8000, 8000, int(frames * BEAT_SAMPLES)).astype(np.int16)
    return SpeechChunk(pcm)


def render(
    tmp_path: Path, chunks: list[SpeechChunk], options: Options, persona: Persona | None = None, **changes: int
) -> Path:
    out = tmp_path / "clip.mp4"
    clip = Clip(persona or find_persona("helen"), chunks, RuleMotionSource(seed=0), 256, "half-body", **changes)
    steps: list[tuple[int, int]] = []
    result = render_clip(clip, options, out, mark=None, on_step=lambda step, of: steps.append((step, of)))
    assert result.frames == len(frames_of(out))
    assert steps == [(n + 1, steps[0][1]) for n in range(steps[0][1])]
    return out


def test_a_file_as_long_as_the_speech_and_its_tail(tmp_path: Path) -> None:
    """580 ms of speech at the authors' 24 frames a second."""
    out = render(tmp_path, [speech(7), speech(7.5)], Options(), steps=2)
    frames = frames_of(out)
    assert len(frames) == 14 + TAIL_FRAMES and frames.shape[1:] == (256, 256, 3)
    with av.open(str(out)) as file:
        assert file.streams.video[0].average_rate == FPS == 24
        sound = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
    assert len(sound) >= (14 + TAIL_FRAMES - 1) * FRAME_SAMPLES
    assert np.abs(sound[: 14 * BEAT_SAMPLES]).mean() > 10 * np.abs(sound[-4 * BEAT_SAMPLES :]).mean()


def test_the_seed_decides(tmp_path: Path) -> None:
    first, again, other = (frames_of(render(tmp_path, [speech(3)], Options(), steps=1, seed=s)) for s in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_no_speech_is_a_tail(tmp_path: Path) -> None:
    assert len(frames_of(render(tmp_path, [], Options(), steps=1))) == TAIL_FRAMES


@pytest.mark.parametrize("drive", [Drive.SOUND_AND_POSES, Drive.POSES])
def test_a_pose_sequence_plays_as_it_was_made(tmp_path: Path, drive: Drive) -> None:
    """One of its frames with each of the clip's, which has as many a second."""
    hands = np.zeros((90, 2, 21, 2), np.float32)
    hands[:, 0, :, 0] = np.arange(90)[:, None] / 100
    canvas = np.tile(np.array(CANVAS, np.int32), (90, 1))
    PoseSequence(hands, np.ones((90, 2, 21), np.float32), canvas).save(tmp_path / "poses.npz")
    shown = clip_hands(
        RuleMotionSource(seed=0),
        [speech(50)],
        50 * BEAT_SAMPLES,
        Options(drive=drive, poses=str(tmp_path / "poses.npz")),
    )
    assert len(shown) == 48 + TAIL_FRAMES
    assert np.allclose(shown.hands[:, 0, 0, 0], np.arange(48 + TAIL_FRAMES) / 100)


def test_hands_of_motion_keep_its_time(tmp_path: Path) -> None:
    source = RuleMotionSource(seed=0)
    source.gesture(Gesture.WAVE)
    made = clip_hands(source, [speech(75)], 75 * BEAT_SAMPLES, Options())
    again = RuleMotionSource(seed=0)
    again.gesture(Gesture.WAVE)
    again.push(speech(75))
    again.finish()
    motion = again.take(75, speaking=True)
    assert len(made) == 72 + TAIL_FRAMES
    for seconds in (0.5, 1.3, 2.1):
        assert np.allclose(
            made.hands[round(seconds * 24), 1, 8],
            [motion["handRight8X"][round(seconds * 25)], motion["handRight8Y"][round(seconds * 25)]],
            atol=0.02,
        )


def test_latents_are_the_originals_computation(tiny: Networks) -> None:
    """Written out: features of the whole file, the noise of one seed, windows averaged, guidance."""
    reference = make_reference(find_persona("helen"), tiny, 64, "portrait")
    pcm = np.random.default_rng(0).standard_normal(16 * 640).astype(np.float32) * 0.1
    hands = PoseSequence.of_motion(Motion.zeros(16))
    settings = ClipSettings(steps=2, guidance=2.5, seed=9, shift=3, noise_limit=1.5)
    made = clip_latents(tiny, reference, pcm, hands, settings)
    with torch.no_grad():
        audio = slice_windows(encode_clip(tiny.whisper, log_mel(pcm)), 16, 24)[None]
        blank = tiny.guide(torch.zeros(1, 3, 1, 64, 64))
    noise = initial_noise((1, 4, 16, 8, 8), torch.Generator().manual_seed(9))
    expected = sample_clip(tiny.denoiser, ddim_scheduler(2), noise, audio, blank, reference.keys, guidance=2.5, shift=3)
    assert torch.equal(made, expected)


@pytest.mark.slow
def test_a_real_portrait_speech_and_pose_sequence(tmp_path: Path, shared: Path) -> None:
    """All that comes from outside for real; only the weights are random."""
    folder = tmp_path / "personas" / "her"
    folder.mkdir(parents=True)
    try:
        picture, face = cut_out(load_photo(shared / "samples/portraits/woman-open-hands.png").picture)
    except ToolMissing as missing:
        pytest.skip(str(missing))
    write_persona(folder, "her", picture, face, About("Her"), ())
    read_poses(shared / "samples/poses/good").save(tmp_path / "poses.npz")
    with SoundFile.open(shared / "samples/speech/zh-good-4s.wav") as file:
        chunks = list(file.chunks("cmn"))
    options = Options(drive=Drive.SOUND_AND_POSES, poses=str(tmp_path / "poses.npz"), cache=str(tmp_path / "cache"))
    out = render(tmp_path, chunks, options, Persona.load(folder), steps=2)
    frames = frames_of(out)
    seconds = sum(len(chunk.pcm48k) for chunk in chunks) / 48_000
    assert abs(len(frames) - TAIL_FRAMES - seconds * FPS) <= 1
    without = frames_of(render(tmp_path, chunks, Options(), Persona.load(folder), steps=2))
    changed = np.abs(frames.astype(int) - without[: len(frames)]).mean(axis=(1, 2, 3))
    assert np.median(changed) > 2, "hands change the picture"
