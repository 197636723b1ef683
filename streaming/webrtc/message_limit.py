"""A bound on what a client may have us hold of messages that it has not finished sending.

aiortc tells the client how much (262 kB a message, in the SDP; 1 MB in all, in every acknowledgement) and then
takes whatever comes, searching all of it again for every packet. tests/streaming/webrtc/test_message_limit.py
holds the private names this leans on.
"""

from __future__ import annotations

from collections.abc import Callable

from aiortc import RTCSctpTransport
from aiortc.rtcsctptransport import DataChunk

MAX_UNFINISHED_BYTES = 524_288
"""Two messages of the longest kind that we announce."""


def limit_messages(transport: RTCSctpTransport, on_excess: Callable[[], None]) -> None:
    """Take no more data once a client exceeds the bound; ``on_excess`` is called once."""
    receive = transport._receive_data_chunk
    window = transport._advertised_rwnd
    exceeded = False

    async def receive_within_bounds(chunk: DataChunk) -> None:
        nonlocal exceeded
        if exceeded:
            return
        await receive(chunk)
        if window - transport._advertised_rwnd > MAX_UNFINISHED_BYTES:
            exceeded = True
            on_excess()

    transport._receive_data_chunk = receive_within_bounds  # type: ignore[method-assign]
