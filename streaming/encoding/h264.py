"""H.264 by x264, for browsers that offer nothing else."""

from __future__ import annotations

from streaming.encoding.codec_context import LibavEncoder


class H264Encoder(LibavEncoder):
    """Constrained baseline, Annex B, parameter sets before each keyframe.

    Preset "superfast" costs 1.2 ms CPU a 512x512 frame of a persona speaking and gives as much as VP8 (47.8 dB at
    600 kbit/s); "veryfast" costs 1.9 ms for 0.2 dB, "ultrafast" 0.6 ms and loses 1.5 dB. aiortc's encoder leaves
    x264's default preset in place and costs 11 ms.
    """

    name = "libx264"

    def options(self, bitrate_bps: int) -> dict[str, str]:
        return {
            "preset": "superfast",
            "tune": "zerolatency",
            "profile": "baseline",
            "level": "31",
            "maxrate": str(bitrate_bps),
            "bufsize": str(bitrate_bps // 2),
            "forced-idr": "1",  # a demanded keyframe resets the references, or a receiver could not begin there
        }
