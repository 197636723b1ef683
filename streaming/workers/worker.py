"""A worker process's life: build what the specification asks for, then make beats while there is credit."""

from __future__ import annotations

import importlib
import select
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress

import msgpack

from avatar.errors import AvatarError
from streaming.encoding.video import open_encoder
from streaming.workers.beat_loop import BeatLoop
from streaming.workers.messages import (
    HEADER,
    Command,
    Failed,
    Ready,
    Report,
    pack,
    unpack,
    unpack_spec,
)


def run(
    connection: socket.socket, spec_bytes: bytes, factory: str, *, on_ready: Callable[[], None] = lambda: None
) -> None:
    """Serve one conversation over ``connection`` until the other end closes it.

    Args:
        connection: a connected stream socket, blocking.
        spec_bytes: the ``WorkerSpec`` (``pack_spec``, msgpack).
        factory: "module:function" that makes the ``Beats`` of a ``WorkerSpec``.
        on_ready: called when beats can be made.
    """
    try:
        spec = unpack_spec(msgpack.unpackb(spec_bytes))
        module, _, function = factory.partition(":")
        encoder = open_encoder(spec.codec, spec.size, spec.size, spec.bitrate_bps)
        maker = getattr(importlib.import_module(module), function)(spec)
        loop = BeatLoop(maker, encoder)
    except (AvatarError, ValueError) as error:
        _send(connection, Failed(getattr(error, "code", "worker_lost"), str(error)))
        return
    except Exception as error:
        traceback.print_exc()
        _send(connection, Failed("worker_lost", f"The avatar worker could not start: {error!r}"))
        return
    try:
        _send(connection, Ready())
        on_ready()
        _serve(connection, loop)
    except ConnectionError:
        return
    except AvatarError as error:
        _send(connection, Failed(error.code, str(error)))
    except Exception as error:
        traceback.print_exc()
        _send(connection, Failed("worker_lost", f"The avatar worker failed: {error!r}"))
    finally:
        maker.close()


def _serve(connection: socket.socket, loop: BeatLoop) -> None:
    inbox = _Inbox(connection)
    while True:
        for command in inbox.receive(wait=loop.credit <= 0):
            loop.handle(command)
        if inbox.closed:
            return
        if loop.credit > 0:
            connection.sendall(pack(loop.make()))


class _Inbox:
    """Whole commands out of the byte stream."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = bytearray()
        self.closed = False

    def receive(self, *, wait: bool) -> Iterator[Command]:
        """The commands that have arrived; with ``wait``, at least one byte more."""
        while not self.closed and select.select([self._connection], [], [], None if wait else 0)[0]:
            data = self._connection.recv(1 << 18)
            self.closed = not data
            self._buffer += data
            wait = False
        while (message := self._pop()) is not None:
            yield message

    def _pop(self) -> Command | None:
        if len(self._buffer) < HEADER.size:
            return None
        (length,) = HEADER.unpack_from(self._buffer)
        end = HEADER.size + length
        if len(self._buffer) < end:
            return None
        body = bytes(memoryview(self._buffer)[HEADER.size : end])
        del self._buffer[:end]
        message = unpack(body)
        assert not isinstance(message, Report), message
        return message


def _send(connection: socket.socket, report: Report) -> None:
    with suppress(ConnectionError):  # then nobody is left to tell
        connection.sendall(pack(report))
