"""A video of a speaking person to ``Motion``: every frame is measured as it comes, then the whole is calibrated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from avatar.errors import MediaFileError
from avatar.motion.capture.channels import to_motion
from avatar.motion.capture.face import MEASURE, NOT_SEEN, measure_face
from avatar.motion.capture.hands import canvas_of, hand_row, move_hands, move_shoulders, shoulder_row
from avatar.motion.capture.smoothing import Floats, frame_times, resampled
from avatar.motion.capture.tracker import Tracked, Tracker
from avatar.motion.capture.video import VideoFile
from avatar.motion.motion import Motion

SHORTEST_S = 1.0
"""Of a face in view: in less, nobody's rest can be told from their motion."""

CLOSEST_FRAMES_S = 0.018
"""Frames that follow sooner are left out: a 60 Hz video is read at 30."""

SEVERAL_FACES = 0.6
"""A second face this high against the speaker's, in a tenth of the frames, is a second person, not a picture behind."""

_LOST_SHARE = 0.1
"""Of the frames: a face lost more often is told to the user."""


@dataclass(frozen=True, slots=True)
class Captured:
    """What was read.

    Attributes:
        motion: 25 Hz, from the start of the video's sound.
        face_seen, hands_seen: share of the frames in which the face, and any hand, was seen.
        about: for the motion file.
        warnings: what was odd but bearable.
    """

    motion: Motion
    face_seen: float
    hands_seen: float
    about: dict[str, Any]
    warnings: tuple[str, ...]

    def report(self) -> dict[str, Any]:
        """For programs."""
        return {
            "frames": len(self.motion),
            "duration_s": len(self.motion) / 25,
            "face_share": round(self.face_seen, 3),
            "hands_share": round(self.hands_seen, 3),
            "warnings": list(self.warnings),
        }


@dataclass(slots=True)
class _Samples:
    """What is kept of each frame: about a kilobyte."""

    shown_s: list[float] = field(default_factory=list)
    faces: list[Floats] = field(default_factory=list)
    brow_y: list[float] = field(default_factory=list)
    height: list[float] = field(default_factory=list)
    face_x: list[float] = field(default_factory=list)
    left: list[Floats] = field(default_factory=list)
    right: list[Floats] = field(default_factory=list)
    bodies: list[Floats] = field(default_factory=list)
    body_s: list[float] = field(default_factory=list)
    shoulders: list[Floats] = field(default_factory=list)
    several: int = 0

    def add(self, time_s: float, tracked: Tracked) -> None:
        self.shown_s.append(time_s)
        if tracked.face is None:
            self.faces.append(NOT_SEEN)
        else:
            face = measure_face(tracked.face)
            self.faces.append(face.measures)
            self.brow_y.append(face.brow_y)
            self.height.append(face.height)
            self.face_x.append(float(face.measures[MEASURE["place_x"]]))
        self.several += tracked.second_face >= SEVERAL_FACES
        self.left.append(hand_row(tracked.left))
        self.right.append(hand_row(tracked.right))
        if tracked.body is not None:
            self.bodies.append(tracked.body)
            self.body_s.append(time_s)
            self.shoulders.append(shoulder_row(tracked.body))


def capture_motion(
    video: VideoFile, *, hands: bool = True, on_progress: Callable[[float], None] = lambda seconds: None
) -> Captured:
    """Read the motion of the one person who speaks in a video.

    Args:
        video: read to its end.
        hands: follow the hands and shoulders too.
        on_progress: called after each frame with the seconds of video read so far.

    Raises:
        MediaFileError: what the video raises, and codes ``no_face``, ``several_faces``, ``video_too_short``.
        ToolMissing: MediaPipe is not installed or cannot load on this machine.
    """
    samples = _Samples()
    with Tracker(hands=hands) as tracker:
        for frame in video.frames():
            if samples.shown_s and frame.time_s - samples.shown_s[-1] < CLOSEST_FRAMES_S:
                continue
            samples.add(frame.time_s, tracker.look(frame.rgb))
            on_progress(frame.time_s)
    _check(video, samples)
    return _assembled(video, samples)


def _check(video: VideoFile, samples: _Samples) -> None:
    path, frames = video.path, len(samples.shown_s)
    if not samples.height:
        raise MediaFileError(
            f"No face was found in {path}. It needs one person who looks towards the camera, in good light.",
            code="no_face",
        )
    if samples.several > frames / 10:
        raise MediaFileError(
            f"{path} shows several people. Cut the picture so that only the speaker is in it.", code="several_faces"
        )
    seen_s = len(samples.height) * _period_s(samples.shown_s)
    if seen_s < SHORTEST_S:
        raise MediaFileError(
            f"A face is in view for {seen_s:.1f} s of {path}; at least {SHORTEST_S:.0f} s are needed to tell rest "
            "from motion.",
            code="video_too_short",
        )


def _assembled(video: VideoFile, samples: _Samples) -> Captured:
    period = _period_s(samples.shown_s)
    shown = np.array(samples.shown_s) + period / 2
    at = frame_times(samples.shown_s[-1] + period)
    measures, believed = resampled(shown, np.stack(samples.faces), at)
    motion = to_motion(measures, believed)
    canvas = canvas_of(
        np.array(samples.brow_y, np.float32),
        np.array(samples.height, np.float32),
        np.array(samples.face_x, np.float32),
        samples.bodies,
    )
    hand_seen = np.zeros(len(at), bool)
    for side, rows in (("Left", samples.left), ("Right", samples.right)):
        points, sure = resampled(shown, np.stack(rows), at)
        move_hands(motion, side, points, sure, canvas)
        hand_seen |= sure > 0.5
    if samples.shoulders:
        times = np.array(samples.body_s) + period / 2
        heights, sure = resampled(times, np.stack(samples.shoulders), at)
        move_shoulders(motion, heights, sure, float(np.median(samples.height)))
    warnings = list(video.warnings)
    face_seen = len(samples.height) / len(samples.shown_s)
    if face_seen < 1 - _LOST_SHARE:
        warnings.append(f"The face is lost in {1 - face_seen:.0%} of the frames; the avatar is at rest there.")
    if samples.several:
        warnings.append("Another face is seen at times; the one that was followed is the larger.")
    about = {"made_by": "parley motion capture", "source": video.path.name, "face_seen": round(face_seen, 3)}
    return Captured(motion, face_seen, float(hand_seen.mean()), about, tuple(warnings))


def _period_s(shown_s: list[float]) -> float:
    return float(np.median(np.diff(shown_s))) if len(shown_s) > 1 else 0.04
