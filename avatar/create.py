"""A picture becomes a persona: read, find the face, check it, build the rig, try it, write the folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar.errors import PersonaError
from avatar.landmarks import Landmarks, find_faces
from avatar.manifest import Manifest, check_name
from avatar.motion.motion import Motion
from avatar.persona import BUILT_IN_DIR, MANIFEST_FILE, PORTRAIT_FILE, RIG_FILE, Persona, picture_sha256
from avatar.photo import load_photo
from avatar.photo_check import Finder, Picture, check_face, choose_face
from avatar.portrait.rig import build_rig
from avatar.renderers import open_renderer

SEARCH_SIDE = 1280
"""Longest side of the picture that faces are looked for in; the detector itself sees far less."""
PORTRAIT_SIDE = 1792
"""Longest side of the picture kept: then head and shoulders at 768 pixels are not enlarged."""
AROUND = (1.35, 2.7, 4.0)
"""Kept above the forehead, to each side of the middle and below the forehead, in face heights: a little more than
the half-body frame shows."""


class Step(StrEnum):
    """What ``create_persona`` is doing."""

    READING = "Reading the picture"
    FINDING = "Finding the face"
    CHECKING = "Checking the picture"
    BUILDING = "Building the rig"
    TRYING = "Trying it out"
    WRITING = "Writing the folder"


@dataclass(frozen=True, slots=True)
class About:
    """What the maker says about the picture.

    Attributes:
        display_name: what people read.
        locales: BCP 47 tags of the languages it is meant to speak, the first by default.
        source: where the picture came from.
        consent: that the person shown agreed, and where that is written down.
        licence: of the picture.
        voices: names of voices that suit the face, of whatever engine.
    """

    display_name: str
    locales: tuple[str, ...] = ("en",)
    source: str = ""
    consent: str = ""
    licence: str = ""
    voices: tuple[str, ...] = ()


def create_persona(
    photo: Path,
    name: str,
    data_dir: Path,
    about: About,
    *,
    overwrite: bool = False,
    finder: Finder = find_faces,
    on_step: Callable[[Step], None] = lambda step: None,
) -> Persona:
    """Make a persona folder from a picture file; it appears under its name only when it is whole.

    Args:
        photo: any common picture file.
        name: of the folder (``avatar.manifest.check_name``).
        data_dir: the user's folder of personas, created if absent.
        about: kept in the manifest.
        overwrite: replace a persona of that name.
        finder: finds faces in RGB pictures.
        on_step: called as each step begins.

    Raises:
        PhotoRefused: the picture cannot be used; ``code`` and text say why.
        ToolMissing: MediaPipe cannot be used on this machine.
        PersonaError: codes ``bad_name``, ``persona_exists``, ``persona_unwritable``.
    """
    target = data_dir / check_name(name)
    if target.exists() and not overwrite:
        raise PersonaError(f"There is already a persona {name!r}. Add --force to replace it.", code="persona_exists")
    on_step(Step.READING)
    loaded = load_photo(photo)
    on_step(Step.FINDING)
    picture, face = cut_out(loaded.picture, finder)
    on_step(Step.CHECKING)
    warnings = (*loaded.warnings, *check_face(picture, face))
    on_step(Step.BUILDING)
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=data_dir))
    except OSError as error:
        raise _unwritable(data_dir, error) from None
    try:
        write_persona(folder, name, picture, face, about, warnings)
        on_step(Step.TRYING)
        try_out(folder)
        on_step(Step.WRITING)
        _put_in_place(folder, target)
    except OSError as error:
        raise _unwritable(target, error) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Persona.load(target)


def cut_out(picture: Picture, finder: Finder = find_faces) -> tuple[Picture, Landmarks]:
    """The part of a picture that frames are cut from, and the face in it.

    Args:
        picture: BGR uint8 of any size.

    Returns:
        BGR uint8, longest side at most ``PORTRAIT_SIDE``, and the landmarks in its pixels.

    Raises:
        PhotoRefused: not exactly one person's face.
    """
    small = _shrunk(picture, SEARCH_SIDE)
    face = choose_face(small, finder(_rgb(small)), finder)
    points = face.points * (picture.shape[1] / small.shape[1])
    height = float(np.linalg.norm(points[152, :2] - points[10, :2]))
    above, beside, below = (share * height for share in AROUND)
    middle, forehead = float(points[:, 0].min() + points[:, 0].max()) / 2, float(points[10, 1])
    left, right = max(0, int(middle - beside)), min(picture.shape[1], int(middle + beside))
    top, bottom = max(0, int(forehead - above)), min(picture.shape[0], int(forehead + below))
    kept = _shrunk(picture[top:bottom, left:right], PORTRAIT_SIDE)
    moved = (points - np.array([left, top, 0], np.float32)) * (kept.shape[1] / (right - left))
    again = finder(_rgb(kept))  # in the smaller picture the face is larger, and found more exactly
    near = [other for other in again if np.abs(other.points[:, :2] - moved[:, :2]).mean() < 0.1 * height]
    return kept, near[0] if near else Landmarks(np.ascontiguousarray(moved, np.float32))


def write_persona(
    folder: Path, name: str, picture: Picture, face: Landmarks, about: About, warnings: tuple[str, ...]
) -> None:
    """The three files of a persona, into an existing folder.

    Raises:
        OSError: the disk is full, or the folder may not be written.
    """
    portrait = folder / PORTRAIT_FILE
    done, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    if not done:
        raise OSError("the picture could not be encoded as PNG")
    portrait.write_bytes(data.tobytes())
    build_rig(picture, face).save(folder / RIG_FILE)
    manifest = Manifest(
        name=name,
        display_name=about.display_name,
        locales=about.locales,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        source=about.source,
        consent=about.consent,
        licence=about.licence,
        warnings=warnings,
        picture_sha256=picture_sha256(portrait),
        voices=about.voices,
    )
    (folder / MANIFEST_FILE).write_text(manifest.to_json(), "utf-8")


def try_out(folder: Path) -> None:
    """Draw the persona at rest and speaking, so that a rig which cannot be drawn is found now.

    Raises:
        PersonaError: the folder cannot be used.
    """
    motion = Motion.zeros(2)
    motion["jawOpen"][1] = 0.5
    motion["eyeBlinkLeft"][1] = motion["eyeBlinkRight"][1] = 1.0
    open_renderer(folder, size=256).render(motion)


def remove_persona(persona: Persona) -> None:
    """Delete a persona's folder.

    Raises:
        PersonaError: codes ``persona_built_in``, ``persona_unwritable``.
    """
    if persona.built_in or persona.path.resolve().parent == BUILT_IN_DIR.resolve():
        raise PersonaError(f"{persona.name!r} is built in and cannot be removed.", code="persona_built_in")
    try:
        shutil.rmtree(persona.path)
    except OSError as error:
        raise _unwritable(persona.path, error) from None


def _put_in_place(folder: Path, target: Path) -> None:
    """Rename into place; an older persona of the name is moved away first, and back if that fails."""
    folder.chmod(0o755)  # mkdtemp makes it private; a server may run as another user
    old = folder.with_name(f"{folder.name}.old")
    if target.exists():
        target.rename(old)
    try:
        folder.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _unwritable(path: Path, error: OSError) -> PersonaError:
    reason = error.strerror or (os.strerror(error.errno) if error.errno else str(error))
    return PersonaError(f"{path} cannot be written: {reason}.", code="persona_unwritable")


def _shrunk(picture: NDArray[np.uint8], longest: int) -> Picture:
    scale = longest / max(picture.shape[:2])
    if scale >= 1:
        return np.ascontiguousarray(picture)
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _rgb(picture_bgr: Picture) -> Picture:
    return np.ascontiguousarray(picture_bgr[..., ::-1])
