"""What VP8 and H.264 share: a libav encoder opened for live pictures and rebuilt when its rate changes."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.video.frame import PictureType
from numpy.typing import NDArray

from avatar.speech import FRAME_RATE_HZ
from streaming.encoding.video import EncodedPicture, to_i420

TIME_BASE = Fraction(1, FRAME_RATE_HZ)
LONG_GOP = 100 * FRAME_RATE_HZ * 60
"""Keyframes come when asked for (PLI, start of speech), never by the calendar: one costs ten other frames."""


class LibavEncoder:
    """A libav video encoder without delay: one packet out for each frame in.

    Args:
        name: libav's name of the encoder.
        options: libav options for a target rate in bits per second.
        quantizer: smallest and largest quantizer; None leaves the encoder's own.
    """

    name: str
    quantizer: tuple[int, int] | None = None

    def __init__(self, width: int, height: int, bitrate_bps: int) -> None:
        self._width, self._height, self._bitrate_bps = width, height, bitrate_bps
        self._context: av.VideoCodecContext | None = None
        self._frames = 0

    def options(self, bitrate_bps: int) -> dict[str, str]:
        raise NotImplementedError

    def set_bitrate(self, bitrate_bps: int) -> None:
        if bitrate_bps != self._bitrate_bps:
            self._bitrate_bps = bitrate_bps
            self._context = None

    def encode(self, frame: NDArray[np.uint8], *, keyframe: bool = False) -> EncodedPicture:
        if self._context is None:
            self._context = self._open()
        picture = av.VideoFrame.from_numpy_buffer(to_i420(frame), format="yuv420p")
        picture.pts, picture.time_base = self._frames, TIME_BASE
        picture.pict_type = PictureType.I if keyframe else PictureType.NONE
        self._frames += 1
        packets = self._context.encode(picture)
        return EncodedPicture(
            b"".join(bytes(packet) for packet in packets), any(packet.is_keyframe for packet in packets)
        )

    def _open(self) -> av.VideoCodecContext:
        context = av.CodecContext.create(self.name, "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height, context.pix_fmt = self._width, self._height, "yuv420p"
        context.time_base, context.framerate = TIME_BASE, Fraction(FRAME_RATE_HZ)
        context.bit_rate = self._bitrate_bps
        context.gop_size = LONG_GOP
        context.thread_count = 1  # one process a conversation: more threads only contend
        if self.quantizer:
            context.qmin, context.qmax = self.quantizer
        context.options = self.options(self._bitrate_bps)
        return context
