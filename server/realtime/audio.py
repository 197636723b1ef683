"""Sound inside events: base64 of PCM16 24 kHz or of 8 kHz G.711, to and from what the conversation uses."""

from __future__ import annotations

import base64
import binascii
from functools import cache
from typing import Protocol

import av
import numpy as np
import soxr
from numpy.typing import NDArray

from server.errors import ProtocolError
from server.realtime.session_config import AudioFormat
from streaming.hearing.segment import RATE_HZ as HEARING_RATE_HZ
from streaming.sound import PROTOCOL_RATE_HZ

G711_RATE_HZ = 8_000

_CODECS = {"audio/pcmu": "pcm_mulaw", "audio/pcma": "pcm_alaw"}


class _Resampler(Protocol):
    def resample_chunk(self, x: NDArray[np.int16], last: bool = False) -> NDArray[np.int16]: ...


class AudioDecoder:
    """The client's sound: base64 in, mono int16 at 16 kHz out. Keeps a byte or sample that was cut in two.

    Args:
        kind: of the session's ``audio.input.format``.
    """

    def __init__(self, kind: AudioFormat) -> None:
        self.kind = kind
        self._odd = b""
        self._resampler = self._fresh()

    def seconds_in(self, encoded: str) -> float:
        """How long the sound in so much base64 lasts."""
        bytes_a_second = 2 * PROTOCOL_RATE_HZ if self.kind == "audio/pcm" else G711_RATE_HZ
        return len(encoded) * 3 / 4 / bytes_a_second

    def feed(self, encoded: str, param: str = "audio") -> NDArray[np.int16]:
        """Decode the next piece.

        Raises:
            ProtocolError: not base64; nothing was consumed.
        """
        return self._resampler.resample_chunk(self._samples(decode_base64(encoded, param)))

    def flush(self) -> NDArray[np.int16]:
        """What the resampler still holds (a few milliseconds); the next piece begins afresh."""
        rest = self._resampler.resample_chunk(np.empty(0, np.int16), last=True)
        self.clear()
        return rest

    def clear(self) -> None:
        self._odd = b""
        self._resampler = self._fresh()

    def _samples(self, raw: bytes) -> NDArray[np.int16]:
        if self.kind != "audio/pcm":
            return _decode_table(_CODECS[self.kind])[np.frombuffer(raw, np.uint8)]
        raw = self._odd + raw
        whole = len(raw) // 2 * 2
        self._odd = raw[whole:]
        return np.frombuffer(raw[:whole], "<i2").astype(np.int16, copy=False)

    def _fresh(self) -> _Resampler:
        rate_hz = PROTOCOL_RATE_HZ if self.kind == "audio/pcm" else G711_RATE_HZ
        stream: _Resampler = soxr.ResampleStream(rate_hz, HEARING_RATE_HZ, 1, dtype="int16")
        return stream


class AudioEncoder:
    """The avatar's sound: PCM16 24 kHz in, base64 of the session's ``audio.output.format`` out."""

    def __init__(self, kind: AudioFormat) -> None:
        self.kind = kind
        self._resampler: _Resampler | None = None

    def feed(self, pcm24k: bytes) -> str:
        if self.kind == "audio/pcm":
            return base64.b64encode(pcm24k).decode("ascii")
        if self._resampler is None:
            self._resampler = soxr.ResampleStream(PROTOCOL_RATE_HZ, G711_RATE_HZ, 1, dtype="int16")
        return self._encode(self._resampler.resample_chunk(np.frombuffer(pcm24k, "<i2").astype(np.int16, copy=False)))

    def finish(self) -> str:
        """The utterance's tail, "" where there is none."""
        if self._resampler is None:
            return ""
        rest = self._resampler.resample_chunk(np.empty(0, np.int16), last=True)
        self._resampler = None
        return self._encode(rest)

    def _encode(self, pcm8k: NDArray[np.int16]) -> str:
        table = _encode_table(_CODECS[self.kind])
        return base64.b64encode(table[pcm8k.view(np.uint16)].tobytes()).decode("ascii")


def decode_base64(encoded: str, param: str) -> bytes:
    """Bytes of standard base64.

    Raises:
        ProtocolError: code ``invalid_value``, naming ``param``.
    """
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProtocolError(
            f"Invalid value for '{param}': not base64 ({error}).", code="invalid_value", param=param
        ) from None


@cache
def _decode_table(codec: str) -> NDArray[np.int16]:
    """int16 [256]: the sample that each G.711 byte stands for, asked of FFmpeg once."""
    decoder = av.CodecContext.create(codec, "r")
    decoder.sample_rate = G711_RATE_HZ  # type: ignore[attr-defined]
    decoder.layout = "mono"  # type: ignore[attr-defined]
    (frame,) = decoder.decode(av.Packet(bytes(range(256))))  # type: ignore[attr-defined]
    return np.ascontiguousarray(frame.to_ndarray().reshape(-1), np.int16)


@cache
def _encode_table(codec: str) -> NDArray[np.uint8]:
    """uint8 [65536], indexed by the sample's bits: the byte nearest to each sample.

    Magnitudes of the decoding table in order; thresholds half way between neighbours, as G.711 draws them.
    """
    values = _decode_table(codec).astype(np.int32)
    order = np.argsort(values, kind="stable")
    edges = (values[order][1:] + values[order][:-1]) // 2
    samples = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    table: NDArray[np.uint8] = order[np.searchsorted(edges, samples, side="left")].astype(np.uint8)
    return table
