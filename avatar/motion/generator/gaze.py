"""Eyes that look at somebody or do not: a sampler of motion draws them in between, and wavers there."""

from __future__ import annotations

import math
from dataclasses import dataclass

LEAVE_DEG, RETURN_DEG = 5.5, 5.0
"""A look leaves the other person beyond the first and is back within the second; 5 degrees is about half the width of a face."""
ON_DEG = 2.5
"""Farther than this from the other's eyes nobody looks who looks at a face (``behaviour.gaze`` scans as far)."""
OFF_DEG = 6.5


@dataclass(frozen=True, slots=True)
class Gaze:
    """Where the eyes look after a frame.

    Attributes:
        yaw, pitch: as shown, degrees in the room; (0, 0) is the other person.
        mutual: at the other person.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    mutual: bool = True

    def next(self, yaw: float, pitch: float) -> Gaze:
        """The next frame, of which this direction is asked."""
        away = math.hypot(yaw, pitch)
        mutual = away <= (LEAVE_DEG if self.mutual else RETURN_DEG)
        shown = min(away, ON_DEG) if mutual else max(away, OFF_DEG)
        scale = shown / away if away else 0.0
        return Gaze(yaw * scale, pitch * scale, mutual)
