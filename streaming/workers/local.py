"""``LocalWorkerPool``: workers as processes of this machine."""

from __future__ import annotations

import asyncio
import fcntl
import itertools
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Callable

import msgpack

from avatar.motion.source import Gesture, Mode
from avatar.speech import SpeechChunk
from streaming.beat import Beat
from streaming.errors import Busy, WorkerLost
from streaming.workers import messages
from streaming.workers.messages import HEADER, Command, Failed, Ready, Report
from streaming.workers.pool import WorkerSpec
from streaming.workers.zygote import start_arguments

BEAT_MAKER = "streaming.workers.beat_maker:make_beat_maker"
START_TIMEOUT_S = 20.0
"""Loading the largest persona takes a fraction of a second; a machine that swaps is slower."""
WATCHDOG_S = 1.0
"""A worker that may make a beat and makes none for this long is lost."""
FIRST_BEAT_S = 5.0
"""The first beat may fill caches."""
MAX_UNSENT_BYTES = 32 * 1024 * 1024
"""A worker that leaves this much unread does not read at all."""


class LocalWorkerPool:
    """Starts worker processes on this machine, one a conversation.

    Args:
        capacity: conversations at once; None for three a core, what a 512x512 portrait leaves room for.
        beat_maker: "module:function" that makes a ``BeatMaker`` of a ``WorkerSpec``.
    """

    def __init__(self, capacity: int | None = None, *, beat_maker: str = BEAT_MAKER) -> None:
        self.capacity = capacity if capacity is not None else 3 * (os.cpu_count() or 1)
        self._beat_maker = beat_maker
        self._numbers = itertools.count(1)
        self._workers: dict[int, LocalWorker] = {}
        self._starting: asyncio.Lock = asyncio.Lock()
        self._zygote: _Zygote | None = None
        self._closed = False

    @property
    def used(self) -> int:
        """Workers in use."""
        return len(self._workers)

    async def start(self) -> None:
        """Get ready to start workers quickly. ``acquire`` does this too where it was not done before."""
        async with self._starting:
            if self._closed:
                raise WorkerLost("The server is shutting down.", retryable=False)
            if self._zygote is None or not self._zygote.alive:
                if self._zygote is not None:
                    await self._zygote.close()
                self._zygote = await _Zygote.start(self._exited)

    async def acquire(self, spec: WorkerSpec) -> LocalWorker:
        """A worker for one conversation; see ``WorkerPool.acquire``."""
        if len(self._workers) >= self.capacity:
            raise Busy(f"All {self.capacity} places for conversations are taken; try again in a moment.")
        number = next(self._numbers)
        worker = LocalWorker(lambda: self._release(number))
        self._workers[number] = worker
        try:
            await self.start()
            assert self._zygote is not None
            await worker.open(self._zygote, number, spec, self._beat_maker)
        except BaseException:
            await worker.close()
            raise
        return worker

    async def close(self) -> None:
        """End every worker process."""
        self._closed = True
        for worker in list(self._workers.values()):
            await worker.close()
        async with self._starting:
            if self._zygote is not None:
                await self._zygote.close()
                self._zygote = None

    def _release(self, number: int) -> None:
        self._workers.pop(number, None)
        if self._zygote is not None:
            self._zygote.kill(number)

    def _exited(self, number: int, status: int) -> None:
        if worker := self._workers.get(number):
            worker.exited(status)


class LocalWorker:
    """The gateway's end of one worker process; see ``AvatarWorker``."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._release = release
        self._writer: asyncio.StreamWriter | None = None
        self._reader_task: asyncio.Task[None] | None = None
        self._beats: asyncio.Queue[Beat | None] = asyncio.Queue()
        self._error: WorkerLost | None = None
        self._exit_status: int | None = None
        self._owed = 0
        self._made = 0
        self._watchdog: asyncio.TimerHandle | None = None

    async def open(self, zygote: _Zygote, number: int, spec: WorkerSpec, factory: str) -> None:
        """Start the process and wait until it can make beats.

        Raises:
            WorkerLost: it cannot.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            zygote.spawn(number, theirs, spec, factory)
        reader, self._writer = await asyncio.open_connection(sock=ours)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                report = await _read(reader)
        except TimeoutError:
            raise WorkerLost(f"The avatar worker did not start within {START_TIMEOUT_S:.0f} s.") from None
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise WorkerLost(f"The avatar worker died while starting{self._how()}.") from error
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

    def gesture(self, gesture: Gesture, strength: float) -> None:
        self._send(messages.MakeGesture(gesture, strength))

    def request_keyframe(self) -> None:
        self._send(messages.RequestKeyframe())

    def set_bitrate(self, bitrate_bps: int) -> None:
        self._send(messages.SetBitrate(bitrate_bps))

    def grant(self, beats: int) -> None:
        self._owed += beats
        self._send(messages.Grant(beats))
        if self._watchdog is None:
            self._watch()

    async def beats(self) -> AsyncIterator[Beat]:
        """Beats in order; see ``AvatarWorker.beats``."""
        while (beat := await self._beats.get()) is not None:
            yield beat
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        self._stop_watching()
        self._release()
        if self._reader_task is not None:
            self._reader_task.cancel()
            await asyncio.wait([self._reader_task])
        if self._writer is not None:
            self._writer.transport.abort()
        self._beats.put_nowait(None)

    def exited(self, status: int) -> None:
        """The pool saw the process end."""
        self._exit_status = status

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
                self._made += 1
                self._beats.put_nowait(report)
        except (asyncio.IncompleteReadError, ConnectionError):
            self._lose(f"The avatar worker died{self._how()}.")

    def _lose(self, reason: str) -> None:
        if self._error is None:
            self._error = WorkerLost(reason)
            self._stop_watching()
            self._release()
            self._beats.put_nowait(None)

    def _how(self) -> str:
        if self._exit_status is None:
            return ""
        return f" (signal {-self._exit_status})" if self._exit_status < 0 else f" (exit {self._exit_status})"

    def _watch(self) -> None:
        made = self._made
        delay_s = WATCHDOG_S if made else FIRST_BEAT_S

        def check() -> None:
            self._watchdog = None
            if self._owed > 0 and self._made == made:
                self._lose(f"The avatar worker made no beat for {delay_s:.0f} s.")
            elif self._owed > 0:
                self._watch()

        self._watchdog = asyncio.get_running_loop().call_later(delay_s, check)

    def _stop_watching(self) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None


class _Zygote:
    """The gateway's end of the process that workers are forked from."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._ended = asyncio.Event()
        self._ready = asyncio.Event()
        self._exited: Callable[[int, int], None] = lambda number, status: None

    @classmethod
    async def start(cls, exited: Callable[[int, int], None]) -> _Zygote:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs = _above_stdio(theirs)
        with theirs:
            arguments, options = start_arguments(theirs.fileno())
            process = subprocess.Popen(  # noqa: ASYNC220  # milliseconds; it is waited for elsewhere
                arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **options
            )
        ours.setblocking(False)
        zygote = cls(process, ours)
        zygote._exited = exited
        asyncio.get_running_loop().add_reader(ours, zygote._receive)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await zygote._ready.wait()
        except TimeoutError:
            pass
        if not zygote._ready.is_set() or not zygote.alive:
            await zygote.close()
            raise WorkerLost("The process that starts avatar workers could not start; its error is above.")
        return zygote

    @property
    def alive(self) -> bool:
        return not self._ended.is_set()

    def spawn(self, number: int, connection: socket.socket, spec: WorkerSpec, factory: str) -> None:
        spec_bytes = msgpack.packb(messages.pack_spec(spec))
        message = msgpack.packb(["spawn", number, spec_bytes, factory])
        try:
            socket.send_fds(self._control, [message], [connection.fileno()])
        except OSError as error:
            raise WorkerLost(f"The avatar worker could not be started: {error}.") from error

    def kill(self, number: int) -> None:
        if self.alive:
            try:
                self._control.send(msgpack.packb(["kill", number]))
            except OSError:
                self._end()

    async def close(self) -> None:
        """End the process and every worker; returns when it is gone."""
        self._end()
        self._control.close()
        if self._process.poll() is None:
            await asyncio.to_thread(self._wait)

    def _wait(self) -> None:
        try:
            self._process.wait(2.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _receive(self) -> None:
        try:
            data = self._control.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end()
            return
        match msgpack.unpackb(data):
            case ["ready"]:
                self._ready.set()
            case ["exited", number, status]:
                self._exited(number, status)

    def _end(self) -> None:
        if self.alive:
            self._ended.set()
            self._ready.set()
            asyncio.get_running_loop().remove_reader(self._control)


def _above_stdio(sock: socket.socket) -> socket.socket:
    """Where the gateway was started with its stdin closed, a new socket may get that very number, and starting
    a process with a stdin of its own would close it there."""
    if sock.fileno() > 2:
        return sock
    with sock:
        return socket.socket(fileno=fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD_CLOEXEC, 3))


async def _read(reader: asyncio.StreamReader) -> Report:
    (length,) = HEADER.unpack(await reader.readexactly(HEADER.size))
    if length > messages.MAX_MESSAGE_BYTES:
        raise ConnectionError(f"a message of {length} bytes")
    message = messages.unpack(await reader.readexactly(length))
    assert isinstance(message, Report), message
    return message
