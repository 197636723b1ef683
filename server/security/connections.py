"""Connections on which a request is awaited: how long, and how many. uvicorn bounds neither: it waits for a first header,
and for one that trickles in, for ever."""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Callable, Iterable
from ipaddress import ip_address, ip_network
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from server.security.limits import client_network

REQUEST_S = 10.0
"""From the connection, or from the end of the last response, until a header is whole. A header of 1 kB takes well under a second on
any usable line; browsers reopen connections that they opened ahead of need."""

HANDSHAKE_S = 10.0
"""For TLS; asyncio's own bound is a minute."""

UNREAD_S = 30.0
"""How long a client may leave what was sent to it unread or unacknowledged before the system drops the connection."""

MAX_WAITING = 512
"""Connections that wait at once: half of the descriptors that a Linux process has by default."""

MAX_WAITING_OF_ONE = 64
"""Of one address: ten browsers behind it, each with the six connections that it keeps."""


class WaitingConnections:
    """Who has connected and not asked for anything yet. The oldest makes room for the newest: whoever holds connections open
    loses them, and a visitor who asks at once is served. Sans-I/O.

    Args:
        proxies: addresses or networks behind which many clients stand; for them only the bound on all connections holds.
        refused: told the code of every connection that is closed for its client's fault.
    """

    def __init__(
        self,
        proxies: Iterable[str] = (),
        refused: Callable[[str], None] = lambda code: None,
        *,
        most: int = MAX_WAITING,
        most_of_one: int = MAX_WAITING_OF_ONE,
    ) -> None:
        self.refused = refused
        self._proxies = [ip_network(proxy, strict=False) for proxy in proxies]
        self._most = most
        self._most_of_one = most_of_one
        self._waiting: OrderedDict[object, str] = OrderedDict()
        self._of: dict[str, OrderedDict[object, None]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, connection: object, address: str) -> Any | None:
        """Begin to wait; returns the connection that must be closed for it, already removed."""
        network = client_network(address)
        self._waiting[connection] = network
        of_one = self._of.setdefault(network, OrderedDict())
        of_one[connection] = None
        crowded: object | None = None
        if len(of_one) > self._most_of_one and not self._is_proxy(address):
            crowded = next(iter(of_one))
        elif len(self._waiting) > self._most:
            crowded = next(iter(self._waiting))
        if crowded is not None:
            self.remove(crowded)
        return crowded

    def remove(self, connection: object) -> None:
        """It waits no longer, or never did."""
        network = self._waiting.pop(connection, None)
        if network is not None:
            del self._of[network][connection]
            if not self._of[network]:
                del self._of[network]

    def _is_proxy(self, address: str) -> bool:
        try:
            return any(ip_address(address) in proxy for proxy in self._proxies)
        except ValueError:
            return False


class BoundedHttp(H11Protocol):
    """uvicorn's HTTP/1.1, with a deadline for every request's header. What follows the header is bounded by ``BodyLimit``; a body
    that nobody reads, because the answer did not need it, must end by the same deadline.

    Args:
        waiting: shared by all connections of a server.
        request_s: see ``REQUEST_S``.
    """

    def __init__(
        self,
        waiting: WaitingConnections,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        request_s: float = REQUEST_S,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._waiting = waiting
        self._request_s = request_s
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._look()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_waiting()

    def _look(self) -> None:
        """After everything that may have begun or ended a request."""
        answering = self.cycle is not None and not self.cycle.response_complete
        upgraded = self.transport.get_protocol() is not self
        if answering or upgraded or self.transport.is_closing():
            self._stop_waiting()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self._request_s, self._give_up, "request_timeout")
            crowded = self._waiting.add(self, self.client[0] if self.client else "unknown")
            if crowded is not None:
                crowded._give_up("too_many_connections")

    def _stop_waiting(self) -> None:
        self._waiting.remove(self)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self, code: str) -> None:
        self._stop_waiting()
        begun = bool(self.conn.trailing_data[0]) or (self.cycle is not None and self.conn.their_state is h11.SEND_BODY)
        if begun:  # a connection without a request is one that a browser keeps, or that it opened ahead of need
            self._waiting.refused(code)
        if begun and self.conn.our_state is h11.IDLE:
            self._answer_408()
        self.transport.close()

    def _answer_408(self) -> None:
        """RFC 9110, section 15.5.9."""
        headers = [(b"content-length", b"0"), (b"connection", b"close")]
        for event in (h11.Response(status_code=408, headers=headers, reason=b"Request Timeout"), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")


class ServingLoop(asyncio.SelectorEventLoop):
    """An event loop whose TLS servers wait ``HANDSHAKE_S`` for a handshake; uvicorn has no setting for it."""

    handshake_s = HANDSHAKE_S

    async def create_server(self, *args: Any, **options: Any) -> asyncio.Server:
        if options.get("ssl") is not None:
            options.setdefault("ssl_handshake_timeout", self.handshake_s)
        return await super().create_server(*args, **options)


def bound_unread(listener: socket.socket) -> None:
    """Have the system drop clients that stop reading, where it can (Linux); accepted sockets inherit it."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(UNREAD_S * 1000))
