from __future__ import annotations

from aiortc import RTCPeerConnection
from aiortc.rtcsctptransport import DataChunk

from streaming.webrtc.message_limit import MAX_UNFINISHED_BYTES, limit_messages

FIRST, MIDDLE, LAST = 2, 0, 1


def chunk(tsn: int, flags: int, size: int = 1000) -> DataChunk:
    made = DataChunk(flags=flags)
    made.tsn, made.stream_id, made.stream_seq, made.protocol, made.user_data = tsn, 1, 0, 51, b"x" * size
    return made


async def test_what_is_never_finished_is_not_kept_for_ever() -> None:
    connection = RTCPeerConnection()
    connection.createDataChannel("oai-events")
    sctp = connection.sctp
    assert sctp is not None
    sctp._last_received_tsn = 0
    exceeded: list[int] = []
    limit_messages(sctp, lambda: exceeded.append(1))
    for tsn in range(1, 1001):
        await sctp._receive_data_chunk(chunk(tsn, FIRST if tsn == 1 else MIDDLE))
    assert exceeded == [1]
    held = sum(len(c.user_data) for stream in sctp._inbound_streams.values() for c in stream.reassembly)
    assert held <= MAX_UNFINISHED_BYTES + 1000
    await connection.close()
