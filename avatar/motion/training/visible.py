"""What a viewer sees of a mouth, differentiable: the torch side of ``mouth.measures``.

Weights are read off the numpy functions at half amplitude, where nothing is clipped, so the two cannot diverge.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from avatar.motion.speech.mouth import COUNT, SEAL, measures, to_channels

MEASURES = ("opening", "width", "rounding")

_PROBE = 0.5


def _probe(seal: float) -> Tensor:
    """What one unit of each parameter adds to each measure at that seal, [COUNT, measures]."""
    mouth = np.eye(COUNT, dtype=np.float32) * _PROBE
    mouth[:, SEAL] = seal
    shown = measures(to_channels(mouth))
    return torch.from_numpy(np.stack([shown[name] for name in MEASURES], axis=1) / _PROBE)


_OPEN, _SEALED = _probe(0.0), _probe(1.0)


def visible(mouth: Tensor) -> Tensor:
    """Args:
        mouth: parameters about 0..1, [..., COUNT].

    Returns:
        opening, width and rounding, [..., 3]; equal to ``measures(to_channels(mouth))`` where no channel is clipped.
    """
    seal = mouth[..., SEAL : SEAL + 1]
    return (mouth @ _OPEN) * (1.0 - seal) + (mouth @ _SEALED) * seal
