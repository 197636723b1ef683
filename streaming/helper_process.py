"""What helper processes (``python -m streaming...``) of this room have in common."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE_ROOT = str(Path(__file__).resolve().parents[1])


def helper_environment(**more: str) -> dict[str, str]:
    """This process's environment and ``more``; the helper finds this package wherever the program was started from."""
    path = os.pathsep.join(filter(None, (_PACKAGE_ROOT, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, **more}
