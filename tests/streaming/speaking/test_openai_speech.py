"""OpenAISpeech against a local endpoint."""

from __future__ import annotations

import asyncio
import struct

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.errors import SynthesisFailed
from streaming.speaking import openai_speech
from streaming.speaking.openai_speech import SHORTEST_CHUNK, OpenAISpeech
from tests.llm_bridge.fake_endpoint import Exchange, Handler, endpoint


def tone(rate_hz: int, seconds: float = 0.5, channels: int = 1) -> bytes:
    wave = (np.sin(2 * np.pi * 440 * np.arange(round(rate_hz * seconds)) / rate_hz) * 10_000).astype("<i2")
    return np.repeat(wave, channels).tobytes()


def wav(rate_hz: int, channels: int = 1, bits: int = 16, extra: bytes = b"") -> bytes:
    form = struct.pack("<HHIIHH", 1, channels, rate_hz, rate_hz * channels * bits // 8, channels * bits // 8, bits)
    return b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0" + form + extra + b"data\xff\xff\xff\xff"


def sending(body: bytes, step: int = 997, content_type: str = "audio/pcm") -> Handler:
    async def handler(exchange: Exchange) -> None:
        await exchange.head(200, content_type)
        for at in range(0, len(body), step):
            await exchange.send(body[at : at + step])
        await exchange.end()

    return handler


async def spoken(base_url: str, text: str = "Hello.", **options: object) -> list[NDArray[np.int16]]:
    speech = OpenAISpeech(base_url=base_url, model="kokoro", voice="bella")
    try:
        return [chunk.speech.pcm48k async for chunk in speech.speak(text, language="en", **options)]  # type: ignore[arg-type]
    finally:
        await speech.close()


@pytest.mark.parametrize(
    ("head", "rate_hz", "channels"),
    [(b"", 24_000, 1), (wav(24_000), 24_000, 1), (wav(16_000), 16_000, 1), (wav(44_100, 2), 44_100, 2),
     (wav(48_000, extra=b"LIST\x04\0\0\0abcd"), 48_000, 1)],
)  # fmt: skip
@pytest.mark.parametrize("step", [1, 1001, 10**6])
async def test_sound_becomes_48_khz(head: bytes, rate_hz: int, channels: int, step: int) -> None:
    seconds = 0.02 if step == 1 else 0.5
    body = head + tone(rate_hz, seconds, channels)
    async with endpoint(sending(body, step)) as server:
        chunks = await spoken(server.base_url)
    pcm = np.concatenate(chunks)
    assert len(pcm) == pytest.approx(48_000 * seconds, abs=96)
    if step > 1:
        middle = pcm[6_000:18_000].astype(float)
        spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
        assert np.argmax(spectrum) * 48_000 / len(middle) == pytest.approx(440, abs=5)
        assert np.abs(middle).max() == pytest.approx(10_000, rel=0.05)
        assert all(len(chunk) >= SHORTEST_CHUNK for chunk in chunks[:-1])


async def test_a_byte_too_many_at_the_end_is_dropped() -> None:
    async with endpoint(sending(tone(24_000) + b"\x7f")) as server:
        assert len(np.concatenate(await spoken(server.base_url))) == pytest.approx(24_000, abs=96)


async def test_the_first_chunk_does_not_wait_for_the_rest() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.head(200, "audio/pcm")
        await exchange.send(tone(24_000, 0.2))
        await asyncio.Event().wait()

    async with endpoint(handler) as server:
        speech = OpenAISpeech(base_url=server.base_url, model="m")
        iterator = speech.speak("Hello.", language="en")
        first = await asyncio.wait_for(anext(iterator), 5)
        assert first.speech.duration_ms > 100 and first.speech.phonemes is None
        await iterator.aclose()  # type: ignore[attr-defined]
        await asyncio.wait_for(server.hung_up.wait(), 1)
        await speech.close()


async def test_what_is_asked_for() -> None:
    async with endpoint(sending(tone(24_000))) as server:
        await spoken(server.base_url, "Hi.")
        await spoken(server.base_url, "Hi.", voice="adam", speed=1.25)
    first, second = (request.body for request in server.requests)
    assert first == {"model": "kokoro", "voice": "bella", "input": "Hi.", "response_format": "pcm"}
    assert (second["voice"], second["speed"]) == ("adam", 1.25)
    assert server.requests[0].path == "/v1/audio/speech"


@pytest.mark.parametrize(
    ("handler", "message", "retryable"),
    [
        (sending(b""), "no sound", False),
        (sending(b"ID3" + bytes(2000)), "sends MP3", False),
        (sending(b"OggS" + bytes(2000)), "sends Ogg", False),
        (sending(wav(24_000, bits=24) + bytes(2000)), "not 16-bit", False),
        (sending(wav(1)), "impossible rate", False),
        (sending(b"RIFF" + bytes(5000)), "damaged WAV", False),
        (sending(b"RIFF"), "damaged WAV", False),
        (sending(b'{"a": 1}', content_type="application/json"), "application/json instead of sound", False),
        (sending(b"<html>", content_type="text/html; charset=utf-8"), "text/html instead of sound", False),
    ],
)
async def test_what_is_no_sound(handler: Handler, message: str, retryable: bool) -> None:
    async with endpoint(handler) as server:
        with pytest.raises(SynthesisFailed, match=message) as caught:
            await spoken(server.base_url)
    assert caught.value.retryable is retryable
    assert "kokoro" in str(caught.value)


@pytest.mark.parametrize(
    ("status", "message", "retryable"),
    [
        (401, "PARLEY_SPEAKING_API_KEY", False),
        (404, "PARLEY_SPEAKING_MODEL", False),
        (429, "slow down", True),
        (503, "slow down", True),
    ],
)
async def test_refusals(status: int, message: str, retryable: bool) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.refuse(status, "slow down")

    async with endpoint(handler) as server:
        with pytest.raises(SynthesisFailed, match=message) as caught:
            await spoken(server.base_url)
    assert caught.value.retryable is retryable


async def test_an_endpoint_that_hangs() -> None:
    async def handler(exchange: Exchange) -> None:
        await asyncio.Event().wait()

    async with endpoint(handler) as server:
        speech = OpenAISpeech(base_url=server.base_url, model="m", first_byte_timeout_s=0.2)
        with pytest.raises(SynthesisFailed, match=r"nothing for too long|cannot be reached"):
            await anext(speech.speak("Hello.", language="en"))
        await asyncio.wait_for(server.hung_up.wait(), 1)
        await speech.close()


async def test_an_endpoint_that_falls_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_speech, "IDLE_TIMEOUT_S", 0.2)

    async def handler(exchange: Exchange) -> None:
        await exchange.head(200, "audio/pcm")
        await exchange.send(tone(24_000, 0.1))
        await asyncio.Event().wait()

    async with endpoint(handler) as server:
        with pytest.raises(SynthesisFailed, match="nothing for too long"):
            await spoken(server.base_url)


async def test_an_endpoint_that_breaks_off() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.head(200, "audio/pcm")
        await exchange.send(tone(24_000, 0.1))
        exchange.writer.transport.abort()

    async with endpoint(handler) as server:
        with pytest.raises(SynthesisFailed, match="broke off"):
            await spoken(server.base_url)


async def test_nobody_there() -> None:
    async with endpoint(sending(b"")) as server:
        gone = server.base_url
    with pytest.raises(SynthesisFailed, match="PARLEY_SPEAKING_BASE_URL"):
        await spoken(gone)
