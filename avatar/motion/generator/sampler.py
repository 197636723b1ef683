"""The student at run time: all four steps in one run of one network.

The network (``student.onnx``, made by ``avatar.motion.training.export``) takes, in normalised units, ``prefix`` [1, PLAYED_FRAMES, D] (the last frames
played; all but the last PREFIX_FRAMES of them are only averaged), ``condition`` [1, PREFIX_FRAMES + frames, C] and ``noise`` [1, frames, D] of unit variance; it
gives ``state`` [1, frames, D], normalised. A frame that is drawn again with the noise it had before changes little.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avatar.motion.generator.network import Network
from avatar.motion.generator.state import Normalisation

INPUTS = {"prefix", "condition", "noise"}
OUTPUTS = {"state"}

PREFIX_FRAMES = 12
"""What was just played, 480 ms, enough to go on from any movement."""
HISTORY_BLOCKS, HISTORY_FRAMES = 4, 24
"""Before it, means over 0.96 s each: whether it has just blinked, looked away, gestured."""
PLAYED_FRAMES = HISTORY_BLOCKS * HISTORY_FRAMES + PREFIX_FRAMES
"""What the student is given of what was played, 4.3 s. Before the first frame, that frame stands for it."""
FEWEST_FRAMES, MOST_FRAMES = 2, 12
"""How many frames it was trained to draw at once."""

_FARTHEST = 6.0
"""Standard deviations: nothing in the training data is beyond, and no draw may be."""


class Sampler:
    """Draws what comes after what was played. Holds no state; the same arguments give the same frames.

    Args:
        network: see the module.
        normalisation: of state and condition, from the training data.
    """

    def __init__(self, network: Network, normalisation: Normalisation) -> None:
        self._network = network
        self._normalisation = normalisation

    def draw(
        self, prefix: NDArray[np.float32], condition: NDArray[np.float32], noise: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Args:
            prefix: the last played states, physical units, oldest first, [PLAYED_FRAMES, D].
            condition: of the last PREFIX_FRAMES of those and of the frames to draw, physical units, [PREFIX_FRAMES + frames, C].
            noise: standard normal, [frames, D].

        Returns:
            States in physical units, float32 [frames, D].
        """
        normal = self._normalisation
        given = self._network.run(
            {
                "prefix": normal.state(prefix)[None].astype(np.float32, copy=False),
                "condition": normal.condition(condition)[None].astype(np.float32, copy=False),
                "noise": noise[None].astype(np.float32, copy=False),
            }
        )
        return normal.physical(np.clip(given["state"][0], -_FARTHEST, _FARTHEST))
