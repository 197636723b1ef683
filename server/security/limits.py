"""Rates and sizes: token buckets per client address, and a bound on request bodies before they are read."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import RequestTimeout, ServerError, TooLarge, TooManyRequests

MAX_BODY_BYTES = 256 * 1024
"""Largest request body: an SDP offer (64 kB) and a session with long instructions fit with room to spare."""

BODY_TIMEOUT_S = 15.0
"""A body this small arrives in well under a second on any usable line; what is slower holds a connection open."""

MAX_ADDRESSES = 4096
"""Client addresses remembered at once (about 1 MB); the one not seen for longest is forgotten first."""


@dataclass(slots=True)
class TokenBucket:
    """Lets ``rate`` units a second through on average and ``burst`` at once. Sans-I/O.

    Attributes:
        rate: units a second.
        burst: most units that may pass at once.
    """

    rate: float
    burst: float
    level: float = -1.0
    updated: float = 0.0

    def take(self, now: float, amount: float = 1.0) -> float:
        """Take ``amount`` if it is there.

        Returns:
            0.0 when it was, else the seconds until it will be (nothing is taken).
        """
        if self.level < 0:
            self.level = self.burst
        else:
            self.level = min(self.burst, self.level + (now - self.updated) * self.rate)
        self.updated = now
        if amount <= self.level + 1e-9:  # else rounding could ask for a wait too short for any clock to show
            self.level = max(0.0, self.level - amount)
            return 0.0
        return (amount - self.level) / self.rate


class AddressLimiter:
    """One bucket per client address, in a table that cannot grow without bound.

    IPv6 clients own at least a /64, so that is what counts as their address.

    Args:
        per_minute: requests a minute on average; as many may come at once.
        clock: seconds, monotonic.
    """

    def __init__(self, per_minute: float, clock: Callable[[], float]) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def check(self, address: str) -> None:
        """Count one request.

        Raises:
            TooManyRequests: with the seconds to wait.
        """
        key = client_network(address)
        bucket = self._buckets.pop(key, None) or TokenBucket(self._per_minute / 60, self._per_minute)
        self._buckets[key] = bucket
        while len(self._buckets) > MAX_ADDRESSES:
            self._buckets.popitem(last=False)
        wait_s = bucket.take(self._clock())
        if wait_s > 0:
            raise TooManyRequests(
                f"Too many requests from this address: {self._per_minute:g} a minute are allowed. "
                f"Try again in {max(1, round(wait_s))} s.",
                retry_after_s=wait_s,
            )


def client_network(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 that an IPv6 client owns at least."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address  # a test client or a Unix socket
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(IPv6Address(int(parsed) >> 64 << 64))
    return str(parsed)


class BodyLimit:
    """ASGI middleware: refuses a body that is too large or too slow before anything reads it whole."""

    def __init__(self, app: ASGIApp, max_bytes: int = MAX_BODY_BYTES, timeout_s: float = BODY_TIMEOUT_S) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        too_large = TooLarge(f"The request body may have at most {self._max_bytes} bytes.")
        for name, value in scope["headers"]:
            if name == b"content-length" and (not value.isdigit() or int(value) > self._max_bytes):
                await _refuse(too_large, send)
                return
        received = 0
        complete = False
        deadline = asyncio.get_running_loop().time() + self._timeout_s

        async def bounded() -> Message:
            nonlocal received, complete
            if complete:  # what follows the body is only the client's leaving: wait as long as it takes
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise RequestTimeout(f"The request body did not arrive within {self._timeout_s:g} s.") from None
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if received > self._max_bytes:
                raise too_large
            return message

        await self._app(scope, bounded, send)


async def _refuse(error: ServerError, send: Send) -> None:
    from starlette.responses import JSONResponse

    response = JSONResponse(error.to_json(), error.status, error.headers() | {"Connection": "close"})
    await response({"type": "http"}, _nothing, send)


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
