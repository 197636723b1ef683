"""Networks that tests of this folder share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from avatar.echomimic.networks import Networks


@pytest.fixture(scope="session")
def fixtures(shared: Path) -> Path:
    """Arrays made with the original code."""
    folder = shared / "echomimic"
    if not folder.is_dir():
        pytest.skip(f"no fixtures at {folder}")
    return folder


@pytest.fixture(scope="session")
def tiny() -> Networks:
    """The architecture at a ten-thousandth the size, with synthetic weights. Shared: do not change it."""
    pytest.importorskip("torch", reason="the gpu extra is not installed")
    from avatar.echomimic.config import TINY
    from avatar.echomimic.networks import synthetic_networks

    return synthetic_networks(TINY)
