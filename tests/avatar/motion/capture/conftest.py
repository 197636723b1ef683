"""Videos made here: a built-in persona that moves in a known way."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from avatar.errors import ToolMissing
from avatar.landmarks import load_solution
from avatar.motion.motion import Motion
from avatar.persona import BUILT_IN_DIR
from avatar.renderers import open_renderer

WriteVideo = Callable[..., Path]


@pytest.fixture(scope="session")
def mediapipe() -> None:
    try:
        load_solution("face_mesh")
    except ToolMissing as error:
        pytest.skip(f"reading motion: {error}")


def encode(path: Path, frames: list[np.ndarray], rate: int = 25, start: int = 0) -> Path:
    """BGR frames to an H.264 file."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "crf": "12"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for i, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="bgr24")
            picture.pts, picture.time_base = start + i, Fraction(1, rate)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def drawn(motion: Motion, persona: str = "helen", size: int = 512) -> list[np.ndarray]:
    renderer = open_renderer(BUILT_IN_DIR / persona, size=size)
    return [renderer.render(Motion(row[None]))[0].copy() for row in motion.values]


@pytest.fixture
def portrait() -> np.ndarray:
    picture = cv2.imread(str(BUILT_IN_DIR / "helen" / "portrait.png"))
    assert picture is not None
    return np.asarray(cv2.resize(picture, (512, 512), interpolation=cv2.INTER_AREA), np.uint8)
