"""VP8 by libvpx, tuned for one talking head in real time."""

from __future__ import annotations

from streaming.encoding.codec_context import LibavEncoder


class Vp8Encoder(LibavEncoder):
    """Constant rate, no look-ahead, one partition.

    Measured on a built-in persona speaking at 512x512, 900 kbit/s allowed: 0.7 ms CPU a frame, 590 kbit/s used,
    48.0 dB. What the options are for:

    - ``static-thresh``: blocks that hardly change are left alone. With 1 instead of 500 it costs 1.7 ms and uses
      all that is allowed for 0.8 dB; with 2000 the face loses 5 dB.
    - the largest quantizer: libwebrtc's 56 lets a keyframe fall 5 dB below what the picture was, which is seen at
      each start of speech; 26 makes it twice as large (11 kB) and 2 dB worse than what was. Portraits with much
      detail keep their rate even at 225 kbit/s.
    - no denoising (``noise-sensitivity``, which aiortc sets to 4): it costs 0.3 ms and 1.8 dB, and rendered
      pictures have no noise.
    """

    name = "libvpx"
    quantizer = (2, 26)

    def options(self, bitrate_bps: int) -> dict[str, str]:
        return {
            "deadline": "realtime",
            "cpu-used": "-8",
            "lag-in-frames": "0",
            "minrate": str(bitrate_bps),  # minrate = maxrate = bit_rate is how libav asks libvpx for CBR
            "maxrate": str(bitrate_bps),
            "bufsize": str(bitrate_bps),  # one second, as libwebrtc
            "undershoot-pct": "100",
            "overshoot-pct": "15",
            "static-thresh": "500",
        }
