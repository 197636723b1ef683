from __future__ import annotations

from aiortc import RTCPeerConnection, RTCRtpSender
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    pack_remb_fci,
)

from streaming.webrtc.rtcp_feedback import listen


class Recorder:
    def __init__(self, sender: RTCRtpSender) -> None:
        self.reports = 0
        self.keyframes = 0
        self.bitrates: list[int] = []
        listen(
            sender,
            on_report=self._report,
            on_keyframe_request=self._keyframe,
            on_bitrate=self.bitrates.append,
        )

    def _report(self) -> None:
        self.reports += 1

    def _keyframe(self) -> None:
        self.keyframes += 1


def psfb(fmt: int, fci: bytes = b"") -> RtcpPsfbPacket:
    return RtcpPsfbPacket(fmt=fmt, ssrc=1, media_ssrc=2, fci=fci)


async def test_what_aiortc_hands_to_its_senders_reaches_us() -> None:
    connection = RTCPeerConnection()
    sender = connection.addTransceiver("video").sender
    recorder = Recorder(sender)
    report = RtcpReceiverInfo(sender._ssrc, 0, 0, 0, 0, 0, 0)
    for packet in (
        RtcpRrPacket(ssrc=1, reports=[report]),
        psfb(RTCP_PSFB_PLI),
        psfb(RTCP_PSFB_FIR),
        psfb(RTCP_PSFB_APP, pack_remb_fci(300_000, [sender._ssrc])),
        psfb(RTCP_PSFB_APP, b"other application"),
    ):
        await sender._handle_rtcp_packet(packet)
    assert (recorder.reports, recorder.keyframes) == (5, 2)
    assert len(recorder.bitrates) == 1 and abs(recorder.bitrates[0] - 300_000) < 10_000
    stats = await sender.getStats()
    assert any(entry.type == "remote-inbound-rtp" for entry in stats.values()), "aiortc still gets its reports"
    await connection.close()


async def test_the_place_in_aiortc_is_still_there() -> None:
    assert callable(RTCRtpSender._handle_rtcp_packet)
    connection = RTCPeerConnection()
    sender = connection.addTransceiver("audio").sender
    listen(sender, on_report=lambda: None)
    await sender._handle_rtcp_packet(psfb(RTCP_PSFB_PLI))
    await sender._handle_rtcp_packet(psfb(RTCP_PSFB_APP, pack_remb_fci(1000, [1])))
    await connection.close()
