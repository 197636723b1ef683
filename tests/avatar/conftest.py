"""What several tests of this room start from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avatar.errors import ToolMissing
from avatar.landmarks import Landmarks, find_faces
from avatar.persona import BUILT_IN_DIR, Persona
from avatar.portrait.rig import Rig


@pytest.fixture(scope="session")
def helen() -> Persona:
    return Persona.load(BUILT_IN_DIR / "helen")


@pytest.fixture(scope="session")
def helen_face(helen: Persona) -> Landmarks:
    """A level face that looks into the camera, without asking MediaPipe."""
    return Landmarks(Rig.load(helen.rig_path).points)


@pytest.fixture(scope="session")
def mediapipe() -> None:
    try:
        find_faces(np.zeros((64, 64, 3), np.uint8))
    except ToolMissing as error:
        pytest.skip(f"finding faces: {error}")


@pytest.fixture
def portrait_file(helen: Persona) -> Path:
    return helen.portrait_path
