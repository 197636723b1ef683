"""Contact sheets can be made of any persona."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from avatar.motion.motion import INDEX
from avatar.persona import find_persona
from benchmarks.contact_sheet import COLUMNS, SHAPES, STRIP, TILE, contact_sheet, main


def test_shapes_name_channels() -> None:
    for channels in SHAPES.values():
        for name in channels:
            assert name in INDEX or name + "Left" in INDEX


def test_every_shape_has_its_tile() -> None:
    sheet = contact_sheet(find_persona("helen"), size=256)
    rows = -(-len(SHAPES) // COLUMNS)
    assert sheet.shape == (rows * (TILE + STRIP), COLUMNS * TILE, 3)
    tiles = [
        sheet[y * (TILE + STRIP) :][:TILE, x * TILE :][:, :TILE].astype(int)
        for y in range(rows)
        for x in range(COLUMNS)
    ]
    for name, tile in list(zip(SHAPES, tiles, strict=True))[1:]:
        assert np.abs(tile - tiles[0]).max() > 20, name


@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_writes_a_picture(tmp_path: Path, kind: str) -> None:
    out = tmp_path / f"sheet.{kind}"
    assert main(["arjun", "-o", str(out)]) == 0
    picture = cv2.imread(str(out))
    assert picture is not None
    assert picture.shape[1] == COLUMNS * TILE


def test_refuses_other_kinds(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["helen", "-o", str(tmp_path / "sheet.gif")])
