"""The seam behind which speech becomes text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Transcript:
    """Text of what was fed so far.

    Attributes:
        text: punctuation only where the engine knows it; ``""`` when nothing was understood.
        language: BCP 47 tag, as detected or as asked for.
        duration_ms: of the sound this text covers.
    """

    text: str
    language: str
    duration_ms: float


class TranscriptionStream(Protocol):
    """One segment of a user's speech, from its first sound to the end of the turn.

    ``feed`` never blocks. ``transcribe`` may be awaited several times: speculatively at the first
    short silence, and again when the voice went on; each call covers all that was fed before it.
    Cancelling ``transcribe`` leaves the stream usable. ``close`` frees the engine; it may be called twice.
    """

    def feed(self, pcm16k: NDArray[np.int16]) -> None:
        """Append mono int16 samples at 16 kHz, any length."""

    async def transcribe(self) -> Transcript:
        """The transcript of everything fed so far.

        Raises:
            TranscriptionFailed: the engine or the endpoint failed; says which and why.
        """

    async def close(self) -> None: ...


class Transcriber(Protocol):
    """An engine, shared by all conversations.

    Attributes:
        name: as shown by ``parley doctor`` ("pocketsphinx", "faster-whisper small").
        languages: BCP 47 tags it understands; empty means many.
        believed_when_brief: whether its words for half a second of sound can be believed.
    """

    name: str
    languages: tuple[str, ...]
    believed_when_brief: bool

    def open(
        self, *, language: str | None = None, on_partial: Callable[[str], None] | None = None
    ) -> TranscriptionStream:
        """Begin a segment. ``on_partial`` gets growing text that will not be taken back, in the event loop."""

    async def warm_up(self) -> None:
        """Load what takes long, before the first visitor speaks."""

    async def close(self) -> None:
        """End helper processes and threads."""
