from __future__ import annotations

import asyncio

import pytest
from aiortc.mediastreams import MediaStreamError

from streaming.webrtc.packet_track import MAX_WAITING, PacketTrack


async def connected(track: PacketTrack) -> asyncio.Task[object]:
    """The sender begins to fetch."""
    fetching: asyncio.Task[object] = asyncio.ensure_future(track.recv())
    await asyncio.sleep(0)
    return fetching


async def test_nothing_is_kept_from_before_the_connection() -> None:
    track = PacketTrack("audio")
    track.send(b"early", 0)
    fetching = await connected(track)
    track.send(b"now", 960)
    packet = await fetching
    assert (bytes(packet), packet.pts, packet.time_base.denominator) == (b"now", 960, 48_000)  # type: ignore[call-overload, attr-defined]
    assert track.sent_bytes == 3
    track.stop()


async def test_a_picture_begins_with_a_keyframe_which_is_asked_for() -> None:
    track = PacketTrack("video")
    asked = 0

    def ask() -> None:
        nonlocal asked
        asked += 1

    track.on_needs_keyframe = ask
    fetching = await connected(track)
    assert asked == 1
    track.send(b"delta", 0, keyframe=False)
    track.send(b"key", 3600, keyframe=True)
    track.send(b"delta", 7200, keyframe=False)
    packets = [await fetching, await track.recv()]
    assert [(bytes(p), p.pts) for p in packets] == [(b"key", 3600), (b"delta", 7200)]  # type: ignore[call-overload, attr-defined]
    assert packets[1].time_base.denominator == 90_000  # type: ignore[attr-defined]
    track.stop()


@pytest.mark.parametrize(("kind", "asks"), [("audio", 0), ("video", 2)])
async def test_a_sender_that_is_stuck_does_not_fill_memory(kind: str, asks: int) -> None:
    track = PacketTrack(kind)  # type: ignore[arg-type]
    asked = []
    track.on_needs_keyframe = lambda: asked.append(1)
    fetching = await connected(track)
    for number in range(MAX_WAITING + 2):
        track.send(b"%d" % number, number)
    assert len(asked) == asks
    packet = await fetching
    assert bytes(packet) in (b"0", b"%d" % MAX_WAITING)  # type: ignore[call-overload]
    track.stop()


async def test_the_end() -> None:
    track = PacketTrack("audio")
    fetching = await connected(track)
    track.stop()
    with pytest.raises(MediaStreamError):
        await fetching
    with pytest.raises(MediaStreamError):
        await track.recv()
    track.send(b"late", 0)
