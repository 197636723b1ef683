"""A uvicorn server that lets conversations come to an end before it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import uvicorn


class DrainingServer(uvicorn.Server):
    """At SIGINT or SIGTERM: drain first, while the listener stays open so that new visitors are told 503 rather than
    nothing; then stop. Ctrl+C again cuts the draining short, and still leaves nothing behind.

    Args:
        drain: given the seconds that it may take, ends what is going on; returns when it has.
        drain_s: those seconds.
    """

    def __init__(self, config: uvicorn.Config, drain: Callable[[float], Awaitable[None]], drain_s: float) -> None:
        super().__init__(config)
        self._drain = drain
        self._drain_s = drain_s

    async def main_loop(self) -> None:
        await super().main_loop()
        draining = asyncio.ensure_future(self._drain(self._drain_s))
        while not draining.done() and not self.force_exit:
            await asyncio.wait([draining], timeout=0.1)
        if not draining.done():
            draining.cancel()
            await asyncio.gather(draining, return_exceptions=True)
            self.force_exit = False
            await self._drain(0)
