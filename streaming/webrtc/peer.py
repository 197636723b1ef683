"""``Peer``: one browser on the other end. Answers its offer; sound, picture and messages go both ways."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from aiortc import RTCConfiguration, RTCDataChannel, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcicetransport import RTCIceCandidate, RTCIceTransport
from aiortc.rtcrtptransceiver import RTCRtpTransceiver
from numpy.typing import NDArray

from streaming.errors import NegotiationFailed
from streaming.webrtc import rtcp_feedback
from streaming.webrtc.absence import Absence
from streaming.webrtc.event_channel import EventChannel
from streaming.webrtc.message_limit import limit_messages
from streaming.webrtc.microphone import Microphone
from streaming.webrtc.offer import Offer, read_offer
from streaming.webrtc.packet_track import PacketTrack
from streaming.webrtc.udp_ports import UdpPorts, listen_on

log = logging.getLogger(__name__)

CHANNEL_LABEL = "oai-events"
CONNECT_TIMEOUT_S = 20.0
"""From the answer to a connection. A browser that has the answer connects within a second or two."""
SILENT_S = 10.0
"""A client that plays or sends anything reports every second or so (RFC 3550 section 6.2). ICE itself would notice
after half a minute; five seconds without a network are to be survived."""
LOOK_S = 0.1
"""How often to look for what does not come."""


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """
    Attributes:
        udp_ports: where to listen.
        ice_servers: STUN and TURN servers (aiortc uses the first of each); none by default, since a server
            that clients can reach needs none.
        codec: of the picture where the client takes it, "VP8" or "H264".
    """

    udp_ports: UdpPorts = field(default_factory=UdpPorts)
    ice_servers: tuple[RTCIceServer, ...] = ()
    codec: str = "VP8"


class Peer:
    """One WebRTC connection. All callbacks are made in the event loop.

    Args:
        on_pcm: the user's sound, mono int16 16 kHz, in order, as it arrives.
        on_message: what came over the data channel.
        on_open: the data channel is open; messages sent earlier have been kept for it.
        on_closed: the connection is over, with the reason; called once, not for ``close``.

    Attributes:
        audio: send Opus packets here.
        video: send pictures here; None where the client wants none.
        codec: of the pictures, "VP8" or "H264".
        on_keyframe_request, on_bitrate: set by whoever makes the pictures.
        last_received_s: event loop time when the client was last heard of.
    """

    def __init__(
        self,
        *,
        on_pcm: Callable[[NDArray[np.int16]], None],
        on_message: Callable[[str | bytes], None],
        on_open: Callable[[], None],
        on_closed: Callable[[str], None],
        settings: PeerSettings | None = None,
    ) -> None:
        self.audio = PacketTrack("audio")
        self.video: PacketTrack | None = None
        self.on_keyframe_request: Callable[[], None] = lambda: None
        self.on_bitrate: Callable[[int], None] = lambda bitrate_bps: None
        self.last_received_s = asyncio.get_running_loop().time()
        self._on_pcm = on_pcm
        self._on_message = on_message
        self._on_closed = on_closed
        self._settings = settings or PeerSettings()
        self.codec = self._settings.codec
        self._channel = EventChannel(on_open, lambda: self._end("the client does not read its events"))
        self._connection: RTCPeerConnection | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle | None = None
        self._microphone: Microphone | None = None
        self._absence = Absence()
        self._resolving: asyncio.Task[None] | None = None
        self._over = False

    @property
    def video_wanted(self) -> bool:
        """Whether the client receives a picture; known after ``answer``."""
        return self.video is not None

    @property
    def connected(self) -> bool:
        return self._connection is not None and self._connection.connectionState == "connected"

    async def answer(self, offer_sdp: str) -> str:
        """Answer the client's offer; once.

        Returns:
            The SDP answer, with every candidate of ours.

        Raises:
            NegotiationFailed: the offer cannot be answered; the message says why.
        """
        offer = read_offer(offer_sdp, self._settings.codec)
        self._connection = connection = RTCPeerConnection(RTCConfiguration(iceServers=list(self._settings.ice_servers)))
        connection.on("connectionstatechange", self._state_changed)
        connection.on("datachannel", self._channel_opened)
        try:
            await connection.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
            self._take_sections(offer, connection.getTransceivers())
            for transport in self._ice_transports():
                listen_on(transport._connection, self._settings.udp_ports)
            if connection.sctp is not None:
                limit_messages(connection.sctp, lambda: self._end("the client sent a message that is too long"))
            await connection.setLocalDescription()
        except Exception as error:  # aiortc lets its parser's and its state's errors through as they come
            await self.close()
            raise NegotiationFailed(f"The SDP offer cannot be answered ({type(error).__name__}: {error}).") from error
        if offer.mdns_candidates:
            self._resolving = asyncio.create_task(self._resolve(offer.mdns_candidates))
        loop = asyncio.get_running_loop()
        self.last_received_s = loop.time()
        self._deadline = loop.call_later(
            CONNECT_TIMEOUT_S, self._end, f"no connection within {CONNECT_TIMEOUT_S:.0f} s of the answer"
        )
        return connection.localDescription.sdp

    def send(self, text: str) -> None:
        """Send a message over the data channel; kept until it opens.

        A client that does not read is closed rather than waited for.
        """
        self._channel.send(text)

    async def close(self) -> None:
        """Close the connection; returns when nothing of it is left."""
        self._over = True
        for timer in (self._deadline, self._look):
            if timer is not None:
                timer.cancel()
        for track in (self.audio, self.video):
            if track is not None:
                track.stop()
        if self._resolving is not None:
            self._resolving.cancel()
            await asyncio.wait([self._resolving])
        if self._connection is not None:
            connecting = self._connection.connectionState == "connecting"
            await self._connection.close()
            if connecting:  # aioice looks up from its search for a path every 20 ms
                await asyncio.sleep(0.03)

    def _take_sections(self, offer: Offer, transceivers: list[RTCRtpTransceiver]) -> None:
        for transceiver in transceivers:
            line = transceiver._get_mline_index()
            if line == offer.audio:
                self._take_audio(offer, transceiver)
            elif line == offer.video:
                self._take_video(offer, transceiver)
            else:
                transceiver.direction = "inactive"

    def _take_audio(self, offer: Offer, transceiver: RTCRtpTransceiver) -> None:
        directions = {(True, True): "sendrecv", (True, False): "sendonly", (False, True): "recvonly"}
        transceiver.direction = directions.get((offer.plays, offer.hears), "inactive")
        if offer.plays:
            transceiver.sender.replaceTrack(self.audio)
            rtcp_feedback.listen(transceiver.sender, on_report=self._heard_of)
        if offer.hears:
            self._microphone = Microphone(self._heard, on_packet=self._heard_of)
            self._microphone.attach(transceiver.receiver)

    def _take_video(self, offer: Offer, transceiver: RTCRtpTransceiver) -> None:
        self.video, self.codec = PacketTrack("video"), offer.codec
        self.video.on_needs_keyframe = lambda: self.on_keyframe_request()
        transceiver.direction = "sendonly"  # a camera is not looked at
        transceiver.sender.replaceTrack(self.video)
        rtcp_feedback.listen(
            transceiver.sender,
            on_report=self._heard_of,
            on_keyframe_request=lambda: self.on_keyframe_request(),
            on_bitrate=lambda bitrate_bps: self.on_bitrate(bitrate_bps),
        )

    async def _resolve(self, candidates: tuple[RTCIceCandidate, ...]) -> None:
        """Ask the local network for the client's hidden addresses. Nobody waits for it: mostly the client's
        own checks arrive first, and it helps only where a firewall lets nothing in that we did not send to."""
        (transport, *_) = self._ice_transports()
        await asyncio.gather(
            *(transport.addRemoteCandidate(candidate) for candidate in candidates),
            return_exceptions=True,  # no multicast here, or port 5353 is taken
        )

    def _ice_transports(self) -> set[RTCIceTransport]:
        assert self._connection is not None
        sections = [transceiver.receiver.transport for transceiver in self._connection.getTransceivers()]
        if self._connection.sctp is not None:
            sections.append(self._connection.sctp.transport)
        return {section.transport for section in sections}

    def _state_changed(self) -> None:
        assert self._connection is not None
        state = self._connection.connectionState
        if state == "connected" and self._deadline is not None:
            self._deadline.cancel()
            self._heard_of()
            self._look_after()
        elif state == "failed":
            self._end("the connection failed")
        elif state == "closed":
            self._end("the client closed the connection")

    def _channel_opened(self, channel: RTCDataChannel) -> None:
        if channel.label != CHANNEL_LABEL or self._over:
            return
        channel.on("message", self._message)
        channel.on("close", lambda: self._end("the client closed the event channel"))
        self._channel.open(channel)

    def _message(self, message: str | bytes) -> None:
        self._heard_of()
        if not self._over:
            self._on_message(message)

    def _end(self, reason: str) -> None:
        if not self._over:
            self._over = True
            self._on_closed(reason)

    def _look_after(self) -> None:
        """Notice what does not come."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now - self.last_received_s > SILENT_S:
            return self._end(f"nothing was heard of the client for {SILENT_S:.0f} s")
        if self._microphone is not None:
            silence_s = self._absence.look(now, self._microphone.packets)
            if silence_s:
                self._microphone.pause(silence_s)
        self._look = loop.call_later(LOOK_S, self._look_after)

    def _heard(self, pcm16k: NDArray[np.int16]) -> None:
        if not self._over:
            self._on_pcm(pcm16k)

    def _heard_of(self) -> None:
        self.last_received_s = asyncio.get_running_loop().time()
