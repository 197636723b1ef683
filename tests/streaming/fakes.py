"""Engines that do what the test says, on the loop's own clock."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from avatar.motion.source import Gesture, Manner, Mode
from avatar.speech import SPEECH_RATE_HZ, SpeechChunk
from llm_bridge.chat import ChatOptions, Message
from streaming.errors import SynthesisFailed, TranscriptionFailed
from streaming.hearing.transcriber import Transcript
from streaming.output import Played
from streaming.speaking.synthesizer import SpokenChunk, Word

WORD_MS = 300
"""Every word of the fake voice lasts this long."""


class LoudnessActivity:
    """Sound that is not silence is voice."""

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.int16)

    def feed(self, pcm16k: NDArray[np.int16]) -> list[float]:
        sound = np.concatenate([self._rest, pcm16k])
        windows, self._rest = np.split(sound, [len(sound) // 512 * 512])
        return [0.9 if np.abs(window).max() > 100 else 0.02 for window in windows.reshape(-1, 512)]

    def reset(self) -> None:
        self._rest = np.zeros(0, np.int16)


class FakeStream:
    def __init__(self, owner: FakeTranscriber, on_partial: Callable[[str], None] | None) -> None:
        self.owner, self.on_partial = owner, on_partial
        self.samples = 0
        self.closed = False

    def feed(self, pcm16k: NDArray[np.int16]) -> None:
        assert not self.closed
        self.samples += len(pcm16k)

    async def transcribe(self) -> Transcript:
        await asyncio.sleep(self.owner.delay_s)
        self.owner.asked += 1
        text = self.owner.text()
        if text is None:
            raise TranscriptionFailed("the fake engine was told to fail")
        return Transcript(text, "en", self.samples / 16)

    async def close(self) -> None:
        self.closed = True


class FakeTranscriber:
    """Says ``texts`` for one segment after another; None fails."""

    name = "fake"
    languages: tuple[str, ...] = ("en",)
    believed_when_brief = True

    def __init__(self, *texts: str | None, delay_s: float = 0.02) -> None:
        self.texts = texts
        self.delay_s = delay_s
        self.streams: list[FakeStream] = []
        self.asked = 0

    def text(self) -> str | None:
        return self.texts[min(len(self.streams), len(self.texts)) - 1]

    def open(self, *, language: str | None = None, on_partial: Callable[[str], None] | None = None) -> FakeStream:
        self.streams.append(FakeStream(self, on_partial))
        return self.streams[-1]

    async def warm_up(self) -> None: ...

    async def close(self) -> None: ...


class FakeChat:
    """Answers word by word; ``error`` is raised after the words."""

    name = "fake"

    def __init__(
        self,
        answer: str = "One two three four. Five six seven eight.",
        *,
        delay_s: float = 0.05,
        error: Exception | None = None,
    ) -> None:
        self.answer, self.delay_s, self.error = answer, delay_s, error
        self.requests: list[list[Message]] = []
        self.cancelled = 0

    async def stream(self, messages: Sequence[Message], options: ChatOptions = ChatOptions()) -> AsyncIterator[str]:
        self.requests.append(list(messages))
        finished = False
        try:
            await asyncio.sleep(self.delay_s)
            words = self.answer.split(" ")
            for number, word in enumerate(words):
                yield word if number == 0 else " " + word
                await asyncio.sleep(0.001)
            if self.error is not None:
                raise self.error
            finished = True
        finally:
            self.cancelled += not finished

    async def warm_up(self) -> None: ...

    async def close(self) -> None: ...


class FakeVoice:
    """Every word is 300 ms of a constant; a sentence with "unspeakable" fails."""

    name = "fake"
    voices: tuple[str, ...] = ("fake",)

    async def speak(
        self, text: str, *, language: str, voice: str | None = None, speed: float = 1.0
    ) -> AsyncIterator[SpokenChunk]:
        if "unspeakable" in text:
            raise SynthesisFailed("the fake voice was told to fail")
        await asyncio.sleep(0.01)
        words, at = [], 0
        for number, word in enumerate(text.split()):
            start = text.index(word, at)
            at = start + len(word)
            words.append(Word(start, at, number * WORD_MS, (number + 1) * WORD_MS))
        samples = len(words) * WORD_MS * SPEECH_RATE_HZ // 1000
        yield SpokenChunk(SpeechChunk(np.full(samples, 1000, np.int16), language), tuple(words))

    async def warm_up(self) -> None: ...

    async def close(self) -> None: ...


class FakeOutput:
    """Releases 40 ms of queued speech every 40 ms, like a clock with a beat maker that is never late."""

    def __init__(self) -> None:
        self.on_played: Callable[[Played], None] = lambda played: None
        self.on_failed: Callable[[Exception], None] = lambda error: None
        self.modes: list[Mode] = []
        self.gains: list[float] = []
        self.gestures: list[Gesture] = []
        self.manners: list[Manner] = []
        self.stops = 0
        self.released: list[tuple[float, int, float]] = []
        self.closed = False
        self._queue: deque[tuple[int, int]] = deque()
        self._finished: set[int] = set()
        self._position: dict[int, int] = {}
        self._gain = 0.0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    def speak(self, utterance: int, chunk: SpeechChunk) -> None:
        assert utterance not in self._finished
        self._queue.append((utterance, len(chunk.pcm48k)))

    def finish(self, utterance: int) -> None:
        self._finished.add(utterance)

    def stop(self) -> int:
        self.stops += 1
        position = self._position.get(self._queue[0][0], 0) if self._queue else 0
        self._queue.clear()
        return position

    def duck(self, gain_db: float) -> None:
        self._gain = gain_db
        self.gains.append(gain_db)

    def set_mode(self, mode: Mode) -> None:
        self.modes.append(mode)

    def set_manner(self, manner: Manner) -> None:
        self.manners.append(manner)

    def gesture(self, gesture: Gesture, strength: float) -> None:
        self.gestures.append(gesture)

    async def close(self) -> None:
        self.closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(0.04)
            if self._queue:
                self._release()

    def _release(self) -> None:
        utterance, left = self._queue.popleft()
        samples = min(left, 1920)
        if left > samples:
            self._queue.appendleft((utterance, left - samples))
        self._position[utterance] = self._position.get(utterance, 0) + samples
        more = any(number == utterance for number, _ in self._queue)
        last = utterance in self._finished and not more
        self.released.append((asyncio.get_running_loop().time(), utterance, self._gain))
        self.on_played(Played(utterance, self._position[utterance], bytes(2 * samples), last))
