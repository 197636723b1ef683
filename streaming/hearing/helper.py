"""Transcription in helper processes, seen from the gateway: start, talk to, replace when one dies."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import sys
from collections.abc import Callable
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from streaming.errors import EngineUnavailable, TranscriptionFailed
from streaming.hearing.segment import RATE_HZ, check_sound
from streaming.hearing.transcriber import Transcript, TranscriptionStream
from streaming.helper_process import helper_environment

log = logging.getLogger(__name__)

_UNSENT_MAX_BYTES = 8 * 2**20
"""Two minutes of two users' sound: a helper that is this far behind does not come back."""
_FEED_SAMPLES = RATE_HZ // 10
"""Sound goes to the helper in pieces of this length, or sooner where its text is asked for: every piece wakes two threads there, and
comes fifty times a second otherwise."""
_STOP_S = 1.0


class HelperProcess:
    """One helper process and the segments that are open in it. Belongs to one event loop."""

    def __init__(self, engine: str, options: dict[str, Any], on_lost: Callable[[HelperProcess], None]) -> None:
        self._on_lost = on_lost
        self._command = (sys.executable, "-m", "streaming.hearing.helper_main", engine, json.dumps(options))
        self._segments: dict[int, HelperStream] = {}
        self._unsent: list[bytes] = []
        self._writer: asyncio.StreamWriter | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._closing = False
        self.lost: str | None = None
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name=f"transcription helper {engine}")

    @property
    def open_segments(self) -> int:
        return len(self._segments)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def add(self, number: int, stream: HelperStream) -> None:
        self._segments[number] = stream

    def remove(self, number: int) -> None:
        self._segments.pop(number, None)

    def send(self, message: list[Any]) -> None:
        """Never blocks. What a lost helper is sent is dropped: its streams were told."""
        if self.lost is not None:
            return
        data = msgpack.packb(message)
        if self._writer is None:
            self._unsent.append(data)
            return
        self._writer.write(data)
        if self._writer.transport.get_write_buffer_size() > _UNSENT_MAX_BYTES:
            self._lose("the engine stopped taking sound")
            self._kill()

    async def close(self) -> None:
        self._closing = True
        if self._writer is not None:
            self._writer.close()
        elif self._process is None:
            self._task.cancel()
        await asyncio.wait([self._task], timeout=_STOP_S)
        self._kill()
        await asyncio.wait([self._task])
        self._lose("the engine was closed")

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def _run(self) -> None:
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=helper_environment(OMP_WAIT_POLICY="PASSIVE"),
                start_new_session=True,  # Ctrl-C is for the server, which ends this process in its own time
            )
        except OSError as error:
            self._lose(f"the helper process could not be started: {error}")
            return
        assert process.stdin is not None and process.stdout is not None
        self._writer = process.stdin
        for data in self._unsent:
            self._writer.write(data)
        self._unsent.clear()
        if self._closing:
            self._writer.close()
        unpacker = msgpack.Unpacker()
        while data := await process.stdout.read(65_536):
            unpacker.feed(data)
            for message in unpacker:
                self._receive(message)
        code = await process.wait()
        self._writer.close()
        self._lose(f"the helper process ended with code {code}")

    def _receive(self, message: list[Any]) -> None:
        match message:
            case ["ready"]:
                if not self.ready.done():
                    self.ready.set_result(None)
            case ["failed to load", reason]:
                self._lose(reason)
            case ["text", number, request, text, language, samples]:
                if stream := self._segments.get(number):
                    stream.heard(request, Transcript(text, language, 1000 * samples / RATE_HZ))
            case ["settled", number, text]:
                if stream := self._segments.get(number):
                    stream.settled(text)
            case ["failed", number, reason]:
                if stream := self._segments.get(number):
                    stream.fail(reason)

    def _lose(self, reason: str) -> None:
        if self.lost is not None:
            return
        self.lost = reason
        was_ready = self.ready.done()
        if not self._closing:
            log.error("transcription: %s", reason)
        if not was_ready:
            self.ready.set_exception(EngineUnavailable(f"Speech cannot be transcribed: {reason}"))
            self.ready.exception()  # whoever waits gets it; nobody has to
        for stream in list(self._segments.values()):
            stream.fail(reason)
        if was_ready and not self._closing:
            self._on_lost(self)  # it worked before: a new one will, and the next speaker need not wait for it


class HelperStream(TranscriptionStream):
    """A segment of speech that is decoded in a helper."""

    def __init__(
        self,
        helper: HelperProcess,
        number: int,
        name: str,
        language: str | None,
        on_partial: Callable[[str], None] | None,
    ) -> None:
        self._helper = helper
        self._number = number
        self._name = name
        self._on_partial = on_partial
        self._requests: dict[int, asyncio.Future[Transcript]] = {}
        self._numbers = itertools.count()
        self._failure: str | None = helper.lost
        self._closed = False
        self._waiting: list[NDArray[np.int16]] = []
        self._waiting_samples = 0
        helper.add(number, self)
        helper.send(["open", number, language])

    def feed(self, pcm16k: NDArray[np.int16]) -> None:
        """Raises ValueError: not one-dimensional int16."""
        check_sound(pcm16k)
        if self._closed or not len(pcm16k):
            return
        self._waiting.append(pcm16k)
        self._waiting_samples += len(pcm16k)
        if self._waiting_samples >= _FEED_SAMPLES:
            self._send_waiting()

    def _send_waiting(self) -> None:
        if self._waiting:
            self._helper.send(["feed", self._number, np.concatenate(self._waiting).tobytes()])
            self._waiting.clear()
            self._waiting_samples = 0

    async def transcribe(self) -> Transcript:
        if self._closed:
            raise TranscriptionFailed("Speech could not be transcribed: its segment was closed.")
        if self._failure is not None:
            raise self._error()
        request = next(self._numbers)
        future: asyncio.Future[Transcript] = asyncio.get_running_loop().create_future()
        self._requests[request] = future
        self._send_waiting()
        self._helper.send(["transcribe", self._number, request])
        try:
            return await future
        except asyncio.CancelledError:
            self._helper.send(["cancel", self._number, request])
            raise
        finally:
            del self._requests[request]

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._helper.send(["close", self._number])
        self._helper.remove(self._number)
        for future in self._requests.values():
            if not future.done():
                future.set_exception(TranscriptionFailed("Speech could not be transcribed: its segment was closed."))

    def heard(self, request: int, transcript: Transcript) -> None:
        future = self._requests.get(request)
        if future is not None and not future.done():
            future.set_result(transcript)

    def settled(self, text: str) -> None:
        if self._on_partial is not None:
            self._on_partial(text)

    def fail(self, reason: str) -> None:
        self._failure = reason
        for future in self._requests.values():
            if not future.done():
                future.set_exception(self._error())

    def _error(self) -> TranscriptionFailed:
        return TranscriptionFailed(f"{self._name} could not transcribe what was said: {self._failure}. Say it again.")


class HelperTranscriber:
    """A ``Transcriber`` whose engine runs in ``processes`` helper processes; a lost one is replaced.

    Args:
        engine: as ``helper_main`` knows it.
        options: of the engine, JSON.
    """

    believed_when_brief = True

    def __init__(
        self, *, name: str, languages: tuple[str, ...], engine: str, options: dict[str, Any], processes: int
    ) -> None:
        self.name = name
        self.languages = languages
        self._engine = engine
        self._options = options
        self._helpers: list[HelperProcess | None] = [None] * processes
        self._ending: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count()

    def open(
        self, *, language: str | None = None, on_partial: Callable[[str], None] | None = None
    ) -> TranscriptionStream:
        helper = min((self._helper(slot) for slot in range(len(self._helpers))), key=lambda h: h.open_segments)
        return HelperStream(helper, next(self._numbers), self.name, language, on_partial)

    async def warm_up(self) -> None:
        """Raises EngineUnavailable: the engine cannot be loaded; says why."""
        await asyncio.gather(*(self._helper(slot).ready for slot in range(len(self._helpers))))

    async def close(self) -> None:
        helpers = [helper for helper in self._helpers if helper is not None]
        self._helpers = [None] * len(self._helpers)
        await asyncio.gather(*(helper.close() for helper in helpers))
        if self._ending:
            await asyncio.wait(self._ending)

    def _helper(self, slot: int) -> HelperProcess:
        helper = self._helpers[slot]
        if helper is None or helper.lost is not None:
            if helper is not None:
                ending = asyncio.create_task(helper.close())
                self._ending.add(ending)
                ending.add_done_callback(self._ending.discard)
            helper = self._helpers[slot] = HelperProcess(self._engine, self._options, self._replace)
        return helper

    def _replace(self, lost: HelperProcess) -> None:
        if lost in self._helpers:
            self._helper(self._helpers.index(lost))
