"""Where the mouth's plan jumps, the jump is carried as an offset that dies out over a few frames.

"Inertialization", Bollo, GDC 2018: speech begins, is interrupted, or turns out otherwise than assumed at a seam, and the mouth never
jumps; contacts are enforced after it, so lips still seal.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from avatar.motion.speech.mouth import COUNT

_ONSET_EASE, _RELEASE_EASE = 0.45, 0.7
"""What is left of a jump after each frame. Into speech: 90 % gone in three frames (120 ms, JALI's ramp in).
Out of it: 90 % gone in six to seven, because an interrupted mouth shuts more slowly than a speaking one moves."""

REST = np.zeros(COUNT, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class EasedMouth:
    """The mouth at one frame, on its way.

    Attributes:
        mouth: eased, before contacts are enforced, float32 [COUNT].
    """

    mouth: NDArray[np.float32] = field(default_factory=REST.copy)
    _offset: NDArray[np.float32] = field(default_factory=REST.copy)
    _speaking: bool = False
    _timed: bool = False

    def next(self, target: NDArray[np.float32] | None, *, timed: bool = False) -> EasedMouth:
        """The frame after this one.

        Args:
            target: the planned mouth; None at rest.
            timed: it comes from phoneme times, not from the sound.
        """
        speaking = target is not None
        goal = REST if target is None else target
        offset = self._offset
        if (speaking, timed) != (self._speaking, self._timed):  # speech begins, ends, or changes its kind
            offset = self.mouth - goal
        offset = offset * np.float32(_ONSET_EASE if speaking else _RELEASE_EASE)
        return EasedMouth(goal + offset, offset, speaking, timed)

    def replanned(self, by: NDArray[np.float32]) -> EasedMouth:
        """The same frame, where the plan of the next one was changed by ``by``."""
        return EasedMouth(self.mouth, self._offset + by, self._speaking, self._timed) if self._speaking else self
