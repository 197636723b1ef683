"""The processes that a test itself has started."""

from __future__ import annotations

import psutil


def children() -> list[psutil.Process]:
    """This process's children, without the one that Python itself keeps once anything has used `multiprocessing`."""
    return [child for child in psutil.Process().children() if not _is_resource_tracker(child)]


def _is_resource_tracker(process: psutil.Process) -> bool:
    try:
        return "multiprocessing.resource_tracker" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False
