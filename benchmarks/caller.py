"""A visitor without a browser: an aiortc peer that calls the server, keeps when packets come, and decodes nothing."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

import av
import httpx2
import numpy as np
from aiortc import AudioStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription
from aiortc.codecs.vpx import VpxPayloadDescriptor
from numpy.typing import NDArray

MICROPHONE_RATE_HZ = 48_000
FRAME_SAMPLES = 960


class Microphone(AudioStreamTrack):
    """Plays given sound in real time, and silence around it.

    ``say`` queues mono int16 samples at 48 kHz; ``said_at`` is when the last of them had been sent.
    """

    def __init__(self) -> None:
        super().__init__()
        self._queued: NDArray[np.int16] = np.zeros(0, np.int16)
        self._pts = 0
        self._started: float | None = None
        self.said_at: float | None = None

    def say(self, pcm48k: NDArray[np.int16]) -> None:
        self._queued = np.concatenate([self._queued, pcm48k])
        self.said_at = None

    async def recv(self) -> av.AudioFrame:
        now = time.monotonic()
        if self._started is None:
            self._started = now
        due = self._started + self._pts / MICROPHONE_RATE_HZ
        await asyncio.sleep(max(0.0, due - now))
        samples, self._queued = np.split(self._queued, [min(FRAME_SAMPLES, len(self._queued))])
        if len(samples) and not len(self._queued):
            self.said_at = time.monotonic()
        samples = np.pad(samples, (0, FRAME_SAMPLES - len(samples)))
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = MICROPHONE_RATE_HZ, self._pts
        self._pts += FRAME_SAMPLES
        return frame


@dataclass(slots=True)
class Arrivals:
    """When the packets of one stream came.

    Attributes:
        at: seconds (monotonic), one for every packet.
        rtp: RTP timestamps, as they came (uint32).
        bytes: payload bytes in all.
        keyframes_at: when pictures that stand alone (VP8) began to come, seconds.
    """

    at: list[float] = field(default_factory=list)
    rtp: list[int] = field(default_factory=list)
    bytes: int = 0
    keyframes_at: list[float] = field(default_factory=list)

    def lateness_ms(
        self, clock_rate_hz: int, period_ms: float, *, since: float = float("-inf"), until: float = float("inf")
    ) -> NDArray[np.float64]:
        """How late each frame (all packets of one RTP time) of a stream with one frame every ``period_ms`` was.

        Two things add up: how much later its last packet came than the promptest frame's, by the RTP times; and how
        far its RTP time lies beyond a period after the frame before it, since a server that has no frame ready gives
        the next one a later time. Shape [frames that came between ``since`` and ``until``].
        """
        if not self.at:
            return np.zeros(0)
        unwrapped = np.unwrap(np.array(self.rtp, float), period=2**32)[::-1]
        rtp, last = np.unique(unwrapped, return_index=True)  # of the reversed packets: the last one of each frame
        at = np.array(self.at)[::-1][last]
        delay_ms = (at - rtp / clock_rate_hz) * 1000
        gap_ms = np.maximum(0.0, np.diff(rtp, prepend=rtp[0]) * 1000 / clock_rate_hz - period_ms)
        inside = (at >= since) & (at <= until)
        if not inside.any():
            return np.zeros(0)
        return np.asarray(delay_ms - delay_ms[inside].min() + gap_ms)[inside]


class Caller:
    """One call. Use as an async context manager.

    Args:
        url: of the server.
        picture: ask for video too.
    """

    def __init__(self, url: str, *, picture: bool = True) -> None:
        self._url, self._picture = url, picture
        self.microphone = Microphone()
        self.sound, self.video = Arrivals(), Arrivals()
        self.events: list[dict[str, Any]] = []
        self.location = ""
        self._changed = asyncio.Event()
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._channel: Any = None

    async def __aenter__(self) -> Caller:
        peer = self._peer
        self._channel = peer.createDataChannel("oai-events")
        self._channel.on("message", self._on_message)
        peer.addTrack(self.microphone)
        if self._picture:
            peer.addTransceiver("video", direction="recvonly")
        for transceiver in peer.getTransceivers():
            arrivals = self.sound if transceiver.kind == "audio" else self.video
            _listen_in(transceiver.receiver, transceiver.kind, arrivals)
        await peer.setLocalDescription(await peer.createOffer())
        async with httpx2.AsyncClient(verify=False, timeout=30) as http:
            answer = await http.post(
                f"{self._url}/v1/realtime/calls",
                content=peer.localDescription.sdp,
                headers={"Content-Type": "application/sdp"},
            )
        if answer.status_code != 201:
            await peer.close()
            raise ConnectionError(f"{answer.status_code}: {answer.text[:300]}")
        self.location = answer.headers["Location"]
        await peer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        await self.wait_for("session.created")
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._peer.close()

    async def hang_up(self) -> None:
        """End the call at the server, as a page does."""
        async with httpx2.AsyncClient(verify=False, timeout=30) as http:
            await http.delete(self._url + self.location)

    def send(self, kind: str, **fields: Any) -> None:
        self._channel.send(json.dumps({"type": kind, **fields}))

    def ask(self, text: str) -> None:
        """Type a question."""
        content = [{"type": "input_text", "text": text}]
        self.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})
        self.send("response.create")

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    async def wait_for(self, kind: str, *, count: int = 1, seconds: float = 20) -> list[dict[str, Any]]:
        """Until ``count`` events of a type have come. Raises TimeoutError, naming what came."""
        try:
            async with asyncio.timeout(seconds):
                while len(self.of(kind)) < count:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            seen = sorted({event["type"] for event in self.events})
            raise TimeoutError(f"no {kind} x{count} within {seconds} s; seen: {seen}") from None
        return self.of(kind)

    def _on_message(self, message: str | bytes) -> None:
        self.events.append({"at": time.monotonic(), **json.loads(message)})
        self._changed.set()


def _listen_in(receiver: RTCRtpReceiver, kind: str, arrivals: Arrivals) -> None:
    """Count packets in place of decoding them: aiortc would decode whatever comes."""

    async def handle(packet: Any, arrival_time_ms: int) -> None:
        arrivals.at.append(time.monotonic())
        arrivals.rtp.append(packet.timestamp)
        arrivals.bytes += len(packet.payload)
        if kind == "video" and _begins_keyframe(packet.payload):
            arrivals.keyframes_at.append(arrivals.at[-1])

    receiver._handle_rtp_packet = handle  # type: ignore[method-assign]


def _begins_keyframe(payload: bytes) -> bool:
    """RFC 7741 section 4.3: the P bit of a VP8 frame's first byte is 0."""
    try:
        descriptor, frame = VpxPayloadDescriptor.parse(payload)
    except ValueError:
        return False
    return bool(descriptor.partition_start and descriptor.partition_id == 0 and frame and not frame[0] & 1)
