"""A peer and a client on one machine, over real sockets."""

from __future__ import annotations

import asyncio
import fractions
import gc
import random
import socket
import threading
import time
from itertools import pairwise

import av
import numpy as np
import psutil
import pytest
from aiortc.mediastreams import MediaStreamTrack

from streaming.encoding.opus import OpusEncoder
from streaming.encoding.vp8 import Vp8Encoder
from streaming.errors import NegotiationFailed
from streaming.webrtc import event_channel, peer
from streaming.webrtc.peer import PeerSettings
from streaming.webrtc.udp_ports import UdpPorts
from tests.streaming.webrtc.client import Client, Host, call, until, without_candidates
from tests.streaming.webrtc.test_offer import CHROMIUM


class Tone(MediaStreamTrack):
    """A microphone that hears 440 Hz, in real time."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._sent = 0
        self._begun = time.monotonic()

    async def recv(self) -> av.AudioFrame:
        await asyncio.sleep(self._begun + self._sent / 48_000 - time.monotonic())
        pcm = (8000 * np.sin(2 * np.pi * 440 / 48_000 * np.arange(self._sent, self._sent + 960))).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, self._sent, fractions.Fraction(1, 48_000)
        self._sent += 960
        return frame


class Sender:
    """Sends sound and picture to a peer, both of each 40 ms in one step."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.keyframe = True
        self.slot = 0
        self._opus, self._vp8 = OpusEncoder(), Vp8Encoder(64, 64, 300_000)
        self._frame = np.zeros((64, 64, 3), np.uint8)
        host.peer.on_keyframe_request = self._request

    def _request(self) -> None:
        self.keyframe = True

    async def run(self, slots: int) -> None:
        for _ in range(slots):
            self.host.peer.audio.send(self._opus.encode(np.zeros(960, np.int16)), 960 * self.slot)
            if self.slot % 2 == 0 and self.host.peer.video:
                picture = self._vp8.encode(self._frame, keyframe=self.keyframe)
                self.keyframe = False
                self.host.peer.video.send(picture.data, 1800 * self.slot, keyframe=picture.keyframe)
            self.slot += 1
            await asyncio.sleep(0.01)


def is_keyframe(payload: bytes) -> bool:
    """A VP8 frame's first packet, after the three or four bytes that aiortc puts before it (RFC 7741 section 4)."""
    return payload[0] & 0x10 != 0 and payload[4] & 1 == 0


async def test_sound_and_picture_arrive_with_the_times_they_were_given() -> None:
    async with call() as (host, client):
        assert host.peer.video_wanted and host.peer.codec == "VP8"
        await Sender(host).run(60)
        await until(lambda: len(client.packets["audio"]) >= 55 and len(client.frames["video"]) >= 20)
        audio, video = client.packets["audio"], client.packets["video"]
        assert {b.timestamp - a.timestamp for a, b in pairwise(audio)} == {960}
        times = sorted({packet.timestamp for packet in video})
        assert set(np.diff(times)) == {3600}
        assert is_keyframe(video[0].payload)
        assert host.peer.video is not None and host.peer.video.sent_bytes > 0


async def test_a_lost_picture_brings_a_keyframe() -> None:
    async with call() as (host, client):
        sender = Sender(host)
        await sender.run(20)
        await until(lambda: client.packets["video"])
        seen = len(client.packets["video"])
        await client.receiver("video")._send_rtcp_pli(client.packets["video"][0].ssrc)
        await until(lambda: sender.keyframe)
        await sender.run(4)
        await until(lambda: any(is_keyframe(packet.payload) for packet in client.packets["video"][seen:]))


async def test_the_voice_is_heard_at_16_khz_without_a_hole() -> None:
    async with call(microphone=Tone()) as (host, _client):
        await until(lambda: sum(map(len, host.pcm)) > 16_000)
        heard = np.concatenate(host.pcm)
        assert heard.dtype == np.int16
        spectrum = np.abs(np.fft.rfft(heard[4000:12_000].astype(float)))
        assert np.argmax(spectrum) == 220, "440 Hz in half a second"
        assert heard[4000:].std() > 3000


async def test_messages_go_both_ways_and_early_ones_are_kept() -> None:
    client, host = Client(), Host()
    assert client.channel is not None
    host.peer.send("early")
    async with call(client, host):
        await until(lambda: host.opened and client.messages == ["early"])
        host.peer.send("later €")
        client.channel.send("hello")
        client.channel.send(b"bytes")
        await until(lambda: host.messages == ["hello", b"bytes"] and client.messages == ["early", "later €"])
        before = host.peer.last_received_s
        client.channel.send("again")
        await until(lambda: len(host.messages) == 3)
        assert host.peer.last_received_s > before


async def test_an_event_that_is_longer_than_the_client_takes(caplog: pytest.LogCaptureFixture) -> None:
    async with call() as (host, client):
        await until(lambda: host.opened)
        host.peer.send("x" * 300_000)
        host.peer.send("after")
        await until(lambda: client.messages)
        assert client.messages == ["after"] and not host.closed
        assert "300000 bytes" in caplog.text


async def test_other_channels_are_not_ours() -> None:
    async with call(label="chat") as (host, client):
        assert client.channel is not None
        await until(lambda: client.channel.readyState == "open")
        client.channel.send("hello")
        await asyncio.sleep(0.2)
        assert not host.opened and not host.messages


async def test_an_offer_of_sound_alone_without_a_single_address() -> None:
    client, host = Client(video=None), Host()
    try:
        answer = await host.peer.answer(without_candidates(await client.offer()))
        assert "m=video" not in answer and "a=candidate" in answer
        assert not host.peer.video_wanted
        await client.accept(answer)
        await until(lambda: host.opened)
        await Sender(host).run(20)
        await until(lambda: client.frames["audio"])
    finally:
        await host.peer.close()
        await client.close()


@pytest.mark.parametrize(("video", "answered"), [("recvonly", "sendonly"), ("sendrecv", "sendonly"),
                                                 ("sendonly", "inactive"), ("inactive", "inactive")])  # fmt: skip
async def test_the_picture_is_sent_where_it_can_be_received_and_no_camera_is_asked_for(
    video: str, answered: str
) -> None:
    client, host = Client(video=video), Host()
    try:
        answer = await host.peer.answer(await client.offer())
        assert host.peer.video_wanted == (answered == "sendonly")
        assert f"a={answered}" in answer[answer.index("m=video") :]
    finally:
        await host.peer.close()
        await client.close()


async def test_h264_where_there_is_no_vp8() -> None:
    client, host = Client(), Host()
    try:
        offer = await client.offer()
        answer = await host.peer.answer(offer.replace("VP8/90000", "VP9/90000"))
        assert host.peer.codec == "H264" and "H264/90000" in answer and "VP8" not in answer
    finally:
        await host.peer.close()
        await client.close()


async def test_the_answer_does_not_wait_for_hidden_addresses() -> None:
    client, host = Client(), Host()
    try:
        offer = await client.offer()
        hidden = "a=candidate:1 1 udp 2113937151 0c1b9eb4-e3f1-4e10-9d53-c1a9b5a3d8f1.local 50000 typ host\r\na=end-of-candidates\r\n"
        offer = without_candidates(offer).replace("a=ice-ufrag", hidden + "a=ice-ufrag", 1)
        begun = time.monotonic()
        answer = await host.peer.answer(offer)
        assert time.monotonic() - begun < 0.9, "resolving takes a second where nobody answers"
        await client.accept(answer)
        await until(lambda: host.peer.connected)
    finally:
        await host.peer.close()
        await client.close()


async def test_a_client_that_never_connects_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "CONNECT_TIMEOUT_S", 0.1)
    client, host = Client(), Host()
    try:
        await host.peer.answer(await client.offer())
        await until(lambda: host.closed)
        assert "no connection within" in host.closed[0]
    finally:
        await host.peer.close()
        await client.close()


async def test_a_client_that_leaves() -> None:
    async with call() as (host, client):
        await until(lambda: host.opened)
        await client.close()
        await until(lambda: host.closed)
        assert len(host.closed) == 1 and "closed" in host.closed[0]


async def test_a_client_that_vanishes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "SILENT_S", 0.3)
    async with call() as (host, client):
        await until(lambda: host.pcm)

        async def nothing(data: bytes) -> None: ...

        for transport in {t.receiver.transport.transport for t in client.connection.getTransceivers()}:
            transport._send = nothing
        await until(lambda: host.closed)
        assert "nothing was heard of the client" in host.closed[0]


async def test_a_microphone_that_is_unplugged_is_heard_as_silence() -> None:
    async with call(microphone=Tone()) as (host, client):
        await until(lambda: sum(map(len, host.pcm)) > 4000)
        (sender,) = (s for s in client.connection.getSenders() if s.kind == "audio")
        sender._enabled = False
        begun = sum(map(len, host.pcm))
        await asyncio.sleep(1)
        heard = np.concatenate(host.pcm)[begun:]
        assert len(heard) / 16_000 == pytest.approx(1.0, abs=0.25)
        assert np.abs(heard[8000:]).max() <= 3, "the resampler's dither"
        sender._enabled = True
        await until(lambda: host.pcm[-1].std() > 1000)


async def test_closing_is_no_news_and_ends_everything() -> None:
    async with call() as (host, _client):
        await host.peer.close()
        await host.peer.close()
        host.peer.send("too late")
        assert not host.closed and not host.peer.connected


async def test_a_client_that_does_not_read_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_channel, "MAX_UNSENT_BYTES", 100_000)
    async with call() as (host, client):
        await until(lambda: host.opened)
        client.connection.sctp._receive_data_chunk = client.connection.sctp._send_sack  # it never acknowledges

        async def swallow(data: bytes) -> None: ...

        client.connection.sctp._handle_data = swallow
        for _ in range(10):
            host.peer.send("x" * 30_000)
        assert host.closed == ["the client does not read its events"]
        host.peer.send("more")


async def test_too_much_before_the_channel_opens() -> None:
    host = Host()
    for _ in range(3):
        host.peer.send("x" * 500_000)
    assert host.closed == ["the client does not read its events"]
    await host.peer.close()


async def test_a_message_that_is_too_long_ends_the_client_and_is_not_kept() -> None:
    async with call() as (host, client):
        await until(lambda: host.opened)
        assert client.channel is not None
        client.connection.sctp._remote_max_message_size = 0  # a client that does not care
        client.channel.send("x" * 10_000_000)
        await until(lambda: host.closed)
        assert host.closed == ["the client sent a message that is too long"]
        assert not host.messages


async def test_a_long_message_is_taken() -> None:
    async with call() as (host, client):
        await until(lambda: host.opened)
        assert client.channel is not None
        client.channel.send("x" * 262_144)
        await until(lambda: host.messages)
        assert len(host.messages[0]) == 262_144


async def test_ports_within_the_range_and_an_advertised_address() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        low = probe.getsockname()[1]
    settings = PeerSettings(udp_ports=UdpPorts(low, low + 20, "192.0.2.7"))
    async with call(host=Host(settings)) as (host, client):
        offered = [c for c in client.connection.remoteDescription.sdp.splitlines() if "candidate:" in c]
        ports = {int(line.split()[5]) for line in offered}
        assert ports and all(low <= port <= low + 20 for port in ports)
        assert any(" 192.0.2.7 " in line for line in offered)
        await until(lambda: host.opened)


async def test_an_unreachable_stun_server_does_not_hold_the_answer_up_for_long() -> None:
    from aiortc import RTCIceServer

    client, host = Client(), Host(PeerSettings(ice_servers=(RTCIceServer("stun:192.0.2.1:3478"),)))
    try:
        begun = time.monotonic()
        await host.peer.answer(await client.offer())
        assert time.monotonic() - begun < 3
    finally:
        await host.peer.close()
        await client.close()


@pytest.mark.parametrize("ruin", [
    lambda sdp: sdp.replace("a=mid:0", "a=mid:7"),
    lambda sdp: sdp.replace("a=fingerprint:sha-256 ", "a=fingerprint:sha-256"),
    lambda sdp: sdp.replace("UDP/TLS/RTP/SAVPF 96", "UDP/TLS/RTP/SAVPF x"),
])  # fmt: skip
async def test_an_offer_that_cannot_be_answered_leaves_nothing_behind(ruin) -> None:  # type: ignore[no-untyped-def]
    client, host = Client(), Host()
    before = psutil.Process().num_fds()
    try:
        with pytest.raises(NegotiationFailed):
            await host.peer.answer(ruin(await client.offer()))
    finally:
        await host.peer.close()
        await client.close()
    assert psutil.Process().num_fds() <= before


async def test_whatever_is_offered_it_is_answered_or_refused() -> None:
    chance = random.Random(4)
    before = psutil.Process().num_fds()
    outcomes = set()
    for _ in range(60):
        lines = CHROMIUM.split("\r\n")
        for _ in range(chance.randint(1, 3)):
            at, to = chance.randrange(len(lines)), chance.randrange(len(lines))
            if chance.random() < 0.5:
                del lines[at]
            else:
                lines[at], lines[to] = lines[to], lines[at]
        host = Host()
        try:
            await host.peer.answer("\r\n".join(lines))
            outcomes.add("answered")
        except NegotiationFailed:
            outcomes.add("refused")
        await host.peer.close()
    assert outcomes == {"answered", "refused"}
    assert psutil.Process().num_fds() <= before


@pytest.mark.slow
async def test_fifty_calls_leave_nothing_behind() -> None:
    me = psutil.Process()

    async def one() -> None:
        async with call() as (host, _client):
            await Sender(host).run(2)

    for _ in range(5):
        await one()
    gc.collect()
    tasks, fds, memory = len(asyncio.all_tasks()), me.num_fds(), me.memory_info().rss
    for _ in range(50):
        await one()
    gc.collect()
    assert len(asyncio.all_tasks()) == tasks
    assert me.num_fds() <= fds
    assert not [thread for thread in threading.enumerate() if thread.name.endswith("decoder")]
    assert me.memory_info().rss - memory < 15_000_000
