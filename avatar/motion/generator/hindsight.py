"""A frame's mouth read again, once it is known how the frames after it were read.

Lips prepare a sound before it is heard (a rounded vowel by 100 ms and more), so the sound encoder, which looks 80 ms ahead, knows
least of a frame when it reads it. By the time a hop is drawn most of its frames are followed by others that were read; a linear map of
the readings about a frame, one for each number of them, says what the mouth was on its way to. It costs no delay: the last
frame of a hop is taken as it was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatar.motion.speech.mouth import COUNT

FUTURE_FRAMES = 4
"""Frames after it that count. On a voice of an engine never heard, the width's correlation is .65 with none, .71 with one, .74 with two, .75
with three, .76 with four: a hop has no more."""
PAST_FRAMES = 1


@dataclass(frozen=True, slots=True, eq=False)
class Hindsight:
    """Attributes:
    weights: by the number of frames known after it (0 .. FUTURE_FRAMES), of the frames from the one before on; what is not known yet
        has no weight. float32 [FUTURE_FRAMES + 1, PAST_FRAMES + 1 + FUTURE_FRAMES, COUNT, COUNT].
    bias: float32 [FUTURE_FRAMES + 1, COUNT].
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    @staticmethod
    def none() -> Hindsight:
        """Every frame is taken as it was read."""
        weights = np.zeros((FUTURE_FRAMES + 1, PAST_FRAMES + 1 + FUTURE_FRAMES, COUNT, COUNT), np.float32)
        weights[:, PAST_FRAMES] = np.eye(COUNT, dtype=np.float32)
        return Hindsight(weights, np.zeros((FUTURE_FRAMES + 1, COUNT), np.float32))

    @staticmethod
    def load(path: Path) -> Hindsight:
        """Raises:
        ValueError: the file holds something else.
        """
        none = Hindsight.none()
        with np.load(path, allow_pickle=False) as file:
            weights, bias = file["weights"].astype(np.float32), file["bias"].astype(np.float32)
        if weights.shape != none.weights.shape or bias.shape != none.bias.shape:
            raise ValueError(f"{path} holds weights {weights.shape}, expected {none.weights.shape}")
        return Hindsight(weights, bias)

    def save(self, path: Path) -> None:
        np.savez(path, weights=self.weights, bias=self.bias)

    def read(self, readings: Sequence[NDArray[np.float32]], at: int) -> NDArray[np.float32]:
        """The mouth of one frame.

        Args:
            readings: the encoder's mouths of frames in order, float32 [COUNT] each.
            at: which of them. Before the first, the mouth was as it is there.

        Returns:
            0..1, float32 [COUNT].
        """
        known = min(len(readings) - 1 - at, FUTURE_FRAMES)
        around = np.stack([readings[max(i, 0)] for i in range(at - PAST_FRAMES, at + known + 1)])
        weights = self.weights[known, : len(around)].reshape(-1, COUNT)
        mouth: NDArray[np.float32] = np.clip(around.reshape(-1) @ weights + self.bias[known], 0.0, 1.0)
        return mouth
