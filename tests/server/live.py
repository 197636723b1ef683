"""A real uvicorn server on a free port, in the test's own event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from server.realtime.parse import MAX_EVENT_BYTES


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[int]:
    """The port that ``app`` is served on, as ``server.serving`` serves it."""
    config = uvicorn.Config(
        app, ws="websockets-sansio", log_level="warning", access_log=False, proxy_headers=False,
        ws_max_size=MAX_EVENT_BYTES, timeout_graceful_shutdown=2,
    )  # fmt: skip
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await task
