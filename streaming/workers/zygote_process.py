"""The gateway's end of the process that workers are forked from; ``zygote`` is the other end."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import subprocess
from collections.abc import Callable

import msgpack

from streaming.errors import WorkerLost
from streaming.workers import messages
from streaming.workers.pool import WorkerSpec
from streaming.workers.zygote import start_arguments

ZYGOTE = "streaming.workers.zygote"
START_TIMEOUT_S = 20.0
"""It imports OpenCV and libav: a third of a second, unless the disk is cold."""


class ZygoteProcess:
    """Starts and ends workers. It and they end when this does.

    ``start`` may name another module than the zygote that speaks as it does: ``streaming.workers.host``, whose workers
    are threads.
    """

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._ended = asyncio.Event()
        self._ready = asyncio.Event()
        self._exited: Callable[[int, int], None] = lambda number, status: None

    @classmethod
    async def start(cls, exited: Callable[[int, int], None], module: str = ZYGOTE) -> ZygoteProcess:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs = _above_stdio(theirs)
        try:
            with theirs:
                arguments, options = start_arguments(theirs.fileno(), module)
                process = subprocess.Popen(  # noqa: ASYNC220  # milliseconds; it is waited for elsewhere
                    arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **options
                )
        except OSError as error:
            ours.close()
            raise WorkerLost(f"The process that starts avatar workers could not start: {error}.") from error
        ours.setblocking(False)
        zygote = cls(process, ours)
        zygote._exited = exited
        asyncio.get_running_loop().add_reader(ours, zygote._receive)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await zygote._ready.wait()
        except TimeoutError:
            pass
        except BaseException:  # whoever wanted it waits no more
            await zygote.close()
            raise
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
