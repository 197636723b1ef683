"""Make the built-in persona folders in ``avatar/personas`` from drawn pictures.

    python -m tools.personas.build FOLDER_OF_PNGS

Needs MediaPipe, as ``parley avatar create`` does.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from avatar.create import try_out, write_persona
from avatar.landmarks import find_faces
from avatar.persona import BUILT_IN_DIR
from avatar.photo_check import check_face, choose_face
from tools.personas.about import ABOUT


def build(name: str, picture_path: Path) -> Path:
    """Check one drawn picture as ``create`` would, and write its folder whole (never cut: 1024 x 1024)."""
    picture = np.asarray(cv2.imread(str(picture_path), cv2.IMREAD_COLOR), np.uint8)
    face = choose_face(picture, find_faces(np.ascontiguousarray(picture[..., ::-1])))
    warnings = check_face(picture, face)
    if warnings:
        raise SystemExit(f"{picture_path}: {' '.join(warnings)}")
    folder = BUILT_IN_DIR / name
    folder.mkdir(parents=True, exist_ok=True)
    write_persona(folder, name, picture, face, ABOUT[name], ())
    try_out(folder)
    return folder


def main() -> None:
    source = Path(sys.argv[1])
    for name in ABOUT:
        print(build(name, source / f"{name}.png"))


if __name__ == "__main__":
    main()
