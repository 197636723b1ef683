"""The comparison itself: what it reads, how it tells, and that it can fail."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.echomimic import parity
from avatar.echomimic.parity import relative_l2

LIGHT = ("windows|", "ddim|", "pose_render|", "meta|")
"""Arrays that need no network."""


@pytest.fixture
def light(fixtures: Path, tmp_path: Path) -> Path:
    with np.load(fixtures / "parity_v2.npz", allow_pickle=False) as arrays:
        np.savez(tmp_path / "light.npz", **{name: arrays[name] for name in arrays.files if name.startswith(LIGHT)})
    return tmp_path / "light.npz"


def changed(path: Path, name: str, value: np.ndarray) -> Path:
    with np.load(path, allow_pickle=False) as arrays:
        content = dict(arrays)
    content[name] = value
    np.savez(path, **content)
    return path


def test_a_fixture_that_agrees(light: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert parity.main([str(light)]) == 0
    text = capsys.readouterr().out
    assert "44 arrays compared, 0 beyond tolerance" in text and "BEYOND" not in text and "not compared" not in text
    assert parity.main([str(light), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["passed"] and {"array", "error", "tolerance", "passed"} == set(report["files"][0]["arrays"][0])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("windows|L13_idx", np.zeros((2, 12), np.int64)),
        ("windows|L13_idx", np.zeros((2, 11), np.int64)),
        ("ddim|timesteps_6", np.array([999, 832, 666, 499, 332, 167])),
        ("ddim|step6_2_prev", np.full((1, 4, 2, 4, 4), np.nan, np.float32)),
        ("pose_render|0|image_rgb_u8", np.zeros((768, 768, 3), np.uint8)),
    ],
)
def test_one_that_does_not(light: Path, name: str, value: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    assert parity.main([str(changed(light, name, value))]) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if "BEYOND" in line]
    assert len(lines) == 1 and lines[0].split()[0] == name


def test_what_is_not_known_is_told(light: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert parity.main([str(changed(light, "novel|array", np.zeros(2)))]) == 0
    assert "not compared: novel|array" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content",
    ["missing", "folder", "noise", "pickle", "empty", "one array", "no arrays", "cut off", "flipped", "nothing"],
)
def test_what_is_no_fixture(tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.npz"
    if content == "noise":
        path.write_bytes(b"no arrays here")
    elif content == "pickle":
        np.savez(path, objects=np.array([{}], dtype=object))
    elif content == "empty":
        np.savez(path, unrelated=np.zeros(3))
    elif content == "folder":
        path.mkdir()
    elif content == "one array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif content == "no arrays":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("windows|L13_n.txt", "two")
    elif content == "nothing":
        path.write_bytes(b"")
    elif content in ("cut off", "flipped"):
        np.savez_compressed(path, **{"windows|L13_idx": np.arange(5000)})
        whole = bytearray(path.read_bytes())
        if content == "flipped":
            whole[200:260] = bytes(60)
        path.write_bytes(whole if content == "flipped" else whole[: len(whole) // 2])
    assert parity.main([str(path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("parity: ") and "bad.npz" in error and error.count("\n") == 1


def test_parts_that_need_each_other(fixtures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with np.load(fixtures / "parity_v2.npz", allow_pickle=False) as arrays:
        np.savez(tmp_path / "part.npz", **{name: arrays[name] for name in arrays.files if name.startswith("den|")})
    assert parity.main([str(tmp_path / "part.npz")]) == 2
    assert "ref|in_latents" in capsys.readouterr().err


def test_relative_l2() -> None:
    right = np.array([3.0, 4.0])
    assert relative_l2(right, right) == 0
    assert relative_l2(np.array([3.0, 4.5]), right) == pytest.approx(0.1)
    assert relative_l2(np.array([3.0]), right) == np.inf
    assert relative_l2(np.array([3.0, np.nan]), right) == np.inf
    assert relative_l2(np.zeros(2), np.zeros(2)) == 0 and relative_l2(right, np.zeros(2)) == np.inf
    assert (
        relative_l2(np.array(["a"]), np.array(["a"])) == 0 and relative_l2(np.array(["a"]), np.array(["b"])) == np.inf
    )
    counts = np.array([200], np.uint8)
    assert relative_l2(np.array([250], np.uint8), counts) == 0.25, "unsigned numbers do not wrap around"
