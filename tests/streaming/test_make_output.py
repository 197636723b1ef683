"""Everything from a worker process to the client's socket."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import av
import numpy as np
import psutil
from aiortc.rtp import RTCP_PSFB_APP, RtcpPsfbPacket, RtpPacket, pack_remb_fci

from avatar.speech import SpeechChunk
from streaming.avatar_output import AvatarOutput
from streaming.make_output import make_avatar_output
from streaming.output import Played
from streaming.sound_output import SoundOutput
from streaming.workers.local import LocalWorkerPool
from streaming.workers.pool import WorkerSpec
from tests.streaming.webrtc.client import Client, call, until
from tests.streaming.webrtc.test_peer import is_keyframe
from tests.streaming.workers.in_process_pool import InProcessPool

SPEC = WorkerSpec(None, size=64, bitrate_bps=400_000)
TONE = (8000 * np.sin(2 * np.pi * 440 * np.arange(4 * 48_000) / 48_000)).astype(np.int16)


def loudness(packets: list[RtpPacket]) -> list[int]:
    """The peak of each packet's 20 ms."""
    decoder = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = 48_000, "mono"
    return [
        int(np.abs(frame.to_ndarray()).max())
        for packet in packets
        for frame in decoder.decode(av.Packet(packet.payload))
    ]


async def test_a_worker_s_speech_on_the_wire_through_its_death_and_an_interruption() -> None:
    pool = LocalWorkerPool(2, beat_maker="tests.streaming.workers.fakes:make_beat_maker")
    async with call() as (host, client):
        output = make_avatar_output(host.peer, pool, SPEC)
        assert isinstance(output, AvatarOutput)
        played: list[Played] = []
        output.on_played = played.append
        await output.start()
        await until(lambda: len(client.packets["video"]) > 5)
        assert is_keyframe(client.packets["video"][0].payload)
        output.speak(1, SpeechChunk(TONE))
        await until(lambda: played and played[-1].position > 24_000)
        (worker,) = (grandchild for child in psutil.Process().children() for grandchild in child.children())
        worker.kill()
        await until(lambda: played[-1].position > 72_000)

        stopped = output.stop()
        assert stopped == played[-1].position
        audible = len(client.packets["audio"])
        await until(lambda: len(client.packets["audio"]) > audible + 20)
        levels = loudness(client.packets["audio"])
        assert max(levels[:audible]) > 4000
        assert max(levels[audible + 3 :]) < 200, "silent within a beat and what was on the wire"
        assert played[-1].position == stopped
        steps = {later.timestamp - earlier.timestamp for earlier, later in pairwise(client.packets["audio"])}
        assert steps == {960}
        await output.close()
    await pool.close()


async def test_requests_of_the_client_reach_the_worker() -> None:
    pool = InProcessPool(start_s=0)
    async with call() as (host, client):
        output = make_avatar_output(host.peer, pool, SPEC)
        await output.start()
        assert host.peer.video is not None
        (sender,) = (s for s in host.peer._connection.getSenders() if s.kind == "video")  # type: ignore[union-attr]
        (worker,) = pool.workers
        await until(lambda: len(client.packets["video"]) > 5)
        host.peer.video.sent_bytes += 10_000_000  # as if it had sent far more than this
        await asyncio.sleep(1.1)
        remb = RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=pack_remb_fci(180_000, [sender._ssrc]))
        await sender._handle_rtcp_packet(remb)
        host.peer.video.sent_bytes += 10_000_000
        await asyncio.sleep(1.1)
        await sender._handle_rtcp_packet(remb)
        assert worker.encoder.bitrates[-1] < 400_000
        await output.close()


async def test_sound_alone_where_no_picture_is_wanted() -> None:
    async with call(Client(video=None)) as (host, client):
        output = make_avatar_output(host.peer, InProcessPool(), SPEC)
        assert isinstance(output, SoundOutput)
        await output.start()
        output.speak(1, SpeechChunk(TONE[:24_000]))
        output.finish(1)
        await until(lambda: len(client.packets["audio"]) > 35)
        assert max(loudness(client.packets["audio"])) > 4000
        await output.close()


async def test_the_negotiated_codec_is_the_one_that_is_encoded() -> None:
    pool = InProcessPool(start_s=0)
    client = Client()
    async with call(client) as (host, _):
        host.peer.codec = "H264"
        output = make_avatar_output(host.peer, pool, SPEC)
        await output.start()
        assert pool.workers[0].spec.codec == "H264"
        await output.close()
