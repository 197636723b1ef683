"""What an engine does inside a helper process: one user's speech, decoded in slices.

The helper's scheduler (``helper_main``) holds many of these and gives each a slice of work in turn, so that one
long speech cannot keep another user waiting.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000


def check_sound(pcm16k: NDArray[np.int16]) -> None:
    """Raises ValueError unless this is one-dimensional int16."""
    if pcm16k.dtype != np.int16 or pcm16k.ndim != 1:
        raise ValueError(f"sound must be one-dimensional int16, not {pcm16k.dtype} of shape {pcm16k.shape}")


def joined(texts: Iterable[str]) -> str:
    """The text of a speech from the texts of its pieces."""
    return " ".join(text for text in texts if text)


@dataclass(frozen=True, slots=True)
class Heard:
    """Attributes:
    text: of everything fed so far; "" when nothing was understood.
    language: BCP 47 tag.
    samples: how much of the sound the text covers.
    """

    text: str
    language: str
    samples: int


class Segment(Protocol):
    def feed(self, pcm16k: NDArray[np.int16]) -> None:
        """Append sound; cheap."""

    def work(self, *, urgent: bool) -> bool:
        """Decode one bounded slice of what was fed.

        Args:
            urgent: somebody waits for the text: do not hold sound back to know it better.

        Returns:
            True when there is more to do at once.
        """

    def finish(self) -> Heard:
        """The text of everything fed. More sound may be fed afterwards."""

    def settled(self) -> str:
        """The beginning of the text that later sound will not change."""

    def close(self) -> None: ...


class Engine(Protocol):
    def load(self) -> None:
        """Load what takes long. An error's text is shown to the operator."""

    def open(self, language: str | None) -> Segment: ...
