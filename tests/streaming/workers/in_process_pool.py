"""A worker pool without processes: beat loops in the event loop, on whatever clock it has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
from numpy.typing import NDArray

from avatar.motion.source import Gesture, Manner, Mode
from avatar.speech import SpeechChunk
from streaming.beat import Beat
from streaming.encoding.video import EncodedPicture
from streaming.errors import Busy, WorkerLost
from streaming.workers import messages
from streaming.workers.beat_loop import BeatLoop
from streaming.workers.messages import Command
from streaming.workers.pool import WorkerSpec
from tests.streaming.workers.fakes import make_beat_maker

RENDER_S = 0.008


class FakeEncoder:
    """Pictures that say what they are: b"key" or b"delta"."""

    def __init__(self) -> None:
        self.bitrates: list[int] = []
        self._begun = False

    def encode(self, frame: NDArray[np.uint8], *, keyframe: bool = False) -> EncodedPicture:
        keyframe, self._begun = keyframe or not self._begun, True
        return EncodedPicture(b"key" if keyframe else b"delta", keyframe)

    def set_bitrate(self, bitrate_bps: int) -> None:
        self.bitrates.append(bitrate_bps)
        self._begun = False


class InProcessWorker:
    def __init__(self, spec: WorkerSpec) -> None:
        self.spec = spec
        self.encoder = FakeEncoder()
        self.loop = BeatLoop(make_beat_maker(spec), self.encoder)
        self.commands: list[Command] = []
        self.closed = False
        self.slow_s = RENDER_S
        self._beats: asyncio.Queue[Beat | WorkerLost | None] = asyncio.Queue()
        self._timer: asyncio.TimerHandle | None = None

    def speak(self, utterance: int, chunk: SpeechChunk) -> None:
        self._do(messages.Speak(utterance, chunk))

    def finish(self, utterance: int) -> None:
        self._do(messages.Finish(utterance))

    def clear(self, epoch: int) -> None:
        self._do(messages.Clear(epoch))

    def set_mode(self, mode: Mode) -> None:
        self._do(messages.SetMode(mode))

    def set_manner(self, manner: Manner) -> None:
        self._do(messages.SetManner(manner))

    def gesture(self, gesture: Gesture, strength: float) -> None:
        self._do(messages.MakeGesture(gesture, strength))

    def request_keyframe(self) -> None:
        self._do(messages.RequestKeyframe())

    def set_bitrate(self, bitrate_bps: int) -> None:
        self._do(messages.SetBitrate(bitrate_bps))

    def grant(self, beats: int) -> None:
        self._do(messages.Grant(beats))

    async def beats(self) -> AsyncIterator[Beat]:
        while (beat := await self._beats.get()) is not None:
            if isinstance(beat, WorkerLost):
                raise beat
            yield beat

    async def close(self) -> None:
        self.closed = True
        self._stop()
        self._beats.put_nowait(None)

    def die(self) -> None:
        """As if killed: beats that were sent arrive, nothing else does."""
        self._stop()
        self._beats.put_nowait(WorkerLost("The avatar worker died (signal 9)."))

    def _do(self, command: Command) -> None:
        assert not self.closed
        self.commands.append(command)
        self.loop.handle(command)
        if self._timer is None and self.loop.credit > 0:
            self._timer = asyncio.get_running_loop().call_later(self.slow_s, self._make)

    def _make(self) -> None:
        self._timer = None
        self._beats.put_nowait(self.loop.make())
        if self.loop.credit > 0:
            self._timer = asyncio.get_running_loop().call_later(self.slow_s, self._make)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.loop.credit = -1_000_000


class InProcessPool:
    """Attributes:
    workers: every worker that was acquired, the latest last.
    start_s: how long acquiring takes.
    """

    def __init__(self, *, start_s: float = 0.3, capacity: int = 1_000_000) -> None:
        self.workers: list[InProcessWorker] = []
        self.start_s = start_s
        self.capacity = capacity

    async def acquire(self, spec: WorkerSpec) -> InProcessWorker:
        await asyncio.sleep(self.start_s)
        if len(self.workers) >= self.capacity:
            raise Busy("All places for conversations are taken.")
        self.workers.append(InProcessWorker(spec))
        return self.workers[-1]

    async def close(self) -> None: ...
