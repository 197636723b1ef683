"""Videos to clips for distillation: the speaker framed as EchoMimic's authors frame theirs, encoded once.

A clip is a stretch of one video in which one face is seen and nothing cuts: its square spans, over all its frames, from
the brows to the lowest of shoulders, elbows and right wrist (see ``avatar.echomimic.alignment``), so the picture holds
still and the person moves in it. Where MediaPipe is missing, the middle square is taken and no hands are known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from avatar.distillation.clips import SUFFIX, Clip, encoders_digest, save_clip
from avatar.echomimic.alignment import Body, cut_square, half_body_square
from avatar.echomimic.audio_features import SAMPLE_RATE_HZ, encode_clip, log_mel, slice_windows
from avatar.echomimic.config import LATENT_FACTOR
from avatar.echomimic.networks import Networks
from avatar.errors import MediaFileError, ToolMissing
from avatar.media import SoundFile
from avatar.motion.capture.tracker import Tracked, Tracker, face_height
from avatar.motion.capture.video import VideoFile
from avatar.motion.motion import HAND_POINTS
from avatar.speech import FRAME_RATE_HZ, SPEECH_RATE_HZ

Picture = NDArray[np.uint8]

MIN_SEEN = 0.9
"""Of a clip's frames, in which the face must be seen."""
MAX_SECOND_FACE = 0.5
"""Height of another face, as a share of the speaker's: somebody behind is borne, a partner is not."""
MAX_JUMP = 0.6
"""Face heights that a face moves from one frame to the next: more is a cut."""
ENCODED_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Preparation:
    """Attributes:
    size: side of the pictures, pixels, a multiple of 64.
    clip_frames: longest clip.
    least_frames: shortest; two windows.
    """

    size: int = 512
    clip_frames: int = 125
    least_frames: int = 24


@dataclass(slots=True)
class Prepared:
    """What became of one video.

    Attributes:
        clips: files written.
        frames: in them.
        left_out: frames in none.
        warnings: for people.
    """

    clips: list[Path] = field(default_factory=list)
    frames: int = 0
    left_out: int = 0
    warnings: list[str] = field(default_factory=list)


class Looks(Protocol):
    """What finds the speaker in successive frames; ``avatar.motion.capture.tracker.Tracker`` does."""

    def look(self, rgb: Picture) -> Tracked: ...


@dataclass(frozen=True, slots=True)
class _Seen:
    picture: Picture
    tracked: Tracked | None


def prepare_video(
    video: Path,
    folder: Path,
    networks: Networks,
    options: Preparation,
    *,
    looker: Callable[[], Looks] | None = None,
    on_progress: Callable[[float], None] = lambda seconds: None,
) -> Prepared:
    """Cut one video into clips, ``folder/STEM-NNN.clip.safetensors``.

    Args:
        looker: makes what finds the speaker; None takes MediaPipe where it is.
        on_progress: called with the seconds that have been looked at.

    Raises:
        MediaFileError: the video cannot be read, or has no sound.
        OSError: a clip cannot be written.
    """
    made = Prepared()
    folder.mkdir(parents=True, exist_ok=True)
    encoders = encoders_digest(networks)
    tokens = _tokens(video, networks)
    with ExitStack() as closing:
        looks: Looks | None = None
        try:
            looks = looker() if looker is not None else closing.enter_context(Tracker(hands=True))
        except ToolMissing as missing:
            made.warnings.append(f"No faces and hands are found, the middle of the picture is taken: {missing}")
        file = closing.enter_context(VideoFile.open(video))
        for first, seen in _stretches(_at_frame_rate(file), looks, options, on_progress):
            seen = seen[: max(0, len(tokens) - first)]
            if len(seen) < options.least_frames or not _one_speaker(seen):
                made.left_out += len(seen)
                continue
            path = folder / f"{video.stem}-{len(made.clips):03}{SUFFIX}"
            save_clip(_encoded(seen, tokens[first : first + len(seen)], networks, options.size), path, encoders)
            made.clips.append(path)
            made.frames += len(seen)
        made.warnings += file.warnings
    return made


def _tokens(video: Path, networks: Networks) -> torch.Tensor:
    """Audio tokens of every frame, as the original makes them of a whole file."""
    with SoundFile.open(video) as file:
        pcm48k = np.concatenate([chunk.pcm48k for chunk in file.chunks()])
    frames = len(pcm48k) * FRAME_RATE_HZ // SPEECH_RATE_HZ
    if frames < 1:
        raise MediaFileError(f"The sound of {video} is shorter than one frame.", code="no_sound")
    pcm16k = soxr.resample(pcm48k.astype(np.float32) / np.float32(32768), SPEECH_RATE_HZ, SAMPLE_RATE_HZ)
    device = networks.denoiser.conv_in.weight.device
    with torch.no_grad():
        mel = log_mel(np.asarray(pcm16k, np.float32), networks.config.whisper.mel_bands).to(device)
        return slice_windows(encode_clip(networks.whisper, mel), frames, FRAME_RATE_HZ).cpu()


def _at_frame_rate(file: VideoFile) -> Iterator[Picture]:
    """The picture that is shown at each 25th of a second."""
    number = 0
    shown: Picture | None = None
    for frame in file.frames():
        while shown is not None and number / FRAME_RATE_HZ < frame.time_s - 1e-6:
            yield shown
            number += 1
        shown = frame.rgb
    if shown is not None:
        yield shown


def _stretches(
    pictures: Iterator[Picture], looks: Looks | None, options: Preparation, on_progress: Callable[[float], None]
) -> Iterator[tuple[int, list[_Seen]]]:
    """Runs of frames without a cut, at most ``clip_frames`` long, with the number of their first."""
    run: list[_Seen] = []
    first = 0
    for number, picture in enumerate(pictures):
        seen = _Seen(picture, None if looks is None else looks.look(picture))
        if run and (len(run) == options.clip_frames or _cut(run[-1], seen)):
            yield first, run
            run, first = [], number
        run.append(seen)
        on_progress((number + 1) / FRAME_RATE_HZ)
    if run:
        yield first, run


def _cut(before: _Seen, after: _Seen) -> bool:
    if before.picture.shape != after.picture.shape:
        return True
    if before.tracked is None or after.tracked is None:
        return False
    a, b = before.tracked.face, after.tracked.face
    if a is None or b is None:
        return a is not b  # the speaker comes or goes
    return float(np.linalg.norm((a - b)[:, :2].mean(0))) > MAX_JUMP * face_height(a)


def _one_speaker(seen: list[_Seen]) -> bool:
    tracked = [each.tracked for each in seen if each.tracked is not None]
    if not tracked:
        return True  # nobody looked
    faces = sum(each.face is not None for each in tracked)
    return faces >= MIN_SEEN * len(seen) and max(each.second_face for each in tracked) <= MAX_SECOND_FACE


def _square(seen: list[_Seen]) -> tuple[int, int, int]:
    """(left, top, side) for all frames of a clip."""
    height, width = seen[0].picture.shape[:2]
    tracked = [each.tracked for each in seen if each.tracked is not None]
    faces = [each.face for each in tracked if each.face is not None]
    if not faces:
        side = min(height, width)
        return (width - side) // 2, (height - side) // 2, side
    highest = min(faces, key=lambda face: float(face[:, 1].min()))
    bodies = [each.body for each in tracked if each.body is not None]
    seen_points = [body[body[:, 2] > 0.5] for body in bodies]
    lows = [float(points[:, 1].max()) for points in seen_points if len(points)]
    lowest = max(lows) if lows else float(height)
    necks = [float(body[1, 0]) for body in bodies if body[1, 2] > 0.5]
    neck_x = float(np.mean(necks)) if necks else float(np.mean([face[:, 0].mean() for face in faces]))
    return half_body_square(highest, Body(neck_x, max(lowest, float(highest[:, 1].max()))), height)


@torch.no_grad()
def _encoded(seen: list[_Seen], tokens: torch.Tensor, networks: Networks, size: int) -> Clip:
    left, top, side = square = _square(seen)
    device = networks.denoiser.conv_in.weight.device
    latents = []
    for start in range(0, len(seen), ENCODED_AT_ONCE):
        cuts = np.stack([cut_square(each.picture, square, size) for each in seen[start : start + ENCODED_AT_ONCE]])
        pixels = torch.from_numpy(cuts).to(device).permute(0, 3, 1, 2) / 127.5 - 1.0
        latents.append((networks.vae.encode_mean(pixels) * LATENT_FACTOR).half().cpu())
    hands = np.zeros((len(seen), 2, HAND_POINTS, 2), np.float32)
    scores = np.zeros((len(seen), 2, HAND_POINTS), np.float32)
    for number, each in enumerate(seen):
        for index, hand in enumerate((each.tracked.left, each.tracked.right) if each.tracked else ()):
            if hand is not None:
                hands[number, index] = (hand.points - np.array([left, top], np.float32)) / side
                scores[number, index] = hand.score
    return Clip(torch.cat(latents), tokens.half(), torch.from_numpy(hands), torch.from_numpy(scores))
