"""The seam to the processes that make beats: local processes by default, a cluster where one machine is not enough."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from avatar.motion.source import Gesture, Manner, Mode
from avatar.speech import SpeechChunk
from streaming.beat import Beat


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What a worker must draw.

    Attributes:
        persona: persona folder; None where the beats need none (a benchmark's). A conversation without a picture
            needs no worker: see ``SoundOutput``.
        renderer: "portrait" (further renderers register here).
        size: frame side in pixels.
        framing: "portrait" or "half-body".
        codec: "VP8" or "H264".
        mark: show the "AI-generated" mark, in ``language``, at ``mark_corner``.
        language: of the mark, BCP 47.
        mark_corner: "top-left", "top-right", "bottom-left" or "bottom-right".
        seed: of the behaviour (blinks, gaze, sway).
        bitrate_bps: first video target.
        motion: a kind of ``avatar.motion.sources``; the gateway chooses once, so that every worker moves alike.
        options: what only this renderer understands: texts, numbers and truth values by name.
    """

    persona: Path | None
    renderer: str = "portrait"
    size: int = 512
    framing: str = "portrait"
    codec: str = "VP8"
    mark: bool = True
    language: str = "en"
    mark_corner: str = "bottom-right"
    seed: int = 0
    bitrate_bps: int = 900_000
    motion: str = "auto"
    options: dict[str, Any] = field(default_factory=dict)


class AvatarWorker(Protocol):
    """One conversation's beat maker in another process. Commands never block; they are carried out in order."""

    def speak(self, utterance: int, chunk: SpeechChunk) -> None: ...

    def finish(self, utterance: int) -> None: ...

    def clear(self, epoch: int) -> None:
        """Drop unmade speech; beats made from now on carry ``epoch`` and begin with a keyframe."""

    def set_mode(self, mode: Mode) -> None: ...

    def set_manner(self, manner: Manner) -> None: ...

    def gesture(self, gesture: Gesture, strength: float) -> None: ...

    def request_keyframe(self) -> None: ...

    def set_bitrate(self, bitrate_bps: int) -> None: ...

    def grant(self, beats: int) -> None:
        """Allow that many more beats: the gateway's queue has room (credit-based flow control)."""

    def beats(self) -> AsyncIterator[Beat]:
        """Beats in order, until ``close``.

        Raises:
            WorkerLost: the process died.
        """

    async def close(self) -> None: ...


class WorkerPool(Protocol):
    async def start(self) -> None:
        """Load what would make the first conversation wait; ``acquire`` does it where this was not called."""

    async def acquire(self, spec: WorkerSpec) -> AvatarWorker:
        """A worker for one conversation.

        Raises:
            Busy: no capacity.
            WorkerLost: it died while starting; the message says why (a damaged persona, say).
        """

    async def close(self) -> None:
        """End every worker process."""
