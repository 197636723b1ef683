from __future__ import annotations

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.encoding.video import open_encoder, to_i420

SIZE = 128
LIBAV = {"VP8": "libvpx", "H264": "h264"}


def picture(number: int) -> NDArray[np.uint8]:
    """A soft pattern that moves."""
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    frame = np.stack([x + 3 * number, y, x + y], axis=-1) % 256
    return cv2.GaussianBlur(frame.astype(np.uint8), (0, 0), 5)


def decode(codec: str, packets: list[bytes]) -> list[NDArray[np.uint8]]:
    decoder = av.CodecContext.create(LIBAV[codec], "r")
    frames = [frame for data in packets for frame in decoder.decode(av.Packet(data))]
    return [frame.to_ndarray(format="bgr24") for frame in [*frames, *decoder.decode(None)]]


def error_db(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


@pytest.mark.parametrize("codec", LIBAV)
def test_every_frame_comes_out_at_once_and_looks_like_what_went_in(codec: str) -> None:
    encoder = open_encoder(codec, SIZE, SIZE, 600_000)
    encoded = [encoder.encode(picture(number)) for number in range(20)]
    assert [one.keyframe for one in encoded] == [True] + [False] * 19
    assert all(one.data for one in encoded)
    shown = decode(codec, [one.data for one in encoded])
    assert len(shown) == 20
    assert error_db(shown[-1], picture(19)) > 30


@pytest.mark.parametrize("codec", LIBAV)
def test_a_keyframe_stands_alone(codec: str) -> None:
    encoder = open_encoder(codec, SIZE, SIZE, 600_000)
    for number in range(5):
        encoder.encode(picture(number))
    later = [encoder.encode(picture(5), keyframe=True), encoder.encode(picture(6))]
    assert [one.keyframe for one in later] == [True, False]
    shown = decode(codec, [one.data for one in later])
    assert len(shown) == 2 and error_db(shown[1], picture(6)) > 28


@pytest.mark.parametrize("codec", LIBAV)
def test_another_rate_begins_with_a_keyframe_and_the_same_rate_with_nothing(codec: str) -> None:
    encoder = open_encoder(codec, SIZE, SIZE, 600_000)
    encoder.encode(picture(0))
    encoder.set_bitrate(600_000)
    assert not encoder.encode(picture(1)).keyframe
    encoder.set_bitrate(200_000)
    assert encoder.encode(picture(2)).keyframe


@pytest.mark.parametrize("codec", LIBAV)
def test_the_rate_is_kept(codec: str) -> None:
    noise = np.random.default_rng(0)
    frames = [cv2.GaussianBlur(noise.integers(0, 255, (SIZE, SIZE, 3), np.uint8), (0, 0), 1.5) for _ in range(10)]

    def rate(bitrate_bps: int) -> float:
        encoder = open_encoder(codec, SIZE, SIZE, bitrate_bps)
        sizes = [len(encoder.encode(frames[number % 10]).data) for number in range(100)]
        return sum(sizes[25:]) * 8 / 3

    assert rate(200_000) < 300_000 < rate(800_000) < 1_000_000


def test_h264_is_baseline_with_its_parameters_before_every_keyframe() -> None:
    encoder = open_encoder("H264", SIZE, SIZE, 300_000)
    for data in (encoder.encode(picture(0)).data, encoder.encode(picture(1), keyframe=True).data):
        start = data.index(b"\x00\x00\x01\x67") + 4
        assert data[start] == 66, "profile_idc of the sequence parameter set: baseline"
        assert b"\x00\x00\x01\x68" in data


def test_what_cannot_be_encoded() -> None:
    with pytest.raises(ValueError, match="even sides"):
        open_encoder("VP8", 127, 128, 300_000)
    with pytest.raises(ValueError, match="'AV1'"):
        open_encoder("AV1", 128, 128, 300_000)


def test_colours_are_limited_range() -> None:
    white, black = (to_i420(np.full((2, 2, 3), level, np.uint8)) for level in (255, 0))
    assert white[0, 0] == 235 and black[0, 0] == 16
