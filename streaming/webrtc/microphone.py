"""The user's voice: RTP packets of Opus in, 16 kHz PCM out, as soon as each arrives.

It stands where aiortc's receiver keeps its jitter buffer. That one is made for playing: it holds 80 ms back,
decodes in a thread, and after a lost packet holds 300 ms back for the rest of the call. Hearing needs no even
pace, only order and no holes.
"""

from __future__ import annotations

from collections.abc import Callable

import av
import numpy as np
import soxr
from aiortc import RTCRtpReceiver
from aiortc.rtp import RtpPacket
from numpy.typing import NDArray

from streaming.hearing.segment import RATE_HZ

OPUS_RATE_HZ = 48_000
JITTER_BUFFER = "_RTCRtpReceiver__jitter_buffer"
"""aiortc's private name; tests/streaming/webrtc/test_microphone.py holds it."""
MAX_HELD = 3
"""Packets (of 20 ms) held for one that is late; then it is lost. Wi-Fi reorders by one or two."""
MAX_SILENCE = OPUS_RATE_HZ
"""Longest stretch that a hole in RTP time is filled with; a longer one is a pause of the sender, not a loss."""


class Microphone:
    """Puts packets in order, decodes, fills holes with silence, resamples.

    Args:
        on_pcm: called in the event loop with mono int16 16 kHz, in order, mostly 20 ms at a time.
        on_packet: a packet has arrived.

    Attributes:
        packets: that arrived, in all.
    """

    capacity = MAX_HELD

    def __init__(
        self, on_pcm: Callable[[NDArray[np.int16]], None], *, on_packet: Callable[[], None] = lambda: None
    ) -> None:
        self.packets = 0
        self._on_pcm = on_pcm
        self._on_packet = on_packet
        self._decoder = av.CodecContext.create("libopus", "r")
        self._decoder.sample_rate, self._decoder.layout = OPUS_RATE_HZ, "mono"
        # "LQ" delays by 6 ms, "HQ" by 21 ms; its softer filter is past what speech recognition reads.
        self._resampler = soxr.ResampleStream(OPUS_RATE_HZ, RATE_HZ, 1, dtype="int16", quality="LQ")
        self._held: dict[int, RtpPacket] = {}
        self._next_sequence: int | None = None
        self._next_timestamp: int | None = None

    def attach(self, receiver: RTCRtpReceiver) -> None:
        """Take the place of ``receiver``'s jitter buffer."""
        setattr(receiver, JITTER_BUFFER, self)

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        """A packet has arrived. Always (False, None): no picture was lost, and aiortc has nothing to decode."""
        self.packets += 1
        self._on_packet()
        if self._next_sequence is None:
            self._next_sequence = packet.sequence_number
        ahead = (packet.sequence_number - self._next_sequence) & 0xFFFF
        if ahead < 0x8000:
            if ahead > 500:  # ten seconds: the sender began anew
                self._held.clear()
                self._next_sequence = packet.sequence_number
            self._held[packet.sequence_number] = packet
            self._drain()
        return False, None

    def pause(self, seconds: float) -> None:
        """Nothing has come for so long; hear silence instead."""
        self._next_timestamp = None  # or the same time would be filled once more
        self._put(np.zeros(round(seconds * OPUS_RATE_HZ), np.int16))

    def _drain(self) -> None:
        assert self._next_sequence is not None
        while self._held:
            packet = self._held.pop(self._next_sequence, None)
            if packet is None:
                if len(self._held) <= MAX_HELD:
                    return
            else:
                self._decode(packet)
            self._next_sequence = (self._next_sequence + 1) & 0xFFFF

    def _decode(self, packet: RtpPacket) -> None:
        data: bytes = packet._data  # type: ignore[attr-defined]  # set by aiortc's receiver
        try:
            frames = self._decoder.decode(av.Packet(data)) if data else []
        except av.FFmpegError:
            return  # what is missing shows in the next packet's time
        for frame in frames:
            pcm = np.frombuffer(memoryview(frame.planes[0]), np.int16, frame.samples)
            if self._next_timestamp is not None:
                hole = (packet.timestamp - self._next_timestamp) & 0xFFFFFFFF
                if 0 < hole <= MAX_SILENCE:
                    self._put(np.zeros(hole, np.int16))
            self._next_timestamp = (packet.timestamp + len(pcm)) & 0xFFFFFFFF
            self._put(pcm)

    def _put(self, pcm48k: NDArray[np.int16]) -> None:
        pcm16k = self._resampler.resample_chunk(pcm48k)
        if len(pcm16k):
            self._on_pcm(pcm16k)
