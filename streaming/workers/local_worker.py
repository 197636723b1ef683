"""The gateway's end of one worker process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from avatar.motion.source import Gesture, Manner, Mode
from avatar.speech import SpeechChunk
from streaming.beat import Beat
from streaming.errors import Busy, WorkerLost
from streaming.workers import messages
from streaming.workers.messages import HEADER, Command, Failed, Ready, Report
from streaming.workers.pool import WorkerSpec
from streaming.workers.zygote_process import ZygoteProcess

START_TIMEOUT_S = 20.0
"""Loading the largest persona takes a fraction of a second; a machine that swaps is slower."""
WATCHDOG_S = 1.0
"""A worker that may make a beat and makes none for this long is lost."""
FIRST_BEAT_S = 5.0
"""The first beat may fill caches."""
EXIT_STATUS_S = 0.1
MAX_UNSENT_BYTES = 32 * 1024 * 1024
"""A worker that leaves this much unread does not read at all."""


class LocalWorker:
    """See ``AvatarWorker``.

    Args:
        kill: end the process; called as often as may be.
        release: its place is free. Called by ``close`` alone, so that whoever closes a dead worker can acquire
            another in its place before anybody else does.
    """

    def __init__(self, *, kill: Callable[[], None], release: Callable[[], object]) -> None:
        self._kill = kill
        self._release = release
        self._writer: asyncio.StreamWriter | None = None
        self._reader_task: asyncio.Task[None] | None = None
        self._beats: asyncio.Queue[Beat | None] = asyncio.Queue()
        self._error: WorkerLost | None = None
        self._exit: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._owed = 0
        self._patience_s = FIRST_BEAT_S
        self._progress_s = 0.0
        self._watchdog: asyncio.TimerHandle | None = None

    async def open(
        self, zygote: ZygoteProcess, number: int, spec: WorkerSpec, factory: str, *, timeout_s: float = START_TIMEOUT_S
    ) -> None:
        """Start the process and wait until it can make beats.

        Raises:
            WorkerLost: it cannot.
            Busy: what it draws with has no capacity left.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                zygote.spawn(number, theirs, spec, factory)
            reader, self._writer = await asyncio.open_connection(sock=ours)
        except BaseException:
            ours.close()
            raise
        try:
            async with asyncio.timeout(timeout_s):
                report = await _read(reader)
        except TimeoutError:
            raise WorkerLost(f"The avatar worker did not start within {timeout_s:.0f} s.") from None
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise WorkerLost(f"The avatar worker died while starting{await self._how()}.") from error
        if isinstance(report, Failed) and report.code == Busy.code:
            raise Busy(report.message)
        if isinstance(report, Failed):
            raise WorkerLost(report.message, code=report.code, retryable=report.code == WorkerLost.code)
        assert isinstance(report, Ready), report
        self._reader_task = asyncio.create_task(self._receive(reader))

    def speak(self, utterance: int, chunk: SpeechChunk) -> None:
        self._send(messages.Speak(utterance, chunk))

    def finish(self, utterance: int) -> None:
        self._send(messages.Finish(utterance))

    def clear(self, epoch: int) -> None:
        self._send(messages.Clear(epoch))

    def set_mode(self, mode: Mode) -> None:
        self._send(messages.SetMode(mode))

    def set_manner(self, manner: Manner) -> None:
        self._send(messages.SetManner(manner))

    def gesture(self, gesture: Gesture, strength: float) -> None:
        self._send(messages.MakeGesture(gesture, strength))

    def request_keyframe(self) -> None:
        self._send(messages.RequestKeyframe())

    def set_bitrate(self, bitrate_bps: int) -> None:
        self._send(messages.SetBitrate(bitrate_bps))

    def grant(self, beats: int) -> None:
        if self._owed <= 0:
            self._progress_s = asyncio.get_running_loop().time()
        self._owed += beats
        self._send(messages.Grant(beats))
        self._watch()

    async def beats(self) -> AsyncIterator[Beat]:
        """Beats in order; see ``AvatarWorker.beats``."""
        while (beat := await self._beats.get()) is not None:
            yield beat
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        self._stop_watching()
        self._kill()
        try:
            if self._reader_task is not None:
                self._reader_task.cancel()
                await asyncio.wait([self._reader_task])
            if self._writer is not None:
                self._writer.transport.abort()
                with suppress(ConnectionError):
                    await self._writer.wait_closed()
        finally:
            self._beats.put_nowait(None)
            self._release()

    def exited(self, status: int) -> None:
        """The pool saw the process end."""
        if not self._exit.done():
            self._exit.set_result(status)

    def _send(self, command: Command) -> None:
        if self._writer is None or self._writer.is_closing() or self._error is not None:
            return
        self._writer.write(messages.pack(command))
        unsent = self._writer.transport.get_write_buffer_size()
        if unsent > MAX_UNSENT_BYTES:
            self._lose(f"The avatar worker left {unsent // 2**20} MB of commands unread.")

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                report = await _read(reader)
                if isinstance(report, Failed):
                    return self._lose(report.message)
                assert isinstance(report, Beat), report
                self._owed -= 1
                self._patience_s = WATCHDOG_S
                self._progress_s = asyncio.get_running_loop().time()
                self._watch()
                self._beats.put_nowait(report)
        except (asyncio.IncompleteReadError, ConnectionError):
            self._lose(f"The avatar worker died{await self._how()}.")

    def _lose(self, reason: str) -> None:
        if self._error is None:
            self._error = WorkerLost(reason)
            self._stop_watching()
            self._kill()
            if self._writer is not None:
                self._writer.transport.abort()
            self._beats.put_nowait(None)

    async def _how(self) -> str:
        """How the process ended; that is known a moment after its socket has closed."""
        await asyncio.wait([self._exit], timeout=EXIT_STATUS_S)
        if not self._exit.done():
            return ""
        status = self._exit.result()
        return f" (signal {-status})" if status < 0 else f" (exit status {status})"

    def _watch(self) -> None:
        """See to it that beats which may be made are made."""
        due = self._progress_s + self._patience_s
        if self._error is not None or (self._watchdog is not None and self._watchdog.when() <= due):
            return  # the timer comes early and looks again
        self._stop_watching()
        self._watchdog = asyncio.get_running_loop().call_at(due, self._check)

    def _check(self) -> None:
        self._watchdog = None
        if self._owed <= 0:
            return
        if asyncio.get_running_loop().time() >= self._progress_s + self._patience_s:
            self._lose(f"The avatar worker made no beat for {self._patience_s:.0f} s.")
        else:
            self._watch()

    def _stop_watching(self) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None


async def _read(reader: asyncio.StreamReader) -> Report:
    (length,) = HEADER.unpack(await reader.readexactly(HEADER.size))
    if length > messages.MAX_MESSAGE_BYTES:
        raise ConnectionError(f"a message of {length} bytes")
    message = messages.unpack(await reader.readexactly(length))
    assert isinstance(message, Report), message
    return message
