"""A uvicorn server that lets conversations come to an end before it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import uvicorn


class DrainingServer(uvicorn.Server):
    """At SIGINT or SIGTERM: drain first, while the listener stays open so that new visitors are told 503 rather than
    nothing; then stop. Ctrl+C again cuts the draining short.

    Args:
        drain: ends what is going on; returns when it has.
    """

    def __init__(self, config: uvicorn.Config, drain: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._drain = drain

    async def main_loop(self) -> None:
        await super().main_loop()
        draining = asyncio.ensure_future(self._drain())
        while not draining.done() and not self.force_exit:
            await asyncio.wait([draining], timeout=0.1)
        if not draining.done():
            draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)
