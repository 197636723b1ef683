"""What is known about one picture's face: found once, kept beside the picture, enough to animate it."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatar.errors import PersonaError
from avatar.landmarks import LANDMARK_COUNT, Landmarks
from avatar.portrait.arrays import Floats, Pixels, gray_of
from avatar.portrait.lips import LINE_SAMPLES, find_lip_line

RIG_VERSION = 1


SHAPES: dict[str, tuple[int, ...]] = {
    "version": (),
    "picture_size": (2,),
    "points": (LANDMARK_COUNT, 3),
    "lip_line": (2, LINE_SAMPLES),
}
MAX_BYTES = 1_000_000
"""A rig unpacks to about 8 kB; whatever is much larger is not one."""


@dataclass(frozen=True, slots=True)
class Rig:
    """A face in its picture. Resolution-free: frames of any size and framing are cut from the picture.

    Attributes:
        version: of this layout.
        picture_size: (width, height) of the picture, pixels.
        points: float32 [478, 3], as ``Landmarks.points``.
        lip_line: float32 [2, LINE_SAMPLES]: where the upper and the lower lip end towards the mouth's
            inside, as heights (down is positive) over the chord of the mouth corners, in half mouth
            widths, at equal steps from the picture's left corner to its right. Equal where the lips touch.
    """

    version: int
    picture_size: tuple[int, int]
    points: Floats
    lip_line: Floats

    def save(self, path: Path) -> None:
        """Write an ``.npz`` of plain arrays (no pickle)."""
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                version=np.int32(self.version),
                picture_size=np.array(self.picture_size, np.int32),
                points=self.points,
                lip_line=self.lip_line,
            )

    @staticmethod
    def load(path: Path) -> Rig:
        """Read what ``save`` wrote.

        Raises:
            PersonaError: missing, damaged, of another version, or not a rig.
        """
        try:
            packed = path.read_bytes()
        except FileNotFoundError:
            raise PersonaError(f"The persona's rig {path} is missing: create the persona again.") from None
        except OSError as error:
            raise PersonaError(f"The persona's rig {path} cannot be read: {error}.") from error
        try:
            # a zip may claim to unpack to anything, and a damaged one makes numpy drop the open file
            with zipfile.ZipFile(io.BytesIO(packed)) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
                    raise ValueError("it is far too large for a rig")
            with np.load(io.BytesIO(packed), allow_pickle=False) as file:
                arrays = {name: np.asarray(file[name]) for name in SHAPES}
            return _checked(arrays)
        except Exception as error:  # zip, zlib, struct and the npy header each raise their own
            raise PersonaError(
                f"The persona's rig {path} cannot be used ({error}): create the persona again."
            ) from error


def _checked(arrays: dict[str, NDArray[np.generic]]) -> Rig:
    version = arrays["version"]
    if version.shape != () or version.dtype.kind != "i" or int(version) != RIG_VERSION:
        raise ValueError(f"it has layout version {version!s}, this Parley reads {RIG_VERSION}")
    for name, shape in SHAPES.items():
        array = arrays[name]
        kind = "i" if name in ("version", "picture_size") else "f"
        if array.shape != shape or array.dtype.kind != kind:
            raise ValueError(f"its {name} is {array.dtype} {array.shape}, not {shape}")
        if not np.isfinite(array.astype(np.float64)).all():
            raise ValueError(f"its {name} has values that are not numbers")
    width, height = (int(v) for v in arrays["picture_size"])
    points = arrays["points"].astype(np.float32)
    if width < 1 or height < 1 or np.abs(points).max() > 8 * max(width, height):
        raise ValueError("its landmarks do not lie in its picture")
    lip_line = arrays["lip_line"].astype(np.float32)
    if np.abs(lip_line).max() > 2 or (lip_line[1] < lip_line[0]).any():
        raise ValueError("its lip line is not one")
    rig = Rig(RIG_VERSION, (width, height), points, lip_line)
    _check_face(rig.points)
    return rig


def _check_face(points: Floats) -> None:
    """Distances that everything is divided by."""
    for a, b, what in ((61, 291, "mouth"), (33, 263, "eyes"), (10, 152, "face")):
        if np.linalg.norm(points[a, :2] - points[b, :2]) < 4:
            raise ValueError(f"its {what} has no width")


def build_rig(picture_bgr: Pixels, landmarks: Landmarks) -> Rig:
    """Measure the face that ``landmarks`` found in ``picture_bgr`` (uint8 [height, width, 3]).

    Raises:
        ValueError: the landmarks are degenerate (no width of mouth, eyes or face).
    """
    height, width = picture_bgr.shape[:2]
    points = np.ascontiguousarray(landmarks.points, np.float32)
    if points.shape != SHAPES["points"] or not np.isfinite(points).all():
        raise ValueError(f"landmarks must be {SHAPES['points']} finite numbers")
    _check_face(points)
    lip_line = find_lip_line(gray_of(picture_bgr), points)
    return Rig(RIG_VERSION, (width, height), points, lip_line)


assert set(SHAPES) == {field.name for field in fields(Rig)}
