from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from avatar.errors import MediaFileError
from avatar.motion import motion_file
from avatar.motion.motion import CHANNELS, Motion
from avatar.motion.motion_file import FORMAT, check_motion_output, load_motion, save_motion


@pytest.fixture
def motion() -> Motion:
    motion = Motion.zeros(7)
    motion["jawOpen"][:] = np.linspace(0, 0.6, 7)
    motion["handLeft20Y"][3] = 0.4
    motion["headYaw"][:] = -12.5
    return motion


def write(path: Path, **arrays: object) -> Path:
    whole = {
        "format": np.array(FORMAT), "channels": np.array(["jawOpen"]), "values": np.zeros((3, 1), np.float32),
        "about": np.array("{}"), **arrays,
    }  # fmt: skip
    with path.open("wb") as file:
        np.savez(file, **{name: value for name, value in whole.items() if value is not None})
    return path


def reason(path: Path) -> str:
    with pytest.raises(MediaFileError) as refused:
        load_motion(path)
    assert str(path) in str(refused.value) and "\n" not in str(refused.value)
    return f"{refused.value.code}: {refused.value}"


def test_what_is_saved_is_loaded(motion: Motion, tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    save_motion(path, motion, {"source": "家.mp4"})
    loaded, about = load_motion(path)
    np.testing.assert_array_equal(loaded.values, motion.values)
    assert about == {"source": "家.mp4"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.npz"]
    with np.load(path) as file:
        assert set(file["channels"]) == {"jawOpen", "handLeft20Y", "headYaw"}


def test_stillness_keeps_its_length(tmp_path: Path) -> None:
    save_motion(tmp_path / "m.npz", Motion.zeros(40))
    assert len(load_motion(tmp_path / "m.npz")[0]) == 40


def test_numbers_that_are_none_are_not_saved(motion: Motion, tmp_path: Path) -> None:
    motion["jawOpen"][2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        save_motion(tmp_path / "m.npz", motion)
    assert not list(tmp_path.iterdir())


def test_files_of_others_are_refused_with_a_reason(tmp_path: Path) -> None:
    assert reason(tmp_path / "absent.npz").startswith("file_missing")
    (tmp_path / "text.npz").write_text("hello")
    assert reason(tmp_path / "text.npz").startswith("not_a_motion_file")
    (tmp_path / "empty.npz").touch()
    assert reason(tmp_path / "empty.npz").startswith("not_a_motion_file")
    np.save(tmp_path / "array.npy", np.zeros(3))
    assert reason(tmp_path / "array.npy").startswith("not_a_motion_file")
    assert "version 2" in reason(write(tmp_path / "a.npz", format=np.array("parley-motion/2")))
    assert "'other'" in reason(write(tmp_path / "b.npz", format=np.array("other")))
    assert "'values" in reason(write(tmp_path / "c.npz", values=None))
    assert "tail" in reason(write(tmp_path / "d.npz", channels=np.array(["tail"])))
    assert "twice" in reason(
        write(tmp_path / "e.npz", channels=np.array(["jawOpen"] * 2), values=np.zeros((3, 2), np.float32))
    )
    assert "(3, 2)" in reason(write(tmp_path / "f.npz", values=np.zeros((3, 2), np.float32)))
    assert "no frame" in reason(write(tmp_path / "g.npz", values=np.zeros((0, 1), np.float32)))
    assert "NaN" in reason(write(tmp_path / "h.npz", values=np.full((3, 1), np.inf, np.float32)))
    assert reason(write(tmp_path / "i.npz", about=np.array("{"))).startswith("not_a_motion_file")


def test_nothing_pickled_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "evil.npz"
    write(path)
    held = io.BytesIO()
    np.save(held, np.array([print], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("format.npy", held.getvalue())
    assert reason(path).startswith("not_a_motion_file")


def test_a_zip_that_unpacks_to_everything_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "big.npz", values=np.zeros((5000, 1), np.float32))
    monkeypatch.setattr(motion_file, "LARGEST_BYTES", 10_000)
    assert "unpacks" in reason(path)


def test_about_is_free(tmp_path: Path) -> None:
    assert load_motion(write(tmp_path / "a.npz", about=None))[1] == {}
    assert load_motion(write(tmp_path / "b.npz", about=np.array(json.dumps([1]))))[1] == {}


def test_where_it_can_be_written_is_found_out_before(tmp_path: Path) -> None:
    def code(path: Path, **options: object) -> str:
        with pytest.raises(MediaFileError) as refused:
            check_motion_output(path, overwrite=False, **options)  # type: ignore[arg-type]
        return refused.value.code

    (tmp_path / "there.npz").touch()
    assert code(tmp_path / "m.mp4") == "output_unwritable"
    assert code(tmp_path / "nowhere" / "m.npz") == "output_unwritable"
    assert code(tmp_path / "there.npz") == "output_exists"
    assert code(tmp_path / "there.npz", not_over=tmp_path / "there.npz") == "output_unwritable"
    check_motion_output(tmp_path / "there.npz", overwrite=True)
    check_motion_output(tmp_path / "new.npz", overwrite=False)


def test_channels_may_come_in_any_order(tmp_path: Path) -> None:
    names = list(reversed(CHANNELS))
    values = np.arange(len(names), dtype=np.float32)[None].repeat(2, axis=0)
    loaded, _ = load_motion(write(tmp_path / "m.npz", channels=np.array(names), values=values))
    assert loaded[names[5]].tolist() == [5, 5]
