"""The seam behind which motion is made: a learned model, or rules."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from avatar.motion.motion import Motion
from avatar.speech import SpeechChunk


class Mode(StrEnum):
    """What the avatar does while it has nothing to say; speech overrides it."""

    IDLE = "idle"
    LISTENING = "listening"
    THINKING = "thinking"


class Gesture(StrEnum):
    """Commands that merge into whatever motion is running."""

    NOD = "nod"
    SHAKE = "shake"
    SMILE = "smile"
    WAVE = "wave"
    POINT = "point"


@dataclass(frozen=True, slots=True)
class Manner:
    """How everything is done.

    Attributes:
        mood: -1 grave .. 1 cheerful.
        gestures: how much the hands take part in speaking, 0 not at all .. 1 lively.

    Raises:
        ValueError: out of range.
    """

    mood: float = 0.0
    gestures: float = 0.5

    def __post_init__(self) -> None:
        if not -1.0 <= self.mood <= 1.0:
            raise ValueError(f"mood must be within -1..1, got {self.mood}")
        if not 0.0 <= self.gestures <= 1.0:
            raise ValueError(f"gestures must be within 0..1, got {self.gestures}")


class MotionSource(Protocol):
    """Makes ``Motion`` for one avatar, frame after frame, at 25 Hz.

    Speech is pushed as it becomes known; ``take`` hands out frames in playing order. One call of
    ``take(1, speaking=True)`` consumes exactly 40 ms (1920 samples) of the pushed speech; the last
    frame of an utterance may cover less. Deterministic: equal seeds and equal calls give equal frames.
    Not thread-safe; never blocks on I/O.
    """

    def push(self, chunk: SpeechChunk) -> None:
        """Append speech to the current utterance (a new one starts after ``finish`` or ``clear``)."""

    def finish(self) -> None:
        """No more speech comes for this utterance: what look-ahead held back may be made now."""

    def clear(self) -> None:
        """Forget speech not yet taken (interruption). The next frames ease out of speaking, no jump."""

    def ready(self) -> int:
        """How many speaking frames ``take`` can hand out now."""

    def take(self, frames: int, *, speaking: bool) -> Motion:
        """The next frames. ``speaking`` needs ``ready() >= frames``; otherwise behaviour of the mode.

        Raises:
            ValueError: more speaking frames asked for than are ready.
        """

    def set_mode(self, mode: Mode) -> None:
        """What to do between utterances; blends over a few frames."""

    def set_manner(self, manner: Manner) -> None:
        """How it is done from now on; blends over a second."""

    def gesture(self, gesture: Gesture, strength: float = 1.0) -> None:
        """Start a gesture now; strength 0..1."""
