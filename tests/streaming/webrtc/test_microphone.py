from __future__ import annotations

import numpy as np
import pytest
from aiortc import RTCPeerConnection
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket
from numpy.typing import NDArray

from streaming.encoding.opus import OpusEncoder
from streaming.webrtc.microphone import JITTER_BUFFER, MAX_HELD, Microphone


def packets(count: int, *, first: int = 65_530, start: int = 2**32 - 5000) -> list[RtpPacket]:
    """Of a 500 Hz tone; sequence numbers and times wrap around on the way."""
    encoder = OpusEncoder()
    made = []
    for number in range(count):
        time = np.arange(960 * number, 960 * (number + 1)) / 48_000
        data = encoder.encode((8000 * np.sin(2 * np.pi * 500 * time)).astype(np.int16))
        packet = RtpPacket(
            sequence_number=(first + number) & 0xFFFF, timestamp=(start + 960 * number) & 0xFFFFFFFF, payload=data
        )
        packet._data = data  # type: ignore[attr-defined]  # as aiortc's receiver sets it
        made.append(packet)
    return made


class Ear:
    def __init__(self) -> None:
        self.pcm: list[NDArray[np.int16]] = []
        self.microphone = Microphone(self.pcm.append)

    def hear(self, packets: list[RtpPacket]) -> int:
        """Returns: milliseconds heard in all."""
        for packet in packets:
            assert self.microphone.add(packet) == (False, None)
        return sum(map(len, self.pcm)) // 16


DELAY_MS = 10
"""At most, of the resampler."""


def test_each_packet_is_heard_when_it_comes() -> None:
    ear = Ear()
    for number, packet in enumerate(packets(100), start=1):
        assert 0 <= 20 * number - ear.hear([packet]) <= DELAY_MS + 20
    heard = np.concatenate(ear.pcm)
    assert heard.dtype == np.int16
    assert np.argmax(np.abs(np.fft.rfft(heard[8000:16_000].astype(float)))) == 250, "500 Hz"


def test_order_is_restored() -> None:
    straight, crooked = Ear(), Ear()
    sent = packets(20)
    straight.hear(sent)
    for at in (3, 7, 8, 15):
        sent[at], sent[at + 1] = sent[at + 1], sent[at]
    crooked.hear(sent)
    difference = np.concatenate(straight.pcm).astype(int) - np.concatenate(crooked.pcm)
    assert np.abs(difference).max() <= 3, "the resampler's dither"


def test_a_lost_packet_becomes_silence_and_delays_nothing_afterwards() -> None:
    ear = Ear()
    sent = packets(50)
    assert ear.hear(sent[:10] + sent[11:14]) <= 200
    ear.hear(sent[14:])
    heard = np.concatenate(ear.pcm)
    assert 0 <= 1000 - len(heard) / 16 <= DELAY_MS + 20
    quiet = heard[200 * 16 + 160 : 220 * 16]
    assert np.abs(quiet).max() < 800 < np.abs(heard[100 * 16 : 150 * 16]).max()


def test_late_and_repeated_packets_are_dropped() -> None:
    ear = Ear()
    sent = packets(20)
    ear.hear(sent[:5] + sent[6 : 7 + MAX_HELD])
    before = ear.hear([])
    assert ear.hear([sent[5], sent[2], sent[2]]) == before


def test_a_pause_of_the_sender_is_not_filled() -> None:
    ear = Ear()
    sent = packets(100)
    for number, packet in enumerate(sent[90:]):
        packet.sequence_number = sent[10 + number].sequence_number
    assert ear.hear(sent[:10] + sent[90:]) < 450, "the pause of 1.6 s is not silence that was heard"


def test_a_sender_that_begins_anew() -> None:
    ear = Ear()
    ear.hear(packets(10))
    assert ear.hear(packets(10, first=20_000, start=7)) >= 350


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x00" * 3, bytes(range(256)) * 8])
def test_what_is_no_sound_is_passed_over(data: bytes) -> None:
    ear = Ear()
    sent = packets(10)
    sent[4]._data = data  # type: ignore[attr-defined]
    assert ear.hear(sent) >= 150


async def test_the_place_in_aiortc_is_still_there() -> None:
    connection = RTCPeerConnection()
    receiver = connection.addTransceiver("audio").receiver
    assert isinstance(getattr(receiver, JITTER_BUFFER), JitterBuffer)
    Ear().microphone.attach(receiver)
    assert isinstance(getattr(receiver, JITTER_BUFFER), Microphone)
    await connection.close()
