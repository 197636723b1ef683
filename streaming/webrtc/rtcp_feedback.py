"""What the receiver of our picture reports back: lost pictures and the bit rate it can take.

aiortc hands these to its own encoders only, which we do not use; the sender's handler of RTCP packets is
wrapped instead. tests/streaming/webrtc/test_rtcp_feedback.py holds the private name this leans on.
"""

from __future__ import annotations

from collections.abc import Callable

from aiortc import RTCRtpSender
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    unpack_remb_fci,
)


def listen(
    sender: RTCRtpSender,
    *,
    on_report: Callable[[], None],
    on_keyframe_request: Callable[[], None] = lambda: None,
    on_bitrate: Callable[[int], None] = lambda bitrate_bps: None,
) -> None:
    """Call back for RTCP that concerns ``sender``, in the event loop.

    Args:
        on_report: any report arrived: the receiver is alive.
        on_keyframe_request: PLI (RFC 4585 section 6.3.1) or FIR (RFC 5104 section 4.3.1).
        on_bitrate: REMB, bits per second (draft-alvestrand-rmcat-remb).
    """
    handle = sender._handle_rtcp_packet

    async def handle_and_tell(packet: AnyRtcpPacket) -> None:
        await handle(packet)
        on_report()
        if isinstance(packet, RtcpPsfbPacket):
            if packet.fmt in (RTCP_PSFB_PLI, RTCP_PSFB_FIR):
                on_keyframe_request()
            elif packet.fmt == RTCP_PSFB_APP:
                try:
                    bitrate_bps, _ = unpack_remb_fci(packet.fci)
                except ValueError:
                    return  # another application's packet
                on_bitrate(bitrate_bps)

    sender._handle_rtcp_packet = handle_and_tell  # type: ignore[method-assign]
