"""What every transcriber must do, on every transcriber there is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from streaming.errors import TranscriptionFailed
from streaming.hearing.openai_transcriber import OpenAITranscriber
from streaming.hearing.scripted import ScriptedTranscriber
from streaming.hearing.sphinx import SphinxTranscriber
from streaming.hearing.transcriber import Transcriber
from streaming.hearing.whisper import WhisperTranscriber
from tests.streaming.hearing.conftest import noise
from tests.streaming.hearing.fake_endpoint import fake_endpoint

ENGINES = ("scripted", "pocketsphinx", "faster-whisper", "openai")
ANSWER_S = 30.0
"""No engine needs this long for what is asked of it here; a test that waits for it has failed."""


@asynccontextmanager
async def _engine(name: str, tiny_whisper: Path) -> AsyncIterator[Transcriber]:
    made: Transcriber
    if name == "openai":
        async with fake_endpoint() as endpoint:
            made = OpenAITranscriber(base_url=endpoint.base_url, api_key="key")
            yield made
            await made.close()
        return
    if name == "scripted":
        made = ScriptedTranscriber(["first", "second"], delay_s=0.01)
    elif name == "pocketsphinx":
        made = SphinxTranscriber(processes=1)
    else:
        made = WhisperTranscriber(tiny_whisper, models=tiny_whisper.parent)
    yield made
    await made.close()


@pytest.fixture(params=ENGINES)
async def transcriber(request: pytest.FixtureRequest, tiny_whisper: Path) -> AsyncIterator[Transcriber]:
    async with _engine(request.param, tiny_whisper) as made:
        yield made


async def test_a_segment_that_grows_is_transcribed_again_and_again(transcriber: Transcriber) -> None:
    await transcriber.warm_up()
    stream = transcriber.open(language="en")
    async with asyncio.timeout(ANSWER_S):
        assert await stream.transcribe() == await stream.transcribe()
        nothing = await stream.transcribe()
        assert (nothing.text, nothing.duration_ms) == ("", 0.0)
        for length in (1, 7, 0, 333, 16_001):
            stream.feed(noise(1.1)[:length])
        first = await stream.transcribe()
        assert first.duration_ms == (1 + 7 + 333 + 16_001) / 16
        assert first.language == "en"
        stream.feed(noise(0.5))
        second = await stream.transcribe()
        assert second.duration_ms == first.duration_ms + 500
    await stream.close()
    await stream.close()


async def test_wrong_sound_is_refused_and_the_segment_goes_on(transcriber: Transcriber) -> None:
    stream = transcriber.open()
    for wrong in (np.zeros(160, np.float32), np.zeros((160, 2), np.int16), np.zeros(160, np.int32)):
        with pytest.raises(ValueError, match="one-dimensional int16"):
            stream.feed(wrong)  # type: ignore[arg-type]
    stream.feed(noise(0.2))
    async with asyncio.timeout(ANSWER_S):
        assert (await stream.transcribe()).duration_ms == 200
    await stream.close()


async def test_cancelling_leaves_the_segment_usable(transcriber: Transcriber) -> None:
    stream = transcriber.open(language="en")
    stream.feed(noise(0.3))
    asked = asyncio.create_task(stream.transcribe())
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    stream.feed(noise(0.3))
    async with asyncio.timeout(ANSWER_S):
        assert (await stream.transcribe()).duration_ms == 600
    await stream.close()


async def test_closing_ends_what_is_being_transcribed(transcriber: Transcriber) -> None:
    stream = transcriber.open()
    stream.feed(noise(2.0))
    asked = asyncio.create_task(stream.transcribe())
    await asyncio.sleep(0)
    async with asyncio.timeout(ANSWER_S):
        await stream.close()
        with pytest.raises(TranscriptionFailed, match="closed"):
            await asked
        with pytest.raises(TranscriptionFailed, match="closed"):
            await stream.transcribe()
    stream.feed(noise(0.1))  # sound that was on its way


async def test_segments_do_not_mix(transcriber: Transcriber) -> None:
    streams = [transcriber.open() for _ in range(3)]
    for tenths, stream in enumerate(streams, 2):
        stream.feed(noise(tenths / 10))
    async with asyncio.timeout(ANSWER_S):
        heard = await asyncio.gather(*(stream.transcribe() for stream in streams))
    assert [transcript.duration_ms for transcript in heard] == [200, 300, 400]
    for stream in streams:
        await stream.close()


@pytest.mark.slow
async def test_a_speech_without_end_is_bounded(transcriber: Transcriber) -> None:
    stream = transcriber.open(language="en")
    stream.feed(np.zeros(75 * 16_000, np.int16))
    async with asyncio.timeout(2 * ANSWER_S):
        assert (await stream.transcribe()).duration_ms == 75_000
    await stream.close()


@pytest.mark.parametrize("name", ENGINES)
async def test_the_engine_may_be_closed_while_segments_are_open(name: str, tiny_whisper: Path) -> None:
    async with _engine(name, tiny_whisper) as transcriber:
        stream = transcriber.open()
        stream.feed(noise(0.5))
    async with asyncio.timeout(ANSWER_S):
        await transcriber.close()
        await stream.close()


@pytest.mark.parametrize("name", ["pocketsphinx", "faster-whisper"])
async def test_silence_and_noise_say_nothing(name: str, tiny_whisper: Path) -> None:
    async with _engine(name, tiny_whisper) as transcriber:
        for sound in (np.zeros(16_000, np.int16), noise(1.0, 20), noise(1.0, 3000), np.full(16_000, 9000, np.int16)):
            stream = transcriber.open(language="en")
            stream.feed(sound)
            async with asyncio.timeout(ANSWER_S):
                assert (await stream.transcribe()).text == ""
            await stream.close()
