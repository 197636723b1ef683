"""A small HTTP server for tests that notices when its client hangs up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Handler = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Exchange:
    """One request and the way to answer it."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    writer: asyncio.StreamWriter
    number: int

    async def head(self, status: int = 200, content_type: str = "text/event-stream", **headers: str) -> None:
        lines = [
            f"HTTP/1.1 {status} X",
            f"content-type: {content_type}",
            "transfer-encoding: chunked",
            "connection: close",
        ]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        await self.writer.drain()

    async def send(self, data: bytes) -> None:
        self.writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await self.writer.drain()

    async def end(self) -> None:
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    async def refuse(self, status: int, message: str = "no", **headers: str) -> None:
        await self.head(status, "application/json", **headers)
        await self.send(json.dumps({"error": {"message": message, "code": headers.get("x_code")}}).encode())
        await self.end()

    async def delta(self, content: str | None = None, finish: str | None = None, **extra: Any) -> None:
        choice = {"index": 0, "delta": {"content": content, **extra}, "finish_reason": finish}
        await self.event(
            {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
        )

    async def event(self, data: dict[str, Any]) -> None:
        await self.send(f"data: {json.dumps(data)}\n\n".encode())

    async def done(self) -> None:
        await self.send(b"data: [DONE]\n\n")
        await self.end()


@dataclass
class Endpoint:
    base_url: str
    requests: list[Exchange] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def endpoint(handler: Handler) -> AsyncIterator[Endpoint]:
    """Serve until the block ends; ``handler`` answers each request, ``hung_up`` is set when a client leaves
    while it is being answered."""
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                exchange = await _read(reader, writer, len(found.requests) + 1)
                found.requests.append(exchange)
                found.asked.set()
                await _answer(exchange, reader)
        finally:
            tasks.discard(task)
            writer.close()

    async def _answer(exchange: Exchange, reader: asyncio.StreamReader) -> None:
        answering = asyncio.ensure_future(handler(exchange))
        leaving = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if leaving.done() and not answering.done():
                found.hung_up.set()
        finally:
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    found = Endpoint(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
    try:
        yield found
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> Exchange:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Exchange(head[0].split()[1], headers, json.loads(body or b"{}"), writer, number)
