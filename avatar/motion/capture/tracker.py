"""MediaPipe on the frames of one video: the speaker's face, both hands, and the body that hands are placed against."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.landmarks import load_solution, quiet_native_stderr
from avatar.motion.motion import HAND_POINTS

Floats = NDArray[np.float32]

BODY_EVERY = 3
"""Frames: shoulders move slowly, and finding them costs more than face and hands together."""

BODY_POINTS = ("nose", "neck", "right shoulder", "right elbow", "right wrist", "left shoulder", "left elbow")
"""The first seven of OpenPose, by which EchoMimicV2 frames its pictures; the neck is between the shoulders."""
_OF_MEDIAPIPE = (0, -1, 12, 14, 16, 11, 13)
_SHOULDERS = (11, 12)

SETTLING = 4
"""Looks at the first frame with a face before it is believed: the mesh is laid again into the crop that the last look gave."""

_SEEN = 0.5
"""MediaPipe's own confidence from which a point counts."""

_SAME_FACE = 0.5
"""A face found nearer than this to the last one, in face heights, is the same person's."""


@dataclass(frozen=True, slots=True)
class Hand:
    """Attributes:
    points: float32 [21, 2], pixels.
    score: 0..1.
    """

    points: Floats
    score: float


@dataclass(frozen=True, slots=True)
class Tracked:
    """What one frame shows.

    Attributes:
        face: float32 [478, 3], pixels, z negative towards the camera; None where the speaker's is not seen.
        second_face: height of the next largest face, share of the speaker's; 0 where there is none.
        left, right: the speaker's own hands.
        body: float32 [7, 3], ``BODY_POINTS``: x, y in pixels and 0..1 how surely it is seen; None in frames that were
            not looked at, or show nobody.
    """

    face: Floats | None
    second_face: float
    left: Hand | None
    right: Hand | None
    body: Floats | None


class Tracker:
    """Follows one speaker through the frames of one video, in their order.

    Args:
        hands: look for hands and body too.

    Raises:
        ToolMissing: MediaPipe is not installed or cannot load on this machine.
    """

    def __init__(self, *, hands: bool) -> None:
        self._closing = ExitStack()
        self._hands: Any = None
        self._body: Any = None
        self._count = 0
        self._last: Floats | None = None
        with quiet_native_stderr(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # protobuf 4 announces the end of what MediaPipe 0.10.14 calls
            self._face = self._closing.enter_context(
                load_solution("face_mesh").FaceMesh(max_num_faces=2, refine_landmarks=True)
            )
            if hands:
                self._hands = self._closing.enter_context(load_solution("hands").Hands(max_num_hands=2))
                self._body = self._closing.enter_context(load_solution("pose").Pose())
            for each in (self._face, self._hands, self._body):
                if each is not None:  # what its threads say when they start is said now, and not beside a progress bar
                    each.process(np.zeros((64, 64, 3), np.uint8))

    def __enter__(self) -> Tracker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with quiet_native_stderr():
            self._closing.close()

    def look(self, rgb: NDArray[np.uint8]) -> Tracked:
        """The next frame, uint8 [height, width, 3]."""
        height, width = rgb.shape[:2]
        with quiet_native_stderr(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            faces = self._face.process(rgb).multi_face_landmarks or []
            for _ in range(SETTLING if faces and self._last is None else 0):
                faces = self._face.process(rgb).multi_face_landmarks or faces
            face, second = self._speaker([_pixels(each.landmark, width, height) for each in faces])
            left, right = self._find_hands(rgb) if self._hands is not None else (None, None)
            body = None
            if self._body is not None and self._count % BODY_EVERY == 0:
                body = self._find_body(rgb)
        self._count += 1
        return Tracked(face, second, left, right, body)

    def _speaker(self, faces: list[Floats]) -> tuple[Floats | None, float]:
        """The face that was followed, or else the largest."""
        if not faces:
            return None, 0.0
        faces = sorted(faces, key=face_height, reverse=True)
        chosen = 0
        if self._last is not None:
            away = [float(np.linalg.norm((each - self._last)[:, :2].mean(0))) for each in faces]
            nearest = int(np.argmin(away))
            if away[nearest] < _SAME_FACE * face_height(self._last):
                chosen = nearest
        self._last = faces.pop(chosen)
        second = max((face_height(each) for each in faces), default=0.0) / max(face_height(self._last), 1e-3)
        return self._last, second

    def _find_hands(self, rgb: NDArray[np.uint8]) -> tuple[Hand | None, Hand | None]:
        """The speaker's left and right hand. MediaPipe names them as in a mirror, which a video is not."""
        found = self._hands.process(rgb)
        height, width = rgb.shape[:2]
        best: dict[str, Hand] = {}
        for landmarks, sides in zip(found.multi_hand_landmarks or [], found.multi_handedness or [], strict=False):
            side = "Left" if sides.classification[0].label == "Right" else "Right"
            hand = Hand(_pixels(landmarks.landmark, width, height)[:HAND_POINTS, :2], sides.classification[0].score)
            if side in best:  # one pair of hands cannot both be left: the surer one keeps its side
                other = "Left" if side == "Right" else "Right"
                surer, less = sorted((best[side], hand), key=lambda each: each.score, reverse=True)
                best[side] = surer
                best.setdefault(other, less)
            else:
                best[side] = hand
        return best.get("Left"), best.get("Right")

    def _find_body(self, rgb: NDArray[np.uint8]) -> Floats | None:
        found = self._body.process(rgb).pose_landmarks
        if found is None:
            return None
        height, width = rgb.shape[:2]
        points = np.array([(p.x * width, p.y * height, p.visibility) for p in found.landmark], np.float32)
        inside = (points[:, 0] >= 0) & (points[:, 0] < width) & (points[:, 1] >= 0) & (points[:, 1] < height)
        points[~inside, 2] = 0.0
        neck = points[list(_SHOULDERS)].mean(0)
        neck[2] = points[list(_SHOULDERS), 2].min()
        return np.array([neck if i < 0 else points[i] for i in _OF_MEDIAPIPE], np.float32)


def face_height(points: Floats) -> float:
    """Forehead to chin of a face, in its points' unit."""
    return float(np.linalg.norm(points[152, :2] - points[10, :2]))


def seen(body: Floats) -> NDArray[np.bool_]:
    """Which of ``BODY_POINTS`` are in the picture."""
    return np.asarray(body[:, 2] >= _SEEN)


def _pixels(landmarks: Any, width: int, height: int) -> Floats:
    scale = np.array([width, height, width], np.float32)  # MediaPipe: z is in units of the picture's width
    return np.array([(p.x, p.y, p.z) for p in landmarks], np.float32) * scale
