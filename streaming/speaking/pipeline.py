"""From the model's text deltas to sound with captions: cut, made speakable, spoken, while earlier sound plays."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from avatar.speech import SPEECH_RATE_HZ, SpeechChunk
from llm_bridge.languages import language_of, primary
from llm_bridge.mapped_text import MappedText
from llm_bridge.sentences import Piece, SentenceCutter
from llm_bridge.speakable import speakable
from streaming.speaking.captions import LETTER_MS, CaptionWord, SentenceCaptions
from streaming.speaking.synthesizer import Synthesizer

AHEAD_SENTENCES = 2
AHEAD_MS = 10_000
"""How far synthesis runs ahead of what the consumer has taken: enough that the next sentence is ready when
this one ends, little enough that an interruption wastes little of a paid voice."""

_NO_SOUND = np.zeros(0, np.int16)

__all__ = ["CaptionWord", "SpokenPiece", "speak_deltas"]


@dataclass(frozen=True, slots=True)
class SpokenPiece:
    """A stretch of the answer's sound, in order.

    Attributes:
        chunk: the sound; no samples at all where only captions are left (an emoji at the answer's end, the
            last words of a voice that gives no word timings).
        captions: the words that begin in it (or that the voice reported with it); joined over the answer,
            their texts are the answer's text exactly.
        text: the answer's own text of the sentence that begins with this chunk; "" within a sentence.
    """

    chunk: SpeechChunk
    captions: tuple[CaptionWord, ...]
    text: str = ""


async def speak_deltas(
    deltas: AsyncIterator[str],
    synthesizer: Synthesizer,
    *,
    language: str,
    voice: str | None = None,
    speed: float = 1.0,
) -> AsyncIterator[SpokenPiece]:
    """Speak a growing text.

    Deltas are read as fast as they come; synthesis runs ahead of the consumer by at most two sentences or ten
    seconds. Closing the iterator (``contextlib.aclosing``) closes ``deltas`` and the voice at once and returns
    when they are closed.

    Args:
        language: BCP 47, for text whose script does not tell.

    Raises:
        whatever ``deltas`` raises, after everything that came before it was spoken (a model that broke off);
        SynthesisFailed: after what was spoken before.
    """
    pipeline = _Pipeline(synthesizer, language, voice, speed)
    workers = [asyncio.create_task(pipeline.cut(deltas)), asyncio.create_task(pipeline.speak())]
    try:
        while (spoken := await pipeline.next()) is not None:
            yield spoken
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        await _close(deltas)


class _Pipeline:
    """Two tasks and what lies between them. ``cut`` fills ``_pieces``, ``speak`` empties them into ``_spoken``."""

    def __init__(self, synthesizer: Synthesizer, language: str, voice: str | None, speed: float) -> None:
        self._synthesizer = synthesizer
        self._language = language
        self._voice = voice
        self._speed = speed
        self._changed = asyncio.Condition()
        self._pieces: deque[Piece] = deque()
        self._cut_over = False
        self._cut_error: BaseException | None = None
        self._spoken: deque[SpokenPiece] = deque()
        self._spoken_over = False
        self._spoken_error: BaseException | None = None
        self._samples = 0
        self._carried = ""
        self._letter_ms = LETTER_MS / speed

    async def cut(self, deltas: AsyncIterator[str]) -> None:
        cutter = SentenceCutter()
        try:
            async for delta in deltas:
                await self._add_pieces(cutter.feed(delta))
        except Exception as error:
            self._cut_error = error
        async with self._changed:
            self._pieces.extend(cutter.finish())
            self._cut_over = True
            self._changed.notify_all()

    async def speak(self) -> None:
        try:
            while (piece := await self._next_piece()) is not None:
                await self._speak_piece(piece)
            if self._carried:
                now_ms = self._now_ms
                silent = SpeechChunk(_NO_SOUND, self._language)
                await self._put(SpokenPiece(silent, (CaptionWord(self._carried, now_ms, now_ms),), self._carried))
            self._spoken_error = self._cut_error
        except Exception as error:
            self._spoken_error = error
        async with self._changed:
            self._spoken_over = True
            self._changed.notify_all()

    async def next(self) -> SpokenPiece | None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._spoken or self._spoken_over)
            if self._spoken:
                self._changed.notify_all()
                return self._spoken.popleft()
        if self._spoken_error is not None:
            raise self._spoken_error
        return None

    async def _add_pieces(self, pieces: list[Piece]) -> None:
        if pieces:
            async with self._changed:
                self._pieces.extend(pieces)
                self._changed.notify_all()

    async def _next_piece(self) -> Piece | None:
        """The next piece, when the consumer has room for it."""
        async with self._changed:
            await self._changed.wait_for(lambda: (self._pieces or self._cut_over) and self._has_room())
            return self._pieces.popleft() if self._pieces else None

    def _has_room(self) -> bool:
        sentences = sum(1 for spoken in self._spoken if spoken.text)
        return sentences < AHEAD_SENTENCES and self._queued_ms() < AHEAD_MS

    def _queued_ms(self) -> float:
        return sum(spoken.chunk.duration_ms for spoken in self._spoken)

    async def _put(self, spoken: SpokenPiece) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._queued_ms() < AHEAD_MS)
            self._spoken.append(spoken)
            self._changed.notify_all()

    @property
    def _now_ms(self) -> float:
        return self._samples * 1000 / SPEECH_RATE_HZ

    async def _speak_piece(self, piece: Piece) -> None:
        language = language_of(piece.text, self._language)
        spoken = _with_last_mark(speakable(piece.text, language), piece, language)
        if not spoken.text:
            self._carried += piece.text
            return
        begin_ms = self._now_ms
        captions = SentenceCaptions(piece.text, spoken, begin_ms, self._carried, self._letter_ms)
        text = self._carried + piece.text
        untimed = False
        sound = self._synthesizer.speak(spoken.text, language=language, voice=self._voice, speed=self._speed)
        try:
            async for chunk in sound:
                if not len(chunk.speech.pcm48k):
                    continue
                self._samples += len(chunk.speech.pcm48k)
                sound_ms = self._now_ms - begin_ms
                untimed = untimed or (chunk.speech.phonemes is None and not chunk.words)
                heard = captions.guessed(sound_ms) if untimed else captions.timed(chunk.words)
                await self._put(SpokenPiece(chunk.speech, heard, text))
                text = ""
        finally:
            await _close(sound)
        if untimed:
            sound_ms = self._now_ms - begin_ms
            self._letter_ms = captions.letter_ms_heard(sound_ms)
            words = captions.finish(sound_ms)
            if words:
                await self._put(SpokenPiece(SpeechChunk(_NO_SOUND, language), words))
        self._carried = captions.rest


def _with_last_mark(spoken: MappedText, piece: Piece, language: str) -> MappedText:
    """A voice lets its melody fall or hang by the last mark: give one to list items and to clauses without."""
    if not spoken.text or not spoken.text[-1].isalnum():
        return spoken
    marks = "。，" if primary(language) in ("cmn", "yue", "ja") else ".,"
    mark = marks[0] if piece.complete else marks[1]
    return MappedText(spoken.text + mark, (*spoken.sources, spoken.sources[-1]))


async def _close(iterator: AsyncIterator[Any]) -> None:
    close = getattr(iterator, "aclose", None)
    if close is not None:
        with suppress(Exception):
            await close()
