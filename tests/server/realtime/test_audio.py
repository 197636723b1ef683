from __future__ import annotations

import base64

import numpy as np
import pytest
from numpy.typing import NDArray

from server.errors import ProtocolError
from server.realtime.audio import AudioDecoder, AudioEncoder
from server.realtime.session_config import AudioFormat


def tone(rate_hz: int, seconds: float = 1.0) -> NDArray[np.int16]:
    return (np.sin(2 * np.pi * 440 * np.arange(int(rate_hz * seconds)) / rate_hz) * 12_000).astype("<i2")


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def frequency_hz(pcm: NDArray[np.int16], rate_hz: int) -> float:
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm))))
    return float(np.argmax(spectrum) * rate_hz / len(pcm))


def test_pcm_becomes_16_khz_whatever_the_pieces() -> None:
    decoder = AudioDecoder("audio/pcm")
    raw = tone(24_000).tobytes()
    pieces = [raw[at : at + 777] for at in range(0, len(raw), 777)]  # odd: samples are cut in two
    out = np.concatenate([decoder.feed(b64(piece)) for piece in pieces] + [decoder.flush()])
    assert out.dtype == np.int16
    assert abs(len(out) - 16_000) <= 2
    assert frequency_hz(out, 16_000) == pytest.approx(440, abs=2)
    assert 11_000 < np.abs(out).max() < 13_000


@pytest.mark.parametrize("kind", ["audio/pcmu", "audio/pcma"])
def test_g711_there_and_back(kind: AudioFormat) -> None:
    encoder, decoder = AudioEncoder(kind), AudioDecoder(kind)
    raw = tone(24_000).tobytes()
    encoded = [encoder.feed(raw[at : at + 1920]) for at in range(0, len(raw), 1920)] + [encoder.finish()]
    assert sum(len(base64.b64decode(piece)) for piece in encoded) == 8000
    out = np.concatenate([decoder.feed(piece) for piece in encoded] + [decoder.flush()])
    assert abs(len(out) - 16_000) <= 4
    assert frequency_hz(out, 16_000) == pytest.approx(440, abs=2)
    assert 11_000 < np.abs(out).max() < 13_500


def test_silence_is_silence_in_g711() -> None:
    """ITU-T G.711: the code of a zero sample is 0xFF in mu-law (all bits inverted), 0xD5 in A-law."""
    for kind, code in (("audio/pcmu", {0xFF, 0x7F}), ("audio/pcma", {0xD5, 0x55})):
        encoder = AudioEncoder(kind)  # type: ignore[arg-type]
        data = base64.b64decode(encoder.feed(bytes(24_000)) + encoder.finish())
        assert set(data) <= code


def test_pcm_is_passed_through() -> None:
    assert AudioEncoder("audio/pcm").feed(b"\1\2\3\4") == b64(b"\1\2\3\4")
    assert AudioEncoder("audio/pcm").finish() == ""


@pytest.mark.parametrize("text", ["*", "AAA", "A=AA", "ÄÄÄÄ", "AA AA"])
def test_what_is_not_base64_is_refused_and_nothing_consumed(text: str) -> None:
    decoder = AudioDecoder("audio/pcm")
    with pytest.raises(ProtocolError, match="not base64") as caught:
        decoder.feed(text)
    assert caught.value.param == "audio"
    assert len(decoder.flush()) == 0


def test_clear_forgets_half_a_sample() -> None:
    decoder = AudioDecoder("audio/pcm")
    decoder.feed(b64(b"\7"))
    decoder.clear()
    decoder.feed(b64(bytes(2)))
    assert np.abs(decoder.flush()).max(initial=0) <= 1, "soxr dithers by one step"
