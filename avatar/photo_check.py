"""Whether a found face can be animated: refuses with a reason a person understands, warns where it will look worse.

MediaPipe finds "faces" on animals, fruit and clocks, and always fits them with a plausible mesh, so proportions
alone do not give them away. What does: on a person, landmarks found in a slightly turned or shrunk copy of the
picture agree with the first ones; elsewhere they wander.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar.errors import PhotoRefused
from avatar.landmarks import Landmarks, find_faces

Picture = NDArray[np.uint8]

MIN_FACE_PX = 64
"""Forehead to chin. A face 63 pixels high still worked, if soft; smaller ones were never tried."""
GOOD_FACE_PX = 200
"""What a 512-pixel frame shows of a face; below it the video is softer than it could be."""
MAX_YAW, GOOD_YAW = 40.0, 20.0
"""Degrees. Three-quarter views (30-40) are usable with a weak far mouth corner; beyond, half the lips is hidden."""
MAX_PITCH, GOOD_PITCH = 30.0, 18.0
MAX_ROLL, GOOD_ROLL = 30.0, 14.0
REST_PITCH = 8.0
"""What the forehead-chin line leans in a level face: mean of 11 level portraits (3 to 15)."""
MAX_GAP, GOOD_GAP = 0.25, 0.17
"""Between the lips, in mouth widths. Open mouths up to 0.17 closed well; a shout cannot be closed without tearing."""
MIN_EYE, GOOD_EYE = 0.10, 0.17
"""Opening of the eyes, in eye widths: 0.28 to 0.44 in portraits. Closed eyes cannot be opened."""
MAX_WANDER = 0.03
"""Median disagreement of landmarks in turned copies, in face heights. 11 portraits, drawn ones included: 0.004 to
0.009. Fish, cat, panda, fruit and a meter's display: 0.05 to never found again. Simple cartoons: 0.015 to 0.3."""
PROPORTIONS = {
    "face width to height": (0.66, 1.04),
    "eye distance to face width": (0.54, 0.82),
    "nose length to face height": (0.24, 0.40),
    "mouth width to face width": (0.22, 0.58),
}
"""Of 11 portraits: 0.79-0.88, 0.62-0.74, 0.30-0.33, 0.30-0.48; widened to twice their spread."""
OTHER_FACE = 0.35
"""A further face at least this high against the largest is a second person; smaller is a picture on the wall."""
DARK, BRIGHT = 40, 232
"""Mean of the face's brightest channel. Dark skin in good light stays above 90."""
BLUR = 12.0
"""Variance of the Laplacian over the face at 256 pixels. Portraits: 24 to 290; blurred by 2.5 pixels: 2 to 6."""

_OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
         152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)  # fmt: skip
"""MediaPipe's FACEMESH_FACE_OVAL, in order."""

Finder = Callable[[Picture], list[Landmarks]]


@dataclass(frozen=True, slots=True)
class FaceMeasures:
    """What a face's landmarks tell.

    Attributes:
        height_px: forehead to chin.
        yaw, pitch, roll: degrees, 0 is facing the camera upright; turned away to either side, signs as in ``Motion``.
        mouth_gap: between the lips, in mouth widths.
        eye_opening: in eye widths, mean of both eyes.
        proportions: by the names in ``PROPORTIONS``.
    """

    height_px: float
    yaw: float
    pitch: float
    roll: float
    mouth_gap: float
    eye_opening: float
    proportions: dict[str, float]


def measure(face: Landmarks) -> FaceMeasures:
    """Measures of a face (MediaPipe's numbering of the landmarks)."""
    points = face.points.astype(np.float64)

    def apart(a: int, b: int, axes: int = 2) -> float:
        return float(np.linalg.norm(points[a, :axes] - points[b, :axes]))

    across, down = points[454] - points[234], points[152] - points[10]
    eyes = points[263] - points[33]
    width = max(apart(234, 454, 3), 1e-6)
    height = max(apart(10, 152), 1e-6)
    mouth = max(apart(61, 291), 1e-6)
    return FaceMeasures(
        height_px=height,
        yaw=float(-np.degrees(np.arctan2(across[2], across[0]))),
        pitch=float(np.degrees(np.arctan2(down[2], down[1]))) - REST_PITCH,
        roll=float(np.degrees(np.arctan2(eyes[1], eyes[0]))),
        mouth_gap=apart(13, 14) / mouth,
        eye_opening=(apart(159, 145) / max(apart(33, 133), 1e-6) + apart(386, 374) / max(apart(362, 263), 1e-6)) / 2,
        proportions={
            "face width to height": width / height,
            "eye distance to face width": apart(33, 263, 3) / width,
            "nose length to face height": apart(168, 2) / height,
            "mouth width to face width": apart(61, 291) / width,
        },
    )


def choose_face(picture_bgr: Picture, faces: list[Landmarks], finder: Finder = find_faces) -> Landmarks:
    """The one person in the picture.

    Args:
        picture_bgr: BGR uint8.
        faces: found in it, largest first.
        finder: finds faces in RGB pictures; tells people from look-alikes.

    Raises:
        PhotoRefused: codes ``no_face``, ``several_faces``, ``not_a_person``.
    """
    if not faces:
        raise PhotoRefused(
            "No face was found. Use a picture in which one person looks into the camera, the face at least a "
            "sixth of the picture's height, not hidden by hair, hand, mask or sunglasses.",
            code="no_face",
        )
    people = [face for face in faces if is_person(picture_bgr, face, finder)]
    if not people:
        raise PhotoRefused(
            "What looks like a face here is not a person's: it is an animal, a thing, a very simple drawing, or a "
            "face too unclear to be followed. Use a clear picture of one person.",
            code="not_a_person",
        )
    others = sum(face.height >= OTHER_FACE * people[0].height for face in people[1:])
    if others:
        raise PhotoRefused(
            f"There are {others + 1} faces in the picture. Cut out the one that shall speak.", code="several_faces"
        )
    return people[0]


def check_face(picture_bgr: Picture, face: Landmarks) -> list[str]:
    """Refuse what cannot be animated; tell what will look worse than it could.

    Returns:
        Warnings, whole sentences.

    Raises:
        PhotoRefused: codes ``too_small``, ``face_cut``, ``turned_away``, ``tilted``, ``mouth_open``, ``eyes_closed``.
    """
    sizes = measure(face)
    _refuse(picture_bgr, face, sizes)
    return _warnings(picture_bgr, face, sizes)


def is_person(picture_bgr: Picture, face: Landmarks, finder: Finder = find_faces) -> bool:
    """Whether proportions are a person's and landmarks stay where they are in turned and shrunk copies."""
    for name, value in measure(face).proportions.items():
        low, high = PROPORTIONS[name]
        if not low <= value <= high:
            return False
    wander = [_wander(picture_bgr, face, finder, angle, scale) for angle, scale in ((10, 0.9), (-10, 0.9), (0, 0.75))]
    return float(np.median(wander)) <= MAX_WANDER


def _wander(picture: Picture, face: Landmarks, finder: Finder, angle: float, scale: float) -> float:
    """Root mean square distance of landmarks found in a turned copy from where they should be, in face heights."""
    middle = face.points[:, :2].mean(0)
    turn = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), angle, scale)
    size = (picture.shape[1], picture.shape[0])
    copy = np.asarray(cv2.warpAffine(picture, turn, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)
    expected = face.points[:, :2] @ turn[:, :2].T + turn[:, 2]
    found = finder(np.ascontiguousarray(copy[..., ::-1]))
    misses = [float(np.sqrt(((other.points[:, :2] - expected) ** 2).sum(1).mean())) for other in found]
    return min(misses, default=np.inf) / (face.height * scale)


def _refuse(picture: Picture, face: Landmarks, sizes: FaceMeasures) -> None:
    if sizes.height_px < MIN_FACE_PX:
        raise PhotoRefused(
            f"The face is {sizes.height_px:.0f} pixels high; at least {MIN_FACE_PX} are needed, {GOOD_FACE_PX} are "
            "good. Use a larger picture or one taken from nearer.",
            code="too_small",
        )
    height, width = picture.shape[:2]
    oval = face.points[list(_OVAL), :2]
    slack = 0.02 * sizes.height_px
    if (oval < -slack).any() or (oval > (width + slack, height + slack)).any():
        raise PhotoRefused(
            "The face is cut off by the picture's edge. Use a picture that shows the whole head and the shoulders.",
            code="face_cut",
        )
    if abs(sizes.yaw) > MAX_YAW or abs(sizes.pitch) > MAX_PITCH:
        way = "to the side" if abs(sizes.yaw) > MAX_YAW else "up or down"
        degrees = abs(sizes.yaw) if abs(sizes.yaw) > MAX_YAW else abs(sizes.pitch)
        raise PhotoRefused(
            f"The face is turned {way} by about {degrees:.0f} degrees. Use a picture that looks into the camera.",
            code="turned_away",
        )
    if abs(sizes.roll) > MAX_ROLL:
        raise PhotoRefused(
            f"The head is tilted by about {abs(sizes.roll):.0f} degrees. Turn the picture upright.", code="tilted"
        )
    if sizes.mouth_gap > MAX_GAP:
        raise PhotoRefused(
            "The mouth is wide open and cannot be closed without distortion. Use a picture with the mouth closed "
            "or an ordinary smile.",
            code="mouth_open",
        )
    if sizes.eye_opening < MIN_EYE:
        raise PhotoRefused("The eyes are closed. Use a picture with open eyes.", code="eyes_closed")


def _warnings(picture: Picture, face: Landmarks, sizes: FaceMeasures) -> list[str]:
    found = []
    if sizes.height_px < GOOD_FACE_PX:
        found.append(f"The face is only {sizes.height_px:.0f} pixels high: the video will be soft.")
    if abs(sizes.yaw) > GOOD_YAW or abs(sizes.pitch) > GOOD_PITCH:
        found.append("The face is turned away a little: the far side of the mouth will move less well.")
    if abs(sizes.roll) > GOOD_ROLL:
        found.append("The head is tilted: a picture turned upright looks better.")
    if sizes.mouth_gap > GOOD_GAP:
        found.append("The mouth is open: it closes, but a closed mouth or a light smile looks better.")
    if sizes.eye_opening < GOOD_EYE:
        found.append("The eyes are nearly closed: they cannot be opened further.")
    x0, y0 = np.maximum(face.points[:, :2].min(0), 0).astype(int)
    x1, y1 = face.points[:, :2].max(0).astype(int) + 1
    skin = picture[y0:y1, x0:x1]
    brightness = float(skin.max(2).mean())
    if brightness < DARK:
        found.append("The face is very dark: a picture taken in more light looks better.")
    elif brightness > BRIGHT:
        found.append("The face is overexposed: lips and lids will be hard to see.")
    grey = cv2.cvtColor(skin, cv2.COLOR_BGR2GRAY)
    scale = 256 / max(grey.shape)
    grey = np.asarray(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    if float(cv2.Laplacian(grey, cv2.CV_64F).var()) < BLUR:
        found.append("The face is blurred: the video will be, too.")
    if y0 < 0.12 * sizes.height_px:
        found.append("The top of the head is cut off or touches the picture's edge.")
    return found
