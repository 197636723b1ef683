"""A browser's part, played by aiortc."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, MediaStreamTrack
from aiortc.rtp import RtpPacket
from numpy.typing import NDArray

from streaming.webrtc.peer import Peer, PeerSettings


class Client:
    """Attributes:
    packets: RTP received, by kind.
    frames: decoded frames received, by kind.
    messages: received over the data channel.
    """

    def __init__(
        self,
        *,
        video: str | None = "recvonly",
        audio: str = "sendrecv",
        label: str | None = "oai-events",
        microphone: MediaStreamTrack | None = None,
    ) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.packets: dict[str, list[RtpPacket]] = {"audio": [], "video": []}
        self.frames: dict[str, list[Any]] = {"audio": [], "video": []}
        self.messages: list[str | bytes] = []
        self._tasks: list[asyncio.Task[None]] = []
        track = (microphone or AudioStreamTrack()) if audio.startswith("send") else "audio"
        self.connection.addTransceiver(track, direction=audio)
        if video:
            self.connection.addTransceiver("video", direction=video)
        self.channel = self.connection.createDataChannel(label) if label else None
        if self.channel:
            self.channel.on("message", self.messages.append)
        self.connection.on("track", self._consume)

    async def offer(self) -> str:
        await self.connection.setLocalDescription()
        return str(self.connection.localDescription.sdp)

    async def accept(self, answer: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def close(self) -> None:
        await self.connection.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def receiver(self, kind: str) -> Any:
        return next(t.receiver for t in self.connection.getTransceivers() if t.kind == kind)

    def _consume(self, track: MediaStreamTrack) -> None:
        receiver = self.receiver(track.kind)
        handle = receiver._handle_rtp_packet

        async def record(packet: RtpPacket, arrival_time_ms: int) -> None:
            self.packets[track.kind].append(packet)
            await handle(packet, arrival_time_ms)

        receiver._handle_rtp_packet = record
        self._tasks.append(asyncio.ensure_future(self._read(track)))

    async def _read(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                self.frames[track.kind].append(await track.recv())
        except MediaStreamError:
            pass


class Host:
    """A peer whose callbacks are written down."""

    def __init__(self, settings: PeerSettings | None = None) -> None:
        self.pcm: list[NDArray[np.int16]] = []
        self.messages: list[str | bytes] = []
        self.opened = 0
        self.closed: list[str] = []
        self.peer = Peer(
            on_pcm=self.pcm.append,
            on_message=self.messages.append,
            on_open=self._open,
            on_closed=self.closed.append,
            settings=settings,
        )

    def _open(self) -> None:
        self.opened += 1


async def until(condition: Callable[[], object], within_s: float = 10.0) -> None:
    """Wait for something that comes over the network."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@asynccontextmanager
async def call(
    client: Client | None = None, host: Host | None = None, **wishes: Any
) -> AsyncIterator[tuple[Host, Client]]:
    """A client connected to a host."""
    client, host = client or Client(**wishes), host or Host()
    try:
        await client.accept(await host.peer.answer(await client.offer()))
        await until(lambda: host.peer.connected and client.connection.connectionState == "connected")
        await until(lambda: client.channel is None or client.channel.readyState == "open")
        yield host, client
    finally:
        await host.peer.close()
        await client.close()


def without_candidates(sdp: str) -> str:
    """As a client sends it that does not wait for its own addresses."""
    return re.sub(r"a=(candidate|end-of-candidates).*\r\n", "", sdp)
