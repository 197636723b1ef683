"""The machine itself: processor, memory, the data folder, codecs, and what `parley avatar create` needs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import psutil

from server.config import Settings
from server.doctor.finding import Finding, Verdict

ROOMY_BYTES = 1_000_000_000
"""The server without visitors takes about a third of this with the engines that need no model."""


def examine(settings: Settings) -> Iterator[Finding]:
    yield _machine()
    yield _data_dir(settings)
    yield _codecs()


def _machine() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    free = psutil.virtual_memory().available
    version = ".".join(map(str, sys.version_info[:3]))
    found = f"Python {version}, {cores} core{'s' * (cores != 1)}, {free / 1e9:.1f} GB of memory free"
    if cores < 2:
        return Finding("machine", Verdict.NOTE, found, "With one core picture and hearing compete: use two or more.")
    if free < ROOMY_BYTES:
        return Finding("machine", Verdict.NOTE, found, "Under 1 GB is tight: close other programs.")
    return Finding("machine", Verdict.OK, found)


def _data_dir(settings: Settings) -> Finding:
    path = settings.data_dir
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        return Finding(
            "data",
            Verdict.PROBLEM,
            f"cannot write to {path}: {error.strerror}",
            "Set PARLEY_DATA_DIR to a folder in which you may write.",
        )
    return Finding("data", Verdict.OK, f"personas and models are kept in {path}")


def _codecs() -> Finding:
    import av

    needed = {"libvpx": "VP8 pictures", "libopus": "sound"}
    wished = {"libx264": "H.264 pictures and files", "aac": "sound in files"}  # a build without GPL code lacks x264
    lacks = f"PyAV {av.__version__} lacks "
    if missing := _missing(needed):
        cure = "Install PyAV from its wheel: pip install --force-reinstall --only-binary av av"
        return Finding("codecs", Verdict.PROBLEM, lacks + missing, cure)
    if missing := _missing(wished):
        return Finding("codecs", Verdict.NOTE, lacks + missing, "Conversations go on in VP8; `parley render` cannot.")
    return Finding("codecs", Verdict.OK, f"VP8, H.264, Opus and AAC are in PyAV {av.__version__}")


def _missing(codecs: dict[str, str]) -> str:
    import av

    return ", ".join(f"{name} ({what})" for name, what in codecs.items() if name not in av.codecs_available)


def persona_maker() -> Finding:
    """Whether a picture can become a persona here; never a problem, since talking needs none of it."""
    import numpy as np

    from avatar.errors import AvatarError
    from avatar.landmarks import find_faces

    try:
        find_faces(np.zeros((64, 64, 3), np.uint8))
    except AvatarError as error:
        return Finding("avatar create", Verdict.NOTE, str(error))
    return Finding("avatar create", Verdict.OK, "MediaPipe is here: pictures can become personas")
