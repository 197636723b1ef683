from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from avatar.errors import PhotoRefused
from avatar.landmarks import Landmarks
from avatar.persona import Persona
from avatar.photo_check import PROPORTIONS, Finder, check_face, choose_face, is_person, measure


@pytest.fixture(scope="module")
def picture(helen: Persona) -> NDArray[np.uint8]:
    return helen.picture()


def turned(face: Landmarks, *, yaw: float = 0, pitch: float = 0, roll: float = 0) -> Landmarks:
    """The face rotated about its middle, degrees: yaw about the vertical axis, pitch about the eyes' axis."""
    y, x, z = (np.radians(angle) for angle in (yaw, pitch, roll))
    about_y = [[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]]
    about_x = [[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]]
    about_z = [[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]]
    middle = face.points.mean(0)
    rotation = np.array(about_z) @ np.array(about_x) @ np.array(about_y)
    return Landmarks(((face.points - middle) @ rotation.T + middle).astype(np.float32))


def moved(face: Landmarks, **shifts: tuple[tuple[int, ...], tuple[float, float]]) -> Landmarks:
    """The face with some landmarks shifted, in face heights."""
    points = face.points.copy()
    for indices, shift in shifts.values():
        points[list(indices), :2] += np.array(shift, np.float32) * face.height
    return Landmarks(points)


def code(picture: NDArray[np.uint8], face: Landmarks) -> str:
    with pytest.raises(PhotoRefused) as caught:
        check_face(picture, face)
    assert str(caught.value).endswith("."), "a whole sentence"
    return caught.value.code


def test_a_good_picture_has_nothing_to_be_said_against_it(picture: NDArray[np.uint8], helen_face: Landmarks) -> None:
    assert check_face(picture, helen_face) == []


@pytest.mark.parametrize("angle", [-35, -12, 12, 35])
def test_turns_are_measured(helen_face: Landmarks, angle: float) -> None:
    still = measure(helen_face)
    assert abs(measure(turned(helen_face, yaw=angle)).yaw - still.yaw) == pytest.approx(abs(angle), abs=3)
    assert abs(measure(turned(helen_face, pitch=angle)).pitch - still.pitch) == pytest.approx(abs(angle), abs=3)
    assert measure(turned(helen_face, roll=angle)).roll - still.roll == pytest.approx(angle, abs=3)


def test_profiles_are_refused_and_three_quarter_views_warned_of(
    picture: NDArray[np.uint8], helen_face: Landmarks
) -> None:
    assert code(picture, turned(helen_face, yaw=60)) == "turned_away"
    assert code(picture, turned(helen_face, pitch=45)) == "turned_away"
    assert code(picture, turned(helen_face, pitch=-55)) == "turned_away"
    (warning,) = check_face(picture, turned(helen_face, yaw=30))
    assert "turned away" in warning


def test_tilts(picture: NDArray[np.uint8], helen_face: Landmarks) -> None:
    assert code(picture, turned(helen_face, roll=45)) == "tilted"
    (warning,) = check_face(picture, turned(helen_face, roll=20))
    assert "tilted" in warning


def test_open_mouths(picture: NDArray[np.uint8], helen_face: Landmarks) -> None:
    shouting = moved(helen_face, lip=((14,), (0, 0.12)))
    assert code(picture, shouting) == "mouth_open"
    (warning,) = check_face(picture, moved(helen_face, lip=((14,), (0, 0.065))))
    assert "mouth is open" in warning


def test_closed_eyes(picture: NDArray[np.uint8], helen_face: Landmarks) -> None:
    points = helen_face.points.copy()
    points[[159, 386]] = points[[145, 374]]
    assert code(picture, Landmarks(points)) == "eyes_closed"


def test_small_faces(picture: NDArray[np.uint8], helen_face: Landmarks) -> None:
    for height, says in ((50, "too_small"), (120, "soft")):
        scale = height / helen_face.height
        small = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        face = Landmarks(helen_face.points * np.float32(scale))
        if says == "too_small":
            assert code(small, face) == says
        else:
            assert says in check_face(small, face)[0]


def test_faces_cut_by_the_edge(picture: NDArray[np.uint8], helen_face: Landmarks) -> None:
    chin, left = int(helen_face.points[152, 1]), int(helen_face.points[234, 0])
    assert code(picture[: chin - 30], helen_face) == "face_cut"
    face = Landmarks(helen_face.points - np.array([left + 40, 0, 0], np.float32))
    assert code(picture[:, left + 40 :], face) == "face_cut"
    top = int(helen_face.points[:, 1].min()) - 10
    face = Landmarks(helen_face.points - np.array([0, top, 0], np.float32))
    assert any("top of the head" in warning for warning in check_face(picture[top:], face))


def test_light_and_focus(picture: NDArray[np.uint8], helen_face: Landmarks) -> None:
    assert "very dark" in check_face((picture * 0.12).astype(np.uint8), helen_face)[0]
    assert "overexposed" in check_face(np.clip(picture.astype(int) + 130, 0, 255).astype(np.uint8), helen_face)[0]
    blurred = np.asarray(cv2.GaussianBlur(picture, (0, 0), 6), np.uint8)
    assert "blurred" in check_face(blurred, helen_face)[0]


def steady(face: Landmarks, jitter: float = 0.0) -> Finder:
    """A finder that finds ``face`` again in the copies that ``is_person`` asks for, give or take ``jitter``."""
    rng = np.random.default_rng(3)
    turns = iter([(10, 0.9), (-10, 0.9), (0, 0.75)] * 9)

    def find(rgb: NDArray[np.uint8]) -> list[Landmarks]:
        middle = face.points[:, :2].mean(0)
        turn = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), *next(turns))
        points = face.points.copy()
        points[:, :2] = points[:, :2] @ turn[:, :2].T + turn[:, 2]
        points[:, :2] += rng.normal(0, jitter * face.height, (478, 2))
        return [Landmarks(points)]

    return find


def test_people_are_told_from_what_merely_resembles_them(picture: NDArray[np.uint8], helen_face: Landmarks) -> None:
    assert is_person(picture, helen_face, steady(helen_face, 0.005))
    assert not is_person(picture, helen_face, steady(helen_face, 0.06)), "landmarks wander"
    assert not is_person(picture, helen_face, lambda rgb: []), "never found again"
    snout = moved(helen_face, nose=((2,), (0, 0.2)))
    assert measure(snout).proportions["nose length to face height"] > PROPORTIONS["nose length to face height"][1]
    assert not is_person(picture, snout, steady(snout))


def test_choosing_the_face(picture: NDArray[np.uint8], helen_face: Landmarks) -> None:
    def choose(faces: list[Landmarks], jitter: float = 0.0) -> str | Landmarks:
        try:
            return choose_face(picture, faces, steady(helen_face, jitter))
        except PhotoRefused as error:
            return error.code

    poster = Landmarks(helen_face.points * np.float32(0.2))
    neighbour = Landmarks(helen_face.points + np.array([9, 0, 0], np.float32))
    assert choose([]) == "no_face"
    assert choose([helen_face]) is helen_face
    assert choose([helen_face, poster]) is helen_face, "a picture on the wall"
    assert choose([helen_face, neighbour]) == "several_faces"
    assert choose([helen_face], jitter=0.1) == "not_a_person"
