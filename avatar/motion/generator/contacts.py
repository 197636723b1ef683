"""From the sound encoder's contact probabilities to contacts: hysteresis, so that a closure neither flickers nor is missed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Threshold:
    """Attributes:
    on: a contact begins where its probability rises to this.
    off: and lasts while it stays at least at this.
    """

    on: float
    off: float

    def __post_init__(self) -> None:
        if not 0.0 < self.off <= self.on < 1.0:
            raise ValueError(f"thresholds must satisfy 0 < off <= on < 1, got on {self.on}, off {self.off}")


def decide(
    probability: NDArray[np.float32], threshold: Threshold, held: bool = False
) -> tuple[NDArray[np.bool_], bool]:
    """Contacts of some frames in order.

    Args:
        probability: [frames].
        held: whether the frame before was in contact.

    Returns:
        bool [frames], and whether the last of them is in contact.
    """
    contact = probability >= threshold.on
    for frame in range(len(contact)):
        held = bool(contact[frame]) or (held and bool(probability[frame] >= threshold.off))
        contact[frame] = held
    return contact, held
