"""The helper process of a transcription engine: ``python -m streaming.hearing.helper_main ENGINE OPTIONS``.

Why a process: decoders hold Python's lock for tens of milliseconds at a time, and whatever does that in the
gateway is heard (audio 119 ms and more late at the 99th percentile, against 2 ms from a process). It also runs
at a lower priority, so that decoding never takes the CPU from sound and picture.

Messages are msgpack arrays, in both directions; the first element names the kind.

    gateway to helper                         helper to gateway
    ["open", segment, language|nil]           ["ready"]
    ["feed", segment, int16 bytes]            ["failed to load", message]
    ["transcribe", segment, request]          ["text", segment, request, text, language, samples]
    ["cancel", segment, request]              ["settled", segment, text]
    ["close", segment]                        ["failed", segment, message]

The helper ends when its standard input does, so that it cannot outlive the gateway.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import msgpack
import numpy as np

from streaming.errors import StreamingError
from streaming.hearing.segment import Engine, Segment

NICENESS = 5
"""Below the beat workers, above batch work."""
_READ_BYTES = 65_536


@dataclass(slots=True)
class _Open:
    """Attributes:
    requests: that wait for the text of what was fed so far.
    deferred: messages that came meanwhile. Sound that keeps coming must not put the text off, on a machine
        that decodes slower than people speak.
    """

    segment: Segment
    requests: list[int] = field(default_factory=list)
    deferred: list[list[Any]] = field(default_factory=list)
    settled: str = ""


class Scheduler:
    """Gives each open segment a slice of work in turn; those whose text is awaited come first.

    Sans-I/O: ``handle`` takes a message, ``step`` does one slice, both return the messages to send.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._open: dict[int, _Open] = {}
        self._order: deque[int] = deque()
        self.idle = True

    def handle(self, message: list[Any]) -> list[list[Any]]:
        kind, number, *rest = message
        self.idle = False
        try:
            if kind == "open":
                self._open[number] = _Open(self._engine.open(rest[0]))
                self._order.append(number)
            elif number in self._open:  # if not: it failed earlier, and the gateway was told
                self._handle_open(self._open[number], kind, message)
        except Exception as error:
            return self._failed(number, error)
        return []

    def _handle_open(self, open_: _Open, kind: str, message: list[Any]) -> None:
        number = message[1]
        if kind == "feed" and not open_.requests:
            open_.segment.feed(np.frombuffer(message[2], np.int16))
        elif kind == "transcribe" and not open_.deferred:
            open_.requests.append(message[2])
        elif kind in ("feed", "transcribe"):
            open_.deferred.append(message)
        elif kind == "cancel":
            open_.requests = [request for request in open_.requests if request != message[2]]
            open_.deferred = [later for later in open_.deferred if later != ["transcribe", number, message[2]]]
            if not open_.requests:
                self._resume(open_)
        elif kind == "close":
            self._drop(number).segment.close()
        else:
            raise ValueError(f"unknown message {kind!r}")

    def step(self) -> list[list[Any]]:
        """One slice of work for one segment; afterwards ``idle`` tells whether there was nothing to do."""
        for number in sorted(self._order, key=lambda n: not self._open[n].requests):
            open_ = self._open[number]
            try:
                more = open_.segment.work(urgent=bool(open_.requests))
                out = self._results(number, open_, more)
            except Exception as error:
                more, out = True, self._failed(number, error)
            if more or out:
                if number in self._open:
                    self._order.remove(number)
                    self._order.append(number)
                self.idle = False
                return out
        self.idle = True
        return []

    def _results(self, number: int, open_: _Open, more: bool) -> list[list[Any]]:
        out: list[list[Any]] = []
        if open_.requests and not more:
            heard = open_.segment.finish()
            out += [["text", number, r, heard.text, heard.language, heard.samples] for r in open_.requests]
            open_.requests.clear()
            self._resume(open_)
        settled = open_.segment.settled()
        if settled != open_.settled:
            open_.settled = settled
            out.append(["settled", number, settled])
        return out

    def _resume(self, open_: _Open) -> None:
        deferred, open_.deferred = open_.deferred, []
        for message in deferred:
            self._handle_open(open_, message[0], message)

    def _drop(self, number: int) -> _Open:
        self._order.remove(number)
        return self._open.pop(number)

    def _failed(self, number: int, error: Exception) -> list[list[Any]]:
        if number in self._open:
            segment = self._drop(number).segment
            with contextlib.suppress(Exception):
                segment.close()
        return [["failed", number, _reason(error)]]


def _reason(error: Exception) -> str:
    """Our own errors are fit for a user as they are."""
    return str(error) if isinstance(error, StreamingError) else f"{type(error).__name__}: {error}"


def _make_engine(name: str, options: dict[str, Any]) -> Engine:
    if name == "pocketsphinx":
        from streaming.hearing.sphinx_engine import SphinxEngine

        return SphinxEngine(**options)
    if name == "faster-whisper":
        from streaming.hearing.whisper_engine import WhisperEngine

        return WhisperEngine(**options)
    raise ValueError(f"unknown engine {name!r}")


def _read(source: BinaryIO, inbox: queue.SimpleQueue[list[Any]]) -> None:
    """In a thread: the pipe stays drained while a slice is decoded."""
    unpacker = msgpack.Unpacker()
    while data := os.read(source.fileno(), _READ_BYTES):
        unpacker.feed(data)
        for message in unpacker:
            inbox.put(message)
    os._exit(0)  # the gateway is gone or done: nobody waits for what is being decoded


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the gateway ends us when it is done
    os.nice(NICENESS)
    sink = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints must not be taken for a message

    def send(message: list[Any]) -> None:
        sink.write(msgpack.packb(message))

    try:
        engine = _make_engine(sys.argv[1], json.loads(sys.argv[2]))
        engine.load()
    except Exception as error:
        send(["failed to load", _reason(error)])
        raise SystemExit(1) from error
    send(["ready"])
    inbox: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, inbox), daemon=True).start()
    scheduler = Scheduler(engine)
    while True:
        while scheduler.idle or not inbox.empty():
            for message in scheduler.handle(inbox.get()):
                send(message)
        for message in scheduler.step():
            send(message)


if __name__ == "__main__":
    main()
