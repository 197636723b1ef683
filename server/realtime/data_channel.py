"""The Realtime protocol over a WebRTC data channel, beside the tracks of sound and picture."""

from __future__ import annotations

import asyncio
from typing import Protocol

from server.realtime.lifetime import Ending

FAREWELL_S = 0.2
"""Time for the last events to cross the network before the peer is closed: SCTP sends at once, and a lost packet is
not worth waiting for."""


class EventPeer(Protocol):
    """What of ``streaming.webrtc.peer.Peer`` is needed here."""

    def send(self, text: str) -> None: ...

    async def close(self) -> None: ...


class DataChannelTransport:
    """See ``session.Transport``."""

    has_track = True

    def __init__(self, peer: EventPeer, farewell_s: float = FAREWELL_S) -> None:
        self._peer = peer
        self._farewell_s = farewell_s
        self._sent = False
        self._closed = False

    def send(self, text: str) -> None:
        if not self._closed:
            self._sent = True
            self._peer.send(text)

    async def close(self, ending: Ending) -> None:
        if self._closed:
            return
        self._closed = True
        if ending.message and self._sent:
            await asyncio.sleep(self._farewell_s)
        await self._peer.close()
