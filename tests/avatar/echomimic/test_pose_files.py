"""Pose files that strangers made: what they may ask for, and what they may not."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from avatar.echomimic.pose_files import read_pose_file, read_poses
from avatar.echomimic.poses import PoseSequence
from avatar.errors import MediaFileError
from server.cli.main import app


def frame(**changes: Any) -> dict[str, Any]:
    return {
        "bodies": {"candidate": np.zeros((18, 2)), "subset": np.zeros((1, 18)), "score": np.ones((1, 18))},
        "hands": np.arange(84.0).reshape(2, 21, 2) / 84,
        "hands_score": np.full((2, 21), 0.9),
        "faces": np.zeros((1, 68, 2)),
        "faces_score": np.ones((1, 68)),
        "num": np.int64(3),
        "draw_pose_params": [768, 768, 0, 768, 0, 768],
    } | changes


def save(path: Path, content: Any, protocol: int = 3) -> Path:
    """As the original does: an object array of no dimensions."""
    with path.open("wb") as file:
        array = np.empty((), object)
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        array[()] = content
        pickle.dump(array, file, protocol=protocol)
    return path


@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 5])
def test_what_numpy_writes_is_read(tmp_path: Path, protocol: int) -> None:
    if protocol == 5:
        np.save(tmp_path / "0.npy", frame(), allow_pickle=True)  # type: ignore[arg-type]
    else:
        save(tmp_path / "0.npy", frame(), protocol)
    found = read_pose_file(tmp_path / "0.npy")
    assert np.array_equal(found["hands"], frame()["hands"])
    assert found["num"] == 3 and found["draw_pose_params"] == [768, 768, 0, 768, 0, 768]


def test_fortran_order_and_big_endian_are_understood(tmp_path: Path) -> None:
    hands = np.asfortranarray(frame()["hands"].astype(">f4"))
    found = read_pose_file(save(tmp_path / "0.npy", frame(hands=hands)))
    assert np.allclose(found["hands"], frame()["hands"])


class Call:
    """Pickles to a call of anything."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> Any:
        return self._call


@pytest.mark.parametrize(
    "evil",
    [
        Call(os.system, "exit 1"),
        Call(eval, "1"),
        Call(np.load, "/etc/hostname"),
        Call(getattr, "text", "upper"),
        np.array([{}, {}], object),
        np.zeros(2, [("a", "f4"), ("b", "f4")]),
        np.array(["text"]),
        Path("/"),
    ],
    ids=["system", "eval", "numpy's own functions", "getattr", "objects", "fields", "texts", "a class"],
)
def test_what_asks_for_more_than_arrays_is_refused(tmp_path: Path, evil: Any) -> None:
    with pytest.raises(MediaFileError, match="safe to read") as refusal:
        read_pose_file(save(tmp_path / "0.npy", frame(hands=evil)))
    assert refusal.value.code == "pose_file_refused"


def test_shapes_that_do_not_fit_their_bytes_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    def forged(shape: tuple[int, ...], data: bytes) -> Any:
        whole = pickle.dumps(np.zeros(1, "f8"), protocol=2)
        array = Call(np._core.multiarray._reconstruct, np.ndarray, (0,), b"b")  # type: ignore[attr-defined]
        array.__class__.__reduce__ = lambda self: (*self._call, (1, shape, np.dtype("f8"), False, data))  # type: ignore[method-assign]
        assert whole
        return array

    original = Call.__reduce__
    try:
        for shape in [(1 << 40,), (2, 2), (-1,)]:
            path = save(tmp_path / "0.npy", frame(hands=forged(shape, b"\0" * 8)))
            with pytest.raises(MediaFileError) as refusal:
                read_pose_file(path)
            assert refusal.value.code == "pose_file_refused"
    finally:
        Call.__reduce__ = original  # type: ignore[method-assign]


@pytest.mark.parametrize("cut", [0, 5, 60, 128, 200, 700])
def test_a_cut_file_is_damaged(tmp_path: Path, cut: int) -> None:
    whole = save(tmp_path / "0.npy", frame()).read_bytes()
    (tmp_path / "0.npy").write_bytes(whole[:cut])
    with pytest.raises(MediaFileError) as damage:
        read_pose_file(tmp_path / "0.npy")
    assert damage.value.code == "pose_file_damaged"


def test_an_array_of_numbers_is_no_pose(tmp_path: Path) -> None:
    np.save(tmp_path / "0.npy", np.zeros(3))
    with pytest.raises(MediaFileError, match="no pose"):
        read_pose_file(tmp_path / "0.npy")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hands": np.zeros((2, 20, 2))}, "shape"),
        ({"hands": np.full((2, 21, 2), np.nan)}, "impossible"),
        ({"hands_score": "much"}, "no numbers"),
        ({"draw_pose_params": [768]}, "shape"),
    ],
)
def test_a_frame_without_proper_hands_is_named(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    save(tmp_path / "0.npy", frame())
    save(tmp_path / "1.npy", frame(**changes))
    with pytest.raises(MediaFileError, match=said) as damage:
        read_poses(tmp_path)
    assert "1.npy" in str(damage.value)


def test_a_gap_in_the_sequence_is_named(tmp_path: Path) -> None:
    save(tmp_path / "0.npy", frame())
    save(tmp_path / "2.npy", frame())
    with pytest.raises(MediaFileError, match=r"1\.npy"):
        read_poses(tmp_path)


def test_frames_are_in_order_of_their_numbers(tmp_path: Path) -> None:
    for number in range(12):
        save(tmp_path / f"{number}.npy", frame(hands=np.full((2, 21, 2), number / 12)))
    assert read_poses(tmp_path).hands[:, 0, 0, 0] == pytest.approx(np.arange(12) / 12)


def test_the_command_writes_what_loads_again(tmp_path: Path) -> None:
    folder = tmp_path / "poses"
    folder.mkdir()
    save(folder / "0.npy", frame())
    out = tmp_path / "poses.npz"
    done = CliRunner().invoke(app, ["echomimic", "poses", str(folder), "-o", str(out)])
    assert done.exit_code == 0, done.output
    sequence = PoseSequence.load(out)
    assert len(sequence) == 1 and np.allclose(sequence.hands[0], frame()["hands"])
    again = CliRunner().invoke(app, ["echomimic", "poses", str(folder), "-o", str(out)])
    assert again.exit_code == 1


def test_a_released_sequence(shared: Path) -> None:
    sequence = read_poses(shared / "samples/poses/good")
    assert len(sequence) == 102
    assert (sequence.canvas == [768, 768, 0, 768, 0, 768]).all()
    assert sequence.scores.max() > 0.5
