"""A transcriber that knows beforehand what will be said: for benchmarks and tests of everything around it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from streaming.errors import TranscriptionFailed
from streaming.hearing.segment import RATE_HZ, check_sound
from streaming.hearing.transcriber import Transcript, TranscriptionStream


class ScriptedTranscriber:
    """Gives each segment the next of ``texts``; the last one again when they are used up.

    Args:
        texts: what the user will turn out to have said, segment by segment, in the order they are transcribed.
        delay_s: how long every ``transcribe`` takes.
    """

    name = "scripted"
    languages: tuple[str, ...] = ()
    believed_when_brief = True

    def __init__(self, texts: Iterable[str], *, delay_s: float = 0.0) -> None:
        self._texts: Iterator[str] = iter(texts)
        self._last = ""
        self.delay_s = delay_s

    def open(
        self, *, language: str | None = None, on_partial: Callable[[str], None] | None = None
    ) -> TranscriptionStream:
        return _ScriptedStream(self, language or "en")

    async def warm_up(self) -> None: ...

    async def close(self) -> None: ...

    def next_text(self) -> str:
        self._last = next(self._texts, self._last)
        return self._last


class _ScriptedStream(TranscriptionStream):
    def __init__(self, script: ScriptedTranscriber, language: str) -> None:
        self._script = script
        self._language = language
        self._samples = 0
        self._text: str | None = None
        self._closed = asyncio.Event()

    def feed(self, pcm16k: NDArray[np.int16]) -> None:
        check_sound(pcm16k)
        self._samples += len(pcm16k)

    async def transcribe(self) -> Transcript:
        covered = self._samples
        if self._script.delay_s and not self._closed.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), self._script.delay_s)
        if self._closed.is_set():
            raise TranscriptionFailed("Speech could not be transcribed: its segment was closed.")
        if not covered:
            return Transcript("", self._language, 0.0)
        if self._text is None:
            self._text = self._script.next_text()
        return Transcript(self._text, self._language, 1000 * covered / RATE_HZ)

    async def close(self) -> None:
        self._closed.set()
