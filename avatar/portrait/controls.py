"""One row of ``Motion`` as the portrait obeys it: named, finite, within what one picture can bear."""

from __future__ import annotations

import numpy as np

from avatar.motion.motion import BODY_CHANNELS, CHANNELS, FACE_CHANNELS, INDEX
from avatar.portrait.arrays import Floats

USED = len(FACE_CHANNELS) + len(BODY_CHANNELS)
"""A portrait has no hands: the hand channels, which are last, are not read."""

LIMITS = {
    # beyond these one picture shows what it never saw: the far ear, the crown, under the chin
    "headPitch": 14.0,
    "headYaw": 18.0,
    "headRoll": 14.0,
    "headX": 0.12,
    "headY": 0.12,
    "headZ": 0.15,
    "shoulderLeft": 1.0,
    "shoulderRight": 1.0,
}
_HIGH = np.array([LIMITS.get(name, 1.0) for name in CHANNELS[:USED]], np.float32)
_LOW = np.array([-LIMITS[name] if name in LIMITS else 0.0 for name in CHANNELS[:USED]], np.float32)

assert CHANNELS[:USED] == FACE_CHANNELS + BODY_CHANNELS


def clean(row: Floats) -> Floats:
    """Copy of the used channels of one row: NaN becomes 0, everything is clamped to its range."""
    used = row[:USED].astype(np.float32)
    used[np.isnan(used)] = 0
    return np.clip(used, _LOW, _HIGH, out=used)


def index(name: str) -> int:
    """Position of a channel in a cleaned row."""
    return INDEX[name]
