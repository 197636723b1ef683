"""The process whose workers are threads: they share what only one process may hold, a GPU and the networks on it.

It speaks with the gateway as ``streaming.workers.zygote`` does. A thread cannot be killed: its connection is shut down
instead, and it ends when it next reads or writes. One that does not, although it had begun to make beats, hangs in the
device's driver; then the whole process ends, and the next conversation starts another.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass

import msgpack

from streaming.workers.zygote import MAX_DATAGRAM

GRACE_S = 15.0
"""For a thread whose conversation is over: the longest that a window may take, and then some."""
LOOK_EVERY_S = 1.0


@dataclass(slots=True)
class _Worker:
    thread: threading.Thread
    connection: socket.socket
    ready: bool = False
    ended: bool = False
    killed_s: float | None = None


def main(control_fd: int) -> None:
    """Start workers on request until the gateway closes the control socket."""
    control = socket.socket(fileno=control_fd)
    for name in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C reaches the whole group; the gateway decides
        signal.signal(name, signal.SIG_IGN)
    wake_read, wake_write = os.pipe()
    control.send(msgpack.packb(["ready"]))
    workers: dict[int, _Worker] = {}
    while True:
        watched: list[socket.socket | int] = [control, wake_read]
        readable, _, _ = select.select(watched, [], [], LOOK_EVERY_S)
        if wake_read in readable:
            os.read(wake_read, 4096)
        for number in [number for number, worker in workers.items() if worker.ended]:
            workers.pop(number).thread.join()
            with suppress(OSError):
                control.send(msgpack.packb(["exited", number, 0]))
        if any(_hangs(worker) for worker in workers.values()):
            os._exit(1)
        if control not in readable:
            continue
        try:
            data, fds, _, _ = socket.recv_fds(control, MAX_DATAGRAM, 1)
        except ConnectionError:  # the gateway ended with reports unread
            break
        if not data:
            break
        match msgpack.unpackb(data):
            case ["spawn", number, spec_bytes, factory]:
                workers[number] = _start(socket.socket(fileno=fds[0]), spec_bytes, factory, wake_write)
            case ["kill", number] if number in workers and workers[number].killed_s is None:
                workers[number].killed_s = time.monotonic()
                with suppress(OSError):
                    workers[number].connection.shutdown(socket.SHUT_RDWR)
    os._exit(0)  # threads may be in the middle of a window; nobody waits for it


def _start(connection: socket.socket, spec_bytes: bytes, factory: str, wake_fd: int) -> _Worker:
    def work() -> None:
        from streaming.workers.worker import run

        def ready() -> None:
            worker.ready = True

        try:
            with connection:
                run(connection, spec_bytes, factory, on_ready=ready)
        except OSError:
            pass  # the connection was shut down
        except Exception:
            traceback.print_exc()
        finally:
            worker.ended = True
            os.write(wake_fd, b".")

    worker = _Worker(threading.Thread(target=work, daemon=True), connection)
    worker.thread.start()
    return worker


def _hangs(worker: _Worker) -> bool:
    """Whether a worker that should have ended still makes a beat; one that loads networks may take its time."""
    return worker.ready and worker.killed_s is not None and time.monotonic() - worker.killed_s > GRACE_S
