"""Rigs are written, read back, and refused where anything about them is wrong."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from avatar.errors import PersonaError
from avatar.landmarks import Landmarks
from avatar.portrait.rig import Rig, build_rig
from tests.avatar.portrait.conftest import Source


@pytest.fixture
def arrays(helen: Source) -> dict[str, np.ndarray]:
    rig = helen[1]
    return {
        "version": np.int32(rig.version),
        "picture_size": np.array(rig.picture_size, np.int32),
        "points": rig.points.copy(),
        "lip_line": rig.lip_line.copy(),
    }


def test_round_trip(helen: Source, tmp_path: Path) -> None:
    rig = helen[1]
    rig.save(tmp_path / "rig.npz")
    again = Rig.load(tmp_path / "rig.npz")
    assert again.picture_size == rig.picture_size
    assert np.array_equal(again.points, rig.points)
    assert np.array_equal(again.lip_line, rig.lip_line)
    assert (tmp_path / "rig.npz").stat().st_size < 20_000


def test_built_again_from_its_own_landmarks(helen: Source) -> None:
    picture, rig = helen
    again = build_rig(picture, Landmarks(rig.points))
    assert again.picture_size == rig.picture_size
    assert np.allclose(again.lip_line, rig.lip_line, atol=0.02)


def test_degenerate_landmarks_are_refused(helen: Source) -> None:
    picture, rig = helen
    with pytest.raises(ValueError, match="width"):
        build_rig(picture, Landmarks(np.ones_like(rig.points)))
    with pytest.raises(ValueError, match="finite"):
        build_rig(picture, Landmarks(np.full_like(rig.points, np.nan)))
    with pytest.raises(ValueError, match="478"):
        build_rig(picture, Landmarks(rig.points[:468]))


def test_a_missing_rig(tmp_path: Path) -> None:
    with pytest.raises(PersonaError, match="missing"):
        Rig.load(tmp_path / "rig.npz")
    with pytest.raises(PersonaError, match="cannot be read"):
        Rig.load(tmp_path)


def damaged_files(whole: bytes) -> dict[str, bytes]:
    flipped = bytearray(whole)
    for i in range(60, len(flipped), 97):
        flipped[i] ^= 0xFF
    executable = io.BytesIO()
    with zipfile.ZipFile(executable, "w") as archive:
        archive.writestr("points.npy", b"\x80\x04cos\nsystem\n.")
    return {
        "empty": b"",
        "cut": whole[: len(whole) // 2],
        "flipped": bytes(flipped),
        "noise": np.random.default_rng(0).bytes(5000),
        "text": b"not a rig\n",
        "no arrays": executable.getvalue(),
        "bomb": bomb(),
        "plain npy": npy(np.zeros(3)),
    }


def bomb() -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, points=np.zeros(50_000_000, np.float32))
    return out.getvalue()


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["empty", "cut", "flipped", "noise", "text", "no arrays", "bomb", "plain npy"])
def test_damaged_files(arrays: dict[str, np.ndarray], tmp_path: Path, kind: str) -> None:
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    (tmp_path / "rig.npz").write_bytes(damaged_files(out.getvalue())[kind])
    with pytest.raises(PersonaError, match="create the persona again"):
        Rig.load(tmp_path / "rig.npz")


def test_every_cut_is_refused(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    whole = out.getvalue()
    for length in range(1, len(whole), 211):
        (tmp_path / "rig.npz").write_bytes(whole[:length])
        with pytest.raises(PersonaError):
            Rig.load(tmp_path / "rig.npz")


WRONG = {
    "another version": {"version": np.int32(99)},
    "version of another kind": {"version": np.float32(1)},
    "points of another shape": {"points": np.zeros((468, 3), np.float32)},
    "points of another kind": {"points": np.zeros((478, 3), np.int32)},
    "objects": {"points": np.array([{"a": 1}], object)},
    "not numbers": {"points": np.full((478, 3), np.nan, np.float32)},
    "far away": {"points": np.full((478, 3), 1e9, np.float32)},
    "no face": {"points": np.ones((478, 3), np.float32)},
    "no picture": {"picture_size": np.array([0, 10], np.int32)},
    "lips crossed": {"lip_line": np.stack([np.full(65, 0.5), np.zeros(65)]).astype(np.float32)},
    "lips far": {"lip_line": np.full((2, 65), 9, np.float32)},
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_contents(arrays: dict[str, np.ndarray], tmp_path: Path, what: str) -> None:
    np.savez(tmp_path / "rig.npz", **(arrays | WRONG[what]))
    with pytest.raises(PersonaError, match="create the persona again"):
        Rig.load(tmp_path / "rig.npz")


@pytest.mark.parametrize("name", ["version", "picture_size", "points", "lip_line"])
def test_missing_arrays(arrays: dict[str, np.ndarray], tmp_path: Path, name: str) -> None:
    del arrays[name]
    np.savez(tmp_path / "rig.npz", **arrays)
    with pytest.raises(PersonaError, match="create the persona again"):
        Rig.load(tmp_path / "rig.npz")
