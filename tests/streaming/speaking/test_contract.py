"""What every voice engine keeps to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import numpy as np
import pytest

from avatar.speech import SPEECH_RATE_HZ
from streaming.speaking.espeak import EspeakSynthesizer
from streaming.speaking.openai_speech import OpenAISpeech
from streaming.speaking.scripted import ScriptedSynthesizer
from streaming.speaking.synthesizer import SpokenChunk, Synthesizer
from tests.llm_bridge.fake_endpoint import Exchange, endpoint


async def tone(exchange: Exchange) -> None:
    """A speech endpoint: 30 ms of a 24 kHz tone for each character, in pieces of an odd number of bytes."""
    samples = np.arange(len(exchange.body["input"]) * 720)
    pcm = (np.sin(samples * 0.05) * 8000).astype("<i2").tobytes()
    await exchange.head(200, "audio/pcm")
    for at in range(0, len(pcm), 1001):
        await exchange.send(pcm[at : at + 1001])
    await exchange.end()


@asynccontextmanager
async def engine(name: str) -> AsyncIterator[Synthesizer]:
    if name == "openai":
        async with endpoint(tone) as server:
            speech = OpenAISpeech(base_url=server.base_url, model="test")
            try:
                yield speech
            finally:
                await speech.close()
        return
    voice: Synthesizer = EspeakSynthesizer() if name == "espeak" else ScriptedSynthesizer(timed=name == "scripted")
    try:
        await voice.warm_up()
        yield voice
    finally:
        await voice.close()


ENGINES = ["espeak", "openai", "scripted", "untimed"]
every_engine = pytest.mark.parametrize("name", ENGINES)


async def chunks(speaker: Synthesizer, text: str, language: str = "en", **options: object) -> list[SpokenChunk]:
    return [chunk async for chunk in speaker.speak(text, language=language, **options)]  # type: ignore[arg-type]


@every_engine
@pytest.mark.parametrize(
    ("text", "language"),
    [
        ('Hello there, Dr. Smith said "yes".', "en"),
        ("你好，我是海伦。", "cmn"),
        ("One", "en-GB"),
        ("我用 OpenAI 说话。", "zh-CN"),
    ],
)
async def test_sound_and_its_timings(name: str, text: str, language: str) -> None:
    async with engine(name) as voice:
        spoken = await chunks(voice, text, language)
    assert spoken
    sentence_ms = 0.0
    words = []
    for chunk in spoken:
        speech = chunk.speech
        assert speech.pcm48k.dtype == np.int16 and speech.pcm48k.ndim == 1 and len(speech.pcm48k)
        assert speech.language == language
        assert len(speech.pcm48k) >= SPEECH_RATE_HZ // 25 or chunk is spoken[-1]
        if speech.phonemes is not None:
            times = [time for phoneme in speech.phonemes for time in (phoneme.start_ms, phoneme.end_ms)]
            assert times == sorted(times) and times[0] >= 0
            assert times[-1] == pytest.approx(speech.duration_ms, abs=0.1)
            assert all(mark not in phoneme.symbol for phoneme in speech.phonemes for mark in "ˈˌ()_")
        words += chunk.words
        sentence_ms += speech.duration_ms
    if name in ("espeak", "scripted"):
        assert words and all(chunk.speech.phonemes for chunk in spoken)
        assert [word.start for word in words] == sorted(word.start for word in words)
        assert all(a.end <= b.start for a, b in pairwise(words))
        assert all(0 <= word.start_ms <= word.end_ms <= sentence_ms + 0.1 for word in words)
        assert words[0].start == 0 and words[-1].end == len(text)
    else:
        assert not words and all(chunk.speech.phonemes is None for chunk in spoken)


@every_engine
async def test_nothing_to_say(name: str) -> None:
    async with engine(name) as voice:
        assert await chunks(voice, "  \n ") == []


@every_engine
async def test_every_voice_can_be_asked_for(name: str) -> None:
    async with engine(name) as voice:
        assert voice.name
        assert len(voice.voices) > 1
        for voice_name in voice.voices:
            assert await chunks(voice, "Yes.", voice=voice_name), voice_name


@pytest.mark.parametrize("name", ["espeak", "scripted"])
@pytest.mark.parametrize("speed", [0.25, 0.5, 0.8, 1.25, 1.5])
async def test_speed(name: str, speed: float) -> None:
    text = "The quick brown fox jumps over the lazy dog."
    async with engine(name) as voice:
        plain = sum(chunk.speech.duration_ms for chunk in await chunks(voice, text))
        other = sum(chunk.speech.duration_ms for chunk in await chunks(voice, text, speed=speed))
    assert other == pytest.approx(plain / speed, rel=0.2)


@every_engine
async def test_conversations_do_not_hear_each_other(name: str) -> None:
    texts = ["One.", "Two and a half, if you please.", "Seventeen.", "Eight thousand and four."]
    async with engine(name) as voice:
        alone = [np.concatenate([c.speech.pcm48k for c in await chunks(voice, text)]) for text in texts]
        together = await asyncio.gather(*(chunks(voice, text) for text in texts))
    for expected, got in zip(alone, together, strict=True):
        sound = np.concatenate([chunk.speech.pcm48k for chunk in got])
        assert abs(len(sound) - len(expected)) < 48 * 20  # espeak's lengths vary by a few samples


@every_engine
async def test_closing_midway_leaves_the_engine_well(name: str) -> None:
    async with engine(name) as voice:
        iterator = voice.speak("A rather long sentence, that will not be heard to its end.", language="en")
        await anext(iterator)
        await iterator.aclose()  # type: ignore[attr-defined]
        task = asyncio.create_task(chunks(voice, "Another sentence."))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})  # cancelled, or already done where an engine needs no waiting
        assert await chunks(voice, "And a third.")
