"""Nods of a listener. What is learned nods too seldom: a nod is rare and short, and a sampler's next draw forgets that one has begun."""

from __future__ import annotations

import random

from avatar.motion.behaviour.scene import FRAME_S

EVERY_S, SOONEST_S = 6.5, 1.5
"""Mean time from the end of one to the next, and the shortest: nine a minute (``behaviour.head``), less what is learned of them."""
STRENGTH = (0.35, 0.65)
"""Of the commanded nod: 1.8 to 3.3 degrees."""


class ListeningNods:
    """``step`` is called for every frame of listening.

    Args:
        seed: of when and how much.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._left_s = self._wait()

    def step(self) -> float | None:
        """The strength of a nod that begins with this frame, if one does."""
        self._left_s -= FRAME_S
        if self._left_s > 0:
            return None
        self._left_s = self._wait()
        return self._random.uniform(*STRENGTH)

    def _wait(self) -> float:
        return SOONEST_S + self._random.expovariate(1 / (EVERY_S - SOONEST_S))
