from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from avatar.motion.motion import Motion
from avatar.motion.motion_file import save_motion
from benchmarks.motion_sheet import COLUMNS, STRIP, TILE, main


@pytest.fixture
def motion(tmp_path: Path) -> Path:
    moved = Motion.zeros(60)
    moved["jawOpen"][:] = np.abs(np.sin(np.arange(60) / 4)) * 0.5
    save_motion(tmp_path / "m.npz", moved)
    return tmp_path / "m.npz"


def test_a_motion_is_laid_out_in_tiles(motion: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    assert main(["--motion", str(motion), "--start", "0", "--lines", "2", "-o", str(out)]) == 0
    picture = cv2.imread(str(out))
    assert picture is not None and picture.shape == (2 * (TILE + STRIP), COLUMNS * TILE, 3)
    tiles = [picture[STRIP : STRIP + TILE, i * TILE : (i + 1) * TILE].astype(int) for i in range(3)]
    assert np.abs(tiles[0] - tiles[2]).max() > 20


def test_one_of_sound_and_motion_is_needed(motion: Path, tmp_path: Path) -> None:
    for words in ([], ["sound.wav", "--motion", str(motion)]):
        with pytest.raises(SystemExit):
            main([*words, "-o", str(tmp_path / "sheet.png")])
