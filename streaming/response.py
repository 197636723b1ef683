"""One answer in the making: text deltas become speech, and what was heard of it stays known.

A response may begin *held*: made ahead of the end of the user's turn, from a transcript that may still change. A held
response is silent and unseen; ``release`` lets it out, ``cancel`` leaves no trace of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum

from avatar.speech import SPEECH_RATE_HZ
from llm_bridge.errors import BridgeError
from streaming.errors import StreamingError
from streaming.events import Caption
from streaming.output import Output
from streaming.speaking.pipeline import CaptionWord, SpokenPiece

logger = logging.getLogger(__name__)

QUEUED_MS = 8000.0
"""Sound handed to the output ahead of its playing: an interruption wastes no more than this, a slow voice has this long."""


class ResponseState(Enum):
    HELD = "held"
    MAKING = "making"
    MADE = "made"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class Marks:
    """Moments of a turn, in the event loop's seconds; None until they happen."""

    voice_end: float | None = None
    turn_end: float | None = None
    transcript: float | None = None
    first_delta: float | None = None
    first_sound: float | None = None
    first_beat: float | None = None

    def stages_ms(self) -> dict[str, float]:
        """Time between successive marks; what happened speculatively before its turn counts 0.

        Stages: "endpointing" (last voice to end of turn), "transcription", "thinking" (to the first text),
        "synthesis" (to the first sound of the first clause), "rendering" (to the first beat on the wire).
        """
        marks = (self.voice_end, self.turn_end, self.transcript, self.first_delta, self.first_sound, self.first_beat)
        names = ("endpointing", "transcription", "thinking", "synthesis", "rendering")
        stages: dict[str, float] = {}
        at = marks[0]
        for name, mark in zip(names, marks[1:], strict=True):
            if mark is None:
                continue
            if at is None:  # a typed turn begins with its end
                at = mark
                continue
            stages[name] = round(max(0.0, mark - at) * 1000, 1)
            at = max(at, mark)
        return stages


@dataclass(slots=True)
class Track:
    """The words of an utterance and when each is heard."""

    words: list[CaptionWord] = field(default_factory=list)
    sound_ms: float = 0.0
    shown: int = 0

    @property
    def text(self) -> str:
        """All that was handed to the output."""
        return "".join(word.text for word in self.words).rstrip()

    def due(self, position_ms: float, *, everything: bool = False) -> list[CaptionWord]:
        """Words not yet shown that have begun by ``position_ms``."""
        begin = self.shown
        while self.shown < len(self.words) and (everything or self.words[self.shown].start_ms <= position_ms):
            self.shown += 1
        return self.words[begin : self.shown]

    def heard(self, position_ms: float) -> str:
        """The text whose words were at least half over at ``position_ms``."""
        heard = [word.text for word in self.words if (word.start_ms + word.end_ms) / 2 <= position_ms]
        return "".join(heard).rstrip()


class Response:
    """Makes one answer.

    Args:
        response_id, item_id: the Realtime protocol's ids.
        utterance: the number under which its sound is played, 0 until it is known.
        output: where its sound goes; None for a text answer.
        held: begin silent and unseen.
        on_delta, on_made, on_failed: called in the event loop, only once released. ``on_made`` comes when all
            text and sound exist, ahead of the end of playing.

    Attributes:
        waiting: for ``ready``.
        item_told: its item was put into the conversation.
        kept: what memory keeps of it where that was decided before it was made; None for all of it.
    """

    def __init__(
        self,
        *,
        response_id: str,
        item_id: str,
        utterance: int,
        output: Output | None,
        held: bool,
        marks: Marks,
        on_delta: Callable[[Response, str], None],
        on_made: Callable[[Response], None],
        on_failed: Callable[[Response, Exception], None],
    ) -> None:
        self.response_id = response_id
        self.item_id = item_id
        self.utterance = utterance
        self.state = ResponseState.HELD if held else ResponseState.MAKING
        self.text = ""
        self.track = Track()
        self.marks = marks
        self.played_ms = 0.0
        self.playing = False
        self.played_out = False
        self.waiting = False
        self.item_told = False
        self.kept: str | None = None
        self._output = output
        self._on_delta, self._on_made, self._on_failed = on_delta, on_made, on_failed
        self.truncated = False
        self._unsent = ""
        self._gate = asyncio.Event()
        self._progress = asyncio.Event()
        if not held:
            self._gate.set()
        self._task: asyncio.Task[None] | None = None

    @property
    def active(self) -> bool:
        """Still being made."""
        return self.state in (ResponseState.HELD, ResponseState.MAKING)

    @property
    def speaks(self) -> bool:
        """It is an answer in sound."""
        return self._output is not None

    @property
    def audible(self) -> bool:
        """Has sound that is not played out."""
        return self.track.sound_ms > 0 and not self.played_out

    def begin(
        self,
        deltas: Callable[[], AsyncIterator[str]],
        speak: Callable[[AsyncIterator[str]], AsyncIterator[SpokenPiece]],
        *,
        ready: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Start making it.

        Args:
            deltas: asks the model.
            speak: turns the model's deltas into sound.
            ready: awaited before the model is asked.
        """
        self.waiting = ready is not None
        told = self._told(deltas, ready)
        self._task = asyncio.create_task(self._run(told, speak), name=f"response {self.response_id}")

    def release(self) -> None:
        """Let a held response out; what was made so far is told at once."""
        if self.state is ResponseState.HELD:
            self.state = ResponseState.MAKING
            if self._unsent:
                unsent, self._unsent = self._unsent, ""
                self._on_delta(self, unsent)
        self._gate.set()

    def hold_sound(self) -> None:
        """Keep further sound back (the user is speaking, and nothing was heard yet) until ``release``."""
        self._gate.clear()

    def cancel(self) -> None:
        """Stop making it. Sound already handed to the output is the owner's to drop."""
        if self.active:
            self.state = ResponseState.CANCELLED
        if self._task is not None:
            self._task.cancel()

    async def closed(self) -> None:
        """Returns when nothing of it runs any more."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def played(self, position: int, *, last: bool) -> list[Caption]:
        """The output released sound up to ``position`` (48 kHz samples); captions that are due."""
        self.played_ms = position * 1000 / SPEECH_RATE_HZ
        self._progress.set()
        everything = last and not self.active
        self.played_out = self.played_out or last
        return [
            Caption(self.response_id, self.item_id, word.text, word.start_ms, word.end_ms)
            for word in self.track.due(self.played_ms, everything=everything)
        ]

    async def _run(
        self, told: AsyncIterator[str], speak: Callable[[AsyncIterator[str]], AsyncIterator[SpokenPiece]]
    ) -> None:
        try:
            if self._output is None:
                async with _closing(told):
                    async for _ in told:
                        pass
                await self._gate.wait()
            else:
                await self._speak(self._output, speak(told))
        except (BridgeError, StreamingError) as error:
            await self._fail(error)
        except Exception:
            logger.exception("response %s broke", self.response_id)
            message = "Something went wrong inside the server while it answered; its log says what."
            await self._fail(StreamingError(message, code="server_error", retryable=True))
        else:
            self._finish_sound()
            self.state = ResponseState.MADE
            self._on_made(self)

    async def _fail(self, error: Exception) -> None:
        await self._gate.wait()
        self._finish_sound()
        self.state = ResponseState.FAILED
        self._on_failed(self, error)

    async def _speak(self, output: Output, pieces: AsyncIterator[SpokenPiece]) -> None:
        async with _closing(pieces):
            async for piece in pieces:
                if self.marks.first_sound is None:
                    self.marks.first_sound = asyncio.get_running_loop().time()
                await self._gate.wait()
                await self._room()
                self.track.words.extend(piece.captions)
                self.track.sound_ms += piece.chunk.duration_ms
                if len(piece.chunk.pcm48k):  # what has no sound at all must not begin an utterance
                    output.speak(self.utterance, piece.chunk)

    async def _room(self) -> None:
        """Wait until what is queued for playing is short enough."""
        while self.track.sound_ms - self.played_ms > QUEUED_MS:
            self._progress.clear()
            await self._progress.wait()

    def _finish_sound(self) -> None:
        if self._output is not None and self.track.sound_ms > 0:
            self._output.finish(self.utterance)

    async def _told(
        self, deltas: Callable[[], AsyncIterator[str]], ready: Callable[[], Awaitable[None]] | None
    ) -> AsyncIterator[str]:
        if ready is not None:
            await ready()
            self.marks.transcript = asyncio.get_running_loop().time()
        self.waiting = False
        stream = deltas()
        async with _closing(stream):
            async for delta in stream:
                self._take(delta)
                yield delta
            self.truncated = getattr(stream, "truncated", False)

    def _take(self, delta: str) -> None:
        if self.marks.first_delta is None:
            self.marks.first_delta = asyncio.get_running_loop().time()
        self.text += delta
        if self.state is ResponseState.HELD:
            self._unsent += delta
        else:
            self._on_delta(self, delta)


@asynccontextmanager
async def _closing(iterator: AsyncIterator[object]) -> AsyncIterator[None]:
    """Close a stream at once where it was left unfinished, not when it is collected."""
    try:
        yield
    finally:
        close = getattr(iterator, "aclose", None)
        if close is not None:
            await close()
