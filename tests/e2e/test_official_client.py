"""The official ``openai`` client, unchanged, holds a spoken turn with the real engines."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import numpy as np
import pytest
import soxr
from openai import AsyncOpenAI

from benchmarks.recordings import RATE_HZ, read_sound
from tests.e2e.conftest import Serve
from tests.e2e.test_voice import share_heard, transcript_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

CLIENT_RATE_HZ = 24_000
CLIP = "en-librivox-0930"


async def test_a_spoken_turn_over_a_websocket(shared: Path, serve: Serve) -> None:
    voice = soxr.resample(read_sound(shared / f"samples/speech/{CLIP}.wav"), RATE_HZ, CLIENT_RATE_HZ)
    silence = np.zeros(CLIENT_RATE_HZ * 3, np.int16)
    sound = np.concatenate([silence[: CLIENT_RATE_HZ // 2], voice.astype(np.int16), silence])
    served = await serve()
    client = AsyncOpenAI(
        api_key="none", base_url=served.url + "/v1", websocket_base_url=served.url.replace("http", "ws") + "/v1"
    )
    heard, said, answer = "", "", bytearray()
    async with asyncio.timeout(60), client, client.realtime.connect(model="gpt-realtime") as connection:

        async def speak() -> None:
            for part in np.array_split(sound, len(sound) // 480):  # in real time, as a microphone
                await connection.input_audio_buffer.append(audio=base64.b64encode(part.tobytes()).decode())
                await asyncio.sleep(len(part) / CLIENT_RATE_HZ)

        speaking = asyncio.create_task(speak())
        try:
            async for event in connection:
                match event.type:
                    case "conversation.item.input_audio_transcription.completed":
                        heard = event.transcript
                    case "response.output_audio.delta":
                        answer += base64.b64decode(event.delta)
                    case "response.output_audio_transcript.done":
                        said = event.transcript
                    case "response.done":
                        assert event.response.status == "completed"
                        break
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
    assert share_heard(transcript_of(shared, CLIP), heard) >= 0.5, heard
    pcm = np.frombuffer(bytes(answer), np.int16).astype(float)
    assert len(pcm) / CLIENT_RATE_HZ > 0.03 * len(said) and np.sqrt(np.mean(pcm**2)) > 300, "the answer is heard"
