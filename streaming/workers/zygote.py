"""The process that worker processes are forked from.

It imports what every worker needs, keeps ready what the last ones drew with, and then only forks: a worker
starts in a few milliseconds and shares that memory. It is a plain process of ours rather than ``multiprocessing``'s fork server because that one
imports the program's ``__main__`` (the whole server) into every child, and because this one must not outlive
the gateway however the gateway ends: it ends when its control socket does, and its workers with it.

Control messages are single datagrams (msgpack arrays) on a SOCK_SEQPACKET socket:

    gateway -> zygote   ["spawn", id, specification, factory]  with the worker's socket attached (SCM_RIGHTS)
                        ["kill", id]
    zygote -> gateway   ["ready"]
                        ["exited", id, status]      status as ``os.waitstatus_to_exitcode``
"""

from __future__ import annotations

import ctypes
import importlib
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from typing import Any

import msgpack

from streaming.workers.messages import unpack_spec

PRELOAD = (
    "avatar.beats",
    "avatar.mark",
    "avatar.motion.rules",
    "avatar.portrait.renderer",
    "avatar.renderers",
    "av",
    "cv2",
    "numpy",
    "streaming.encoding.h264",
    "streaming.encoding.vp8",
    "streaming.workers.worker",
)
NICENESS = 5
"""Below the gateway's own: sound must leave on time even where workers want every core."""
_PR_SET_PDEATHSIG = 1
MAX_DATAGRAM = 65_536


def main(control_fd: int) -> None:
    """Fork workers on request until the gateway closes the control socket."""
    control = socket.socket(fileno=control_fd)
    for name in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C reaches the whole group; the gateway decides
        signal.signal(name, signal.SIG_IGN)
    for module in PRELOAD:
        with suppress(ImportError):
            importlib.import_module(module)
    _one_thread()
    wake_read, wake_write = os.pipe()
    for fd in (wake_read, wake_write):
        os.set_blocking(fd, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    control.send(msgpack.packb(["ready"]))
    workers: dict[int, int] = {}  # pid -> id
    watched: list[socket.socket | int] = [control, wake_read]
    while True:
        readable, _, _ = select.select(watched, [], [])
        if wake_read in readable:
            with suppress(BlockingIOError):
                os.read(wake_read, 4096)
            _reap(control, workers)
        if control in readable:
            try:
                data, fds, _, _ = socket.recv_fds(control, MAX_DATAGRAM, 1)
            except ConnectionError:  # the gateway ended with reports unread
                break
            if not data:
                break
            match msgpack.unpackb(data):
                case ["spawn", number, spec_bytes, factory]:
                    pid = os.fork()
                    if pid == 0:
                        _become_worker(control, (wake_read, wake_write), fds[0], spec_bytes, factory)
                    os.close(fds[0])
                    workers[pid] = number
                    _preload(spec_bytes, factory)
                case ["kill", number]:
                    for pid in [pid for pid, other in workers.items() if other == number]:
                        os.kill(pid, signal.SIGKILL)
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    for pid in workers:
        os.waitpid(pid, 0)


def _preload(spec_bytes: bytes, factory: str) -> None:
    """Let the factory's module keep ready what the next worker of this kind will need, if it knows how."""
    try:
        module = importlib.import_module(factory.partition(":")[0])
        if hasattr(module, "preload"):
            module.preload(unpack_spec(msgpack.unpackb(spec_bytes)))
    except Exception:
        return  # the worker meets the same difficulty, and tells it


def _reap(control: socket.socket, workers: dict[int, int]) -> None:
    while workers:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with suppress(ConnectionError):
            control.send(msgpack.packb(["exited", workers.pop(pid), os.waitstatus_to_exitcode(status)]))


def _become_worker(
    control: socket.socket, wake: tuple[int, int], worker_fd: int, spec_bytes: bytes, factory: str
) -> None:
    """In the forked child; never returns."""
    status = 1
    try:
        _die_with_parent()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        control.close()
        for fd in wake:
            os.close(fd)
        os.nice(NICENESS)
        from streaming.workers.worker import run

        run(socket.socket(fileno=worker_fd), spec_bytes, factory)
        status = 0
    finally:
        with suppress(Exception):  # there may be no stderr
            sys.stderr.flush()
        os._exit(status)  # no handlers of the zygote may run here


def _die_with_parent() -> None:
    """Where Linux has it: even a worker stuck in native code ends with the process that started it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _one_thread() -> None:
    with suppress(ImportError):
        import cv2

        cv2.setNumThreads(1)


def start_arguments(control_fd: int, module: str = __name__) -> tuple[list[str], dict[str, Any]]:
    """Arguments for ``subprocess.Popen`` that start the zygote (or a module that does its work) with the caller's import path."""
    code = f"import sys; sys.path[:] = {sys.path!r}; from {module} import main; main({control_fd})"
    threads = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    return [sys.executable, "-c", code], {"pass_fds": (control_fd,), "env": {**os.environ, **threads}}
