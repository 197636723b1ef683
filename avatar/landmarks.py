"""Finds faces and their 478 landmarks in a picture. Used when a persona is made, never when it plays."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from avatar.errors import ToolMissing

LANDMARK_COUNT = 478
"""468 of the face mesh and 2x5 of the irises (MediaPipe Face Mesh with refined lips, lids and irises)."""

REQUIREMENTS = "mediapipe-requirements.txt"
"""Beside this module: what to install, with ``pip install --no-deps -r``, and why so."""

MAX_FACES = 5
"""Enough to tell "several" from "one"."""

MIN_CONFIDENCE = 0.3
"""Of the face detector. At 0.3 it found 40 of 40 portraits and 74 of 81 mixed pictures; at the default
0.5 it misses drawn and small faces. Animals pass at either, so the caller checks the geometry."""


@dataclass(frozen=True, slots=True)
class Landmarks:
    """One face.

    Attributes:
        points: float32 [478, 3]: x to the right and y down in pixels of the picture; z in pixels too,
            0 at the head's centre and negative towards the camera.
    """

    points: NDArray[np.float32]

    @property
    def height(self) -> float:
        """Forehead to chin, in pixels."""
        return float(np.linalg.norm(self.points[152, :2] - self.points[10, :2]))


def find_faces(rgb: NDArray[np.uint8]) -> list[Landmarks]:
    """All faces of a picture, largest first, at most ``MAX_FACES``.

    Args:
        rgb: uint8 [height, width, 3].

    Raises:
        ToolMissing: MediaPipe is not installed or cannot load on this machine.
        ValueError: not such an array.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or rgb.size == 0:
        raise ValueError(f"find_faces needs uint8 [height, width, 3], got {rgb.dtype} {rgb.shape}")
    face_mesh = load_solution("face_mesh")
    with (
        quiet_native_stderr(),
        warnings.catch_warnings(),
        face_mesh.FaceMesh(
            static_image_mode=True,
            max_num_faces=MAX_FACES,
            refine_landmarks=True,
            min_detection_confidence=MIN_CONFIDENCE,
        ) as mesh,
    ):
        warnings.simplefilter("ignore")  # protobuf 4 announces the end of what MediaPipe 0.10.14 calls
        found = mesh.process(np.ascontiguousarray(rgb)).multi_face_landmarks or []
    height, width = rgb.shape[:2]
    scale = np.array([width, height, width], np.float32)  # MediaPipe: z is in units of the picture's width
    faces = [Landmarks(np.array([(p.x, p.y, p.z) for p in face.landmark], np.float32) * scale) for face in found]
    return sorted(faces, key=lambda face: face.height, reverse=True)


def load_solution(name: Literal["face_mesh", "hands", "pose"]) -> Any:
    """One of MediaPipe's solutions, a module; its models are in the wheel.

    Raises:
        ToolMissing: MediaPipe is not installed or cannot load on this machine.
    """
    os.environ.setdefault("MPLBACKEND", "Agg")  # mediapipe.solutions imports pyplot: no display is needed
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from mediapipe.python.solutions import face_mesh, hands, pose
    except Exception as error:  # what a half-installed native package raises is unlimited
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise ToolMissing(
            f"MediaPipe 0.10.14, which finds the face, cannot load on this Python {version} "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}). "
            f"Install it with `pip install --no-deps -r {resources.files('avatar').joinpath(REQUIREMENTS)}` "
            "(Python 3.11 or 3.12), or make the persona on another machine and copy its folder: playing needs no MediaPipe."
        ) from error
    return {"face_mesh": face_mesh, "hands": hands, "pose": pose}[name]


@contextlib.contextmanager
def quiet_native_stderr() -> Iterator[None]:
    """Hide the chatter that MediaPipe's C++ logging writes past Python; no switch of it does so."""
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with open(os.devnull, "wb") as sink:
            os.dup2(sink.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
