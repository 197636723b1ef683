"""The settings of a renderer as the options that its workers are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from server.config import Settings


def weights_folder(settings: Settings) -> str:
    """Where EchoMimic's weights are, or "random"."""
    return settings.echomimic.weights or str(settings.data_dir / "models" / "echomimic")


def renderer_options(settings: Settings) -> dict[str, Any]:
    """Options of the renderer that ``avatar.renderer`` names; empty where it has none."""
    if settings.avatar.renderer != "echomimic":
        return {}
    from avatar.echomimic.options import Options

    section = settings.echomimic
    given = section.model_dump() | {
        "weights": weights_folder(settings),
        "cache": str(settings.data_dir / "cache" / "echomimic"),
        "poses": _path(section.poses),
        "idle_poses": _path(section.idle_poses),
    }
    return Options.from_dict(given).to_dict()


def _path(path: Path | None) -> str:
    return "" if path is None else str(path.absolute())
