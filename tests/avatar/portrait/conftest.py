"""The built-in personas, ready to be drawn: they need no MediaPipe."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from avatar.motion.motion import INDEX, Motion
from avatar.persona import BUILT_IN_DIR, PORTRAIT_FILE, RIG_FILE
from avatar.portrait.renderer import PortraitRenderer
from avatar.portrait.rig import Rig

Source = tuple[NDArray[np.uint8], Rig]
Shared = Callable[..., PortraitRenderer]


@pytest.fixture(scope="session")
def sources() -> dict[str, Source]:
    """Picture (BGR) and rig of every built-in persona."""
    found = {}
    for folder in sorted(path for path in BUILT_IN_DIR.iterdir() if (path / RIG_FILE).is_file()):
        picture = cv2.imread(str(folder / PORTRAIT_FILE), cv2.IMREAD_COLOR)
        assert picture is not None
        found[folder.name] = (np.asarray(picture, np.uint8), Rig.load(folder / RIG_FILE))
    return found


@pytest.fixture(scope="session")
def helen(sources: dict[str, Source]) -> Source:
    return sources["helen"]


@pytest.fixture(scope="session")
def shared_renderer(sources: dict[str, Source]) -> Shared:
    """A renderer by persona and size, made once: its pictures do not depend on what it drew before."""
    made: dict[tuple[str, int], PortraitRenderer] = {}

    def get(name: str, size: int = 256) -> PortraitRenderer:
        if (name, size) not in made:
            made[name, size] = PortraitRenderer(*sources[name], size=size)
        return made[name, size]

    return get


@pytest.fixture
def renderer(shared_renderer: Shared) -> PortraitRenderer:
    return shared_renderer("helen", 256)


def row(**channels: float) -> Motion:
    """One frame of motion; a name without its side means both sides."""
    motion = Motion.zeros(1)
    for name, value in channels.items():
        for full in (name,) if name in INDEX else (name + "Left", name + "Right"):
            motion.values[0, INDEX[full]] = value
    return motion


def draw(renderer: PortraitRenderer, **channels: float) -> NDArray[np.uint8]:
    """One frame."""
    (frame,) = renderer.render(row(**channels))
    return frame


GREEN = (0, 255, 0)


def green_pixels(frame: NDArray[np.uint8]) -> int:
    """Pixels that are clearly green: no portrait has one."""
    blue, green, red = (frame[..., i].astype(int) for i in range(3))
    return int((green - np.maximum(blue, red) > 60).sum())
