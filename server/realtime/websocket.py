"""The Realtime protocol over a WebSocket: events as text frames, sound inside them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

from starlette.websockets import WebSocket, WebSocketDisconnect

from server.realtime.lifetime import CLIENT_LEFT, SLOW_READER, TRANSPORT_LOST, Ending
from server.realtime.session import RealtimeSession

MAX_UNSENT_BYTES = 8 * 1024 * 1024
"""Events waiting for a slow reader: two minutes of sound at 24 kHz in base64."""

CLOSE_S = 2.0
"""How long the last events may take to leave."""


class WebSocketTransport:
    """See ``session.Transport``. Sending never blocks; one task writes."""

    has_track = False

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._unsent: deque[str] = deque()
        self._unsent_bytes = 0
        self._wake = asyncio.Event()
        self._closing = False
        self._session: RealtimeSession | None = None
        self._writer = asyncio.create_task(self._write())

    def bind(self, session: RealtimeSession) -> None:
        """The session to tell when the client reads too slowly or is gone."""
        self._session = session

    def send(self, text: str) -> None:
        if self._closing:
            return
        if self._unsent_bytes > MAX_UNSENT_BYTES:
            if self._session is not None:
                self._session.end(SLOW_READER)
            return
        self._unsent.append(text)
        self._unsent_bytes += len(text)
        self._wake.set()

    async def close(self, ending: Ending) -> None:
        if self._closing:
            return
        self._closing = True
        self._wake.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await asyncio.gather(self._writer, return_exceptions=True)
        self._writer.cancel()
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_S):
                await self._websocket.close(ending.close_code, ending.message[:120])

    async def _write(self) -> None:
        try:
            while True:
                while self._unsent:
                    text = self._unsent.popleft()
                    self._unsent_bytes -= len(text)
                    await self._websocket.send_text(text)
                if self._closing:
                    return
                self._wake.clear()
                await self._wake.wait()
        except (WebSocketDisconnect, RuntimeError, OSError):  # RuntimeError: the peer closed while we wrote
            self._closing = True
            if self._session is not None:
                self._session.end(TRANSPORT_LOST)


async def read_events(websocket: WebSocket, session: RealtimeSession) -> None:
    """Hand the client's frames to the session until it closes."""
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            code = message.get("code")
            session.end(CLIENT_LEFT if code in (1000, 1001, 1005) else TRANSPORT_LOST)
            return
        text = message.get("text")
        await session.receive_patiently(text if text is not None else message.get("bytes") or b"")
