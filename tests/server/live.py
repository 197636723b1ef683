"""A real uvicorn server on a free port, in the test's own event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from server.draining import DrainingServer
from server.serving import uvicorn_config


@asynccontextmanager
async def serving(app: FastAPI, *, drain_s: float = 0) -> AsyncIterator[tuple[DrainingServer, int]]:
    """The server and its port, as ``server.serving`` runs it; stopped at the end where it has not been."""
    server = DrainingServer(uvicorn_config(app), app.state.parley.registry.drain, drain_s)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not task.done():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        try:
            yield server, listener.getsockname()[1]
        finally:
            server.should_exit = True
            await task


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[int]:
    """The port that ``app`` is served on."""
    async with serving(app) as (_, port):
        yield port
