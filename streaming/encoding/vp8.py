"""VP8 by libvpx, tuned for one talking head in real time."""

from __future__ import annotations

from streaming.encoding.codec_context import LibavEncoder


class Vp8Encoder(LibavEncoder):
    """Constant rate, no look-ahead, one partition.

    A talking 512x512 portrait at 600 kbit/s costs 2.1 ms CPU a frame on one core, colour conversion included,
    at 40.5 dB; positive ``cpu-used`` costs a quarter more for 0.1 dB, denoising (aiortc's ``noise-sensitivity``)
    costs more and loses 1.8 dB, for rendered pictures have no noise (`parley bench capacity` measures them).
    """

    name = "libvpx"
    quantizer = (2, 56)  # libwebrtc's own range for VP8

    def options(self, bitrate_bps: int) -> dict[str, str]:
        return {
            "deadline": "realtime",
            "cpu-used": "-6",
            "lag-in-frames": "0",
            "minrate": str(bitrate_bps),  # minrate = maxrate = bit_rate is how libav asks libvpx for CBR
            "maxrate": str(bitrate_bps),
            "bufsize": str(bitrate_bps),  # one second, as libwebrtc
            "undershoot-pct": "100",
            "overshoot-pct": "15",
            "static-thresh": "1",
        }
