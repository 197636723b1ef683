"""The seam between a conversation and what carries its sound and picture out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from avatar.motion.source import Gesture, Manner, Mode
from avatar.speech import SpeechChunk


@dataclass(frozen=True, slots=True)
class Played:
    """Sound of an utterance has left the server.

    Attributes:
        utterance: which one.
        position: samples at 48 kHz of the utterance that have been released in all.
        pcm48k: the samples released now, int16 little-endian (empty in a picture-only beat).
        last: the utterance is over.
    """

    utterance: int
    position: int
    pcm48k: bytes
    last: bool


class Output(Protocol):
    """Plays utterances one after another and behaves in between. All calls are made in the event loop
    and return at once; ``on_played`` is called there for every released stretch of speech.

    Attributes:
        on_played: set by the owner before ``start``.
        on_failed: called with an exception when output is lost for good (the peer went away, or a worker
            could not be replaced).
    """

    on_played: Callable[[Played], None]
    on_failed: Callable[[Exception], None]

    async def start(self) -> None:
        """Acquire what is needed and begin with idle beats."""

    def speak(self, utterance: int, chunk: SpeechChunk) -> None:
        """Queue speech. ``utterance`` counts up from 1; a higher one begins when the one before is over."""

    def finish(self, utterance: int) -> None:
        """The utterance is complete."""

    def stop(self) -> int:
        """Drop all sound not yet released, at once. Returns the released position (48 kHz samples) of the
        utterance that was playing, 0 if none. ``on_played`` is not called for dropped speech again."""

    def duck(self, gain_db: float) -> None:
        """Change the loudness of what is released from now on, over 20 ms. 0 dB is full."""

    def set_mode(self, mode: Mode) -> None: ...

    def set_manner(self, manner: Manner) -> None: ...

    def gesture(self, gesture: Gesture, strength: float) -> None: ...

    async def close(self) -> None: ...
