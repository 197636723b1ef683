"""The seam behind which pictures become packets, and the one place that knows which encoder serves a codec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """One encoded frame.

    Attributes:
        data: a VP8 frame, or H.264 in Annex B form; ``b""`` where the encoder dropped the frame.
        keyframe: needs no earlier frame.
    """

    data: bytes
    keyframe: bool


class VideoEncoder(Protocol):
    """Encodes frames of one size, one after another, without delay. Not thread-safe."""

    def encode(self, frame: NDArray[np.uint8], *, keyframe: bool = False) -> EncodedPicture:
        """Encode one BGR picture, uint8 [height, width, 3]; ``keyframe`` demands one that stands alone."""

    def set_bitrate(self, bitrate_bps: int) -> None:
        """Aim at another rate from the next frame on, which is then a keyframe."""


def open_encoder(codec: str, width: int, height: int, bitrate_bps: int) -> VideoEncoder:
    """An encoder for ``codec`` ("VP8" or "H264"), frames of ``width`` x ``height`` (both even) at 25 fps.

    Raises:
        ValueError: no such codec, or an odd size.
    """
    if width % 2 or height % 2:
        raise ValueError(f"4:2:0 video needs even sides, got {width}x{height}")
    if codec == "VP8":
        from streaming.encoding.vp8 import Vp8Encoder

        return Vp8Encoder(width, height, bitrate_bps)
    if codec == "H264":
        from streaming.encoding.h264 import H264Encoder

        return H264Encoder(width, height, bitrate_bps)
    raise ValueError(f"no encoder for {codec!r}; there are VP8 and H264")


def to_i420(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """BGR [height, width, 3] to planar 4:2:0 [height * 3/2, width], BT.601 limited range: what WebRTC
    decoders assume where the stream does not say (VP8 cannot say)."""
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420), np.uint8)
