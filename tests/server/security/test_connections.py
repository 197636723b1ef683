"""Connections that ask for nothing, or never finish asking."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from uvicorn.server import ServerState

from server.app import create_app
from server.config import Settings
from server.security.certificate import self_signed
from server.security.connections import (
    MAX_WAITING_OF_ONE,
    REQUEST_S,
    UNREAD_S,
    BoundedHttp,
    ServingLoop,
    WaitingConnections,
    bound_unread,
)
from server.security.limits import BODY_TIMEOUT_S, BodyLimit
from tests.server.fakes import FakeConversations, fake_engines
from tests.server.live import running
from tests.virtual_time import run_virtually

GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n\r\n"


class Line(asyncio.Transport):
    """The client's end of a connection: what the server wrote, and whether it closed."""

    def __init__(self, address: str = "192.0.2.1") -> None:
        super().__init__({"peername": (address, 40000), "sockname": ("192.0.2.9", 443)})
        self.written = b""
        self.closed = False
        self.protocol: asyncio.BaseProtocol | None = None

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self.protocol is not None
        return self.protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Host:
    """Connects lines to an application."""

    def __init__(self, app: Any, **waiting: Any) -> None:
        self.refused: list[str] = []
        self.waiting = WaitingConnections(refused=self.refused.append, **waiting)
        self._config = uvicorn.Config(app, ws="websockets-sansio", log_level="critical", access_log=False)
        self._state = ServerState()

    def connect(self, address: str = "192.0.2.1") -> tuple[Line, Callable[[bytes], None]]:
        """The line, and what the client sends with."""
        line = Line(address)
        protocol = BoundedHttp(self.waiting, self._config, self._state, {})
        line.protocol = protocol
        protocol.connection_made(line)
        return line, lambda data: None if line.closed else protocol.data_received(data)

    async def ended(self) -> None:
        while self._state.tasks:
            await asyncio.gather(*self._state.tasks, return_exceptions=True)


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Reads nothing."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def drip(line: Line, send: Callable[[bytes], None], data: bytes = b"x" * 1000) -> float:
    """A byte a second until the line is closed; the seconds that took."""
    began = asyncio.get_running_loop().time()
    for byte in data:
        if line.closed:
            break
        send(bytes([byte]))
        await asyncio.sleep(1)
    return asyncio.get_running_loop().time() - began


def test_a_client_that_sends_nothing_is_let_go() -> None:
    async def run() -> None:
        host = Host(answer)
        line, _ = host.connect()
        await asyncio.sleep(REQUEST_S - 0.1)
        assert not line.closed and len(host.waiting) == 1
        await asyncio.sleep(0.2)
        assert line.closed and not line.written and not len(host.waiting)
        assert not host.refused, "browsers open connections ahead of need"

    run_virtually(run())


def test_a_header_that_trickles_in_is_not_waited_for() -> None:
    async def run() -> None:
        host = Host(answer)
        line, send = host.connect()
        assert await drip(line, send, GET * 100) == pytest.approx(REQUEST_S, abs=1)
        assert line.closed and line.written.startswith(b"HTTP/1.1 408 ") and b"close" in line.written
        assert host.refused == ["request_timeout"] and not len(host.waiting)

    run_virtually(run())


def test_the_deadline_holds_for_every_request_of_a_connection() -> None:
    async def run() -> None:
        host = Host(answer)
        line, send = host.connect()
        for _ in range(5):
            send(GET)
            await host.ended()
            assert line.written.endswith(b"ok")
            await asyncio.sleep(4)  # uvicorn itself closes after 5 s without a byte
        assert not line.closed
        send(GET)
        await host.ended()
        assert await drip(line, send, GET) == pytest.approx(REQUEST_S, abs=1)
        assert line.closed

    run_virtually(run())


def test_an_answer_may_take_as_long_as_it_takes() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(10 * REQUEST_S)
        await answer(scope, receive, send)

    async def run() -> None:
        host = Host(slow)
        line, send = host.connect()
        await asyncio.sleep(REQUEST_S - 1)
        send(GET)
        assert not len(host.waiting)
        await host.ended()
        assert line.written.endswith(b"ok") and not line.closed and len(host.waiting) == 1
        await asyncio.sleep(REQUEST_S)
        assert line.closed

    run_virtually(run())


def test_a_body_that_nobody_reads_does_not_hold_the_connection() -> None:
    async def run() -> None:
        host = Host(answer)
        line, send = host.connect()
        send(POST)
        await host.ended()
        assert line.written.endswith(b"ok")
        assert await drip(line, send) == pytest.approx(REQUEST_S, abs=1)
        assert line.closed and host.refused == ["request_timeout"]

    run_virtually(run())


def test_a_body_that_trickles_in_is_not_waited_for() -> None:
    took: list[float] = []

    async def read(scope: Any, receive: Any, send: Any) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            while (await receive())["more_body"]:
                pass
        finally:
            took.append(loop.time() - began)

    async def run() -> None:
        host = Host(BodyLimit(read))
        line, send = host.connect()
        send(POST)
        await drip(line, send, b"x" * 100)
        await host.ended()
        assert took == [pytest.approx(BODY_TIMEOUT_S, abs=0.1)]
        assert b" 500 " in line.written and line.closed

    run_virtually(run())


def test_a_websocket_is_not_awaited_any_more() -> None:
    async def accept(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async def run() -> None:
        host = Host(accept)
        line, send = host.connect()
        send(
            b"GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await asyncio.sleep(1.5 * REQUEST_S)
        assert b" 101 " in line.written and not line.closed and not len(host.waiting)
        assert isinstance(line.protocol, asyncio.Protocol)
        line.protocol.connection_lost(None)
        await host.ended()

    run_virtually(run())


def test_a_request_that_makes_no_sense_ends_the_waiting() -> None:
    async def run() -> None:
        host = Host(answer)
        line, send = host.connect()
        send(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert b" 400 " in line.written and line.closed and not len(host.waiting)

    run_virtually(run())


def test_the_oldest_make_room() -> None:
    async def run() -> None:
        host = Host(answer, most=4, most_of_one=2, proxies=["198.51.100.0/24"])
        first, second, third = (host.connect("192.0.2.1")[0] for _ in range(3))
        assert [line.closed for line in (first, second, third)] == [True, False, False]
        proxied = [host.connect("198.51.100.7")[0] for _ in range(3)]
        assert second.closed and not third.closed, "of all, the oldest"
        assert not any(line.closed for line in proxied), "many clients stand behind a proxy"
        assert len(host.waiting) == 4
        host.connect("2001:db8::1"), host.connect("2001:db8::2"), host.connect("unknown")
        await asyncio.sleep(REQUEST_S + 1)
        assert not len(host.waiting) and not host.waiting._of

    run_virtually(run())


async def test_silent_connections_cannot_keep_visitors_out(tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path), fake_engines(), conversations=FakeConversations())
    async with running(app) as port, httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MAX_WAITING_OF_ONE + 1)]
        assert await asyncio.wait_for(silent[0][0].read(), 5) == b""
        assert (await http.get("/health")).status_code == 200
        for _, writer in silent:
            writer.close()
            await writer.wait_closed()


def test_a_tls_handshake_is_awaited_for_a_bounded_time(tmp_path: Path) -> None:
    pair = self_signed(["localhost"], days=1)
    (tmp_path / "cert.pem").write_bytes(pair.cert_pem)
    (tmp_path / "key.pem").write_bytes(pair.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")

    class Impatient(ServingLoop):
        handshake_s = 0.05

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=context)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()

    with asyncio.Runner(loop_factory=Impatient) as runner:
        runner.run(run())


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux has it")
def test_clients_that_do_not_read_are_dropped_by_the_system() -> None:
    with socket.socket() as listener, socket.socket() as client:
        bound_unread(listener)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client.connect(listener.getsockname())
        with listener.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == UNREAD_S * 1000
