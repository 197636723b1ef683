"""A track of packets that we encoded ourselves; aiortc only puts them into RTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Literal

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

MAX_WAITING = 50
"""Packets not fetched by the sender. It fetches each at once; a second of sound waiting means it is stuck."""


class PacketTrack(MediaStreamTrack):
    """Sends each packet as it comes, with the time it was given.

    Nothing is kept from before the sender fetches for the first time (the connection is up), and nothing is sent
    of a picture until its first keyframe.

    Attributes:
        on_needs_keyframe: the receiver cannot show the picture until one is sent.
        sent_bytes: since the beginning.
    """

    def __init__(self, kind: Literal["audio", "video"]) -> None:
        super().__init__()
        self.kind = kind
        self.on_needs_keyframe: Callable[[], None] = lambda: None
        self.sent_bytes = 0
        self._time_base = Fraction(1, 48_000 if kind == "audio" else 90_000)
        self._packets: asyncio.Queue[av.Packet[Any] | None] = asyncio.Queue()
        self._connected = False
        self._needs_keyframe = kind == "video"

    def send(self, data: bytes, pts: int, *, keyframe: bool = True) -> None:
        """Queue one encoded frame for sending. ``pts``: RTP time, 48 kHz for sound, 90 kHz for pictures."""
        if not self._connected or self.readyState != "live":
            return
        if self._packets.qsize() >= MAX_WAITING:
            while not self._packets.empty():
                self._packets.get_nowait()
            self._lose_picture()
        if self._needs_keyframe and not keyframe:
            return
        self._needs_keyframe = False
        packet: av.Packet[Any] = av.Packet(data)
        packet.pts, packet.time_base = pts, self._time_base
        self._packets.put_nowait(packet)
        self.sent_bytes += len(data)

    async def recv(self) -> av.Packet[Any]:
        if not self._connected:
            self._connected = True
            self._lose_picture()
        packet = await self._packets.get() if self.readyState == "live" else None
        if packet is None:
            raise MediaStreamError
        return packet

    def stop(self) -> None:
        super().stop()
        self._packets.put_nowait(None)

    def _lose_picture(self) -> None:
        if self.kind == "video":
            self._needs_keyframe = True
            self.on_needs_keyframe()
