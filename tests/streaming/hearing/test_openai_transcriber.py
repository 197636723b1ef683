"""An OpenAI-compatible endpoint that answers, refuses, stalls and talks nonsense."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.responses import HTMLResponse, JSONResponse, Response

from streaming.errors import TranscriptionFailed
from streaming.hearing.openai_transcriber import OpenAITranscriber
from tests.streaming.hearing.conftest import noise
from tests.streaming.hearing.fake_endpoint import FakeEndpoint, Request, fake_endpoint


@pytest.fixture
async def endpoint() -> AsyncIterator[FakeEndpoint]:
    async with fake_endpoint() as serving:
        yield serving


@pytest.fixture
async def transcriber(endpoint: FakeEndpoint) -> AsyncIterator[OpenAITranscriber]:
    made = OpenAITranscriber(
        base_url=endpoint.base_url, api_key="secret", model="whisper-9", timeout_s=5.0, max_retries=0
    )
    yield made
    await made.close()


async def test_what_is_sent_and_what_comes_back(endpoint: FakeEndpoint, transcriber: OpenAITranscriber) -> None:
    stream = transcriber.open(language="cmn-Hans-CN")
    stream.feed(noise(0.6))
    transcript = await stream.transcribe()
    assert (transcript.text, transcript.language, transcript.duration_ms) == (
        "Hello from the endpoint.", "cmn-Hans-CN", 600.0,
    )  # fmt: skip
    (request,) = endpoint.requests
    assert (request.samples, request.rate_hz, request.authorization) == (9600, 16_000, "Bearer secret")
    assert request.fields == {"model": "whisper-9", "language": "zh", "response_format": "json"}
    await stream.close()


async def test_no_language_and_no_key(endpoint: FakeEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not for this endpoint")
    transcriber = OpenAITranscriber(base_url=endpoint.base_url, api_key=None)
    stream = transcriber.open()
    stream.feed(noise(0.2))
    assert (await stream.transcribe()).language == "und"
    assert "language" not in endpoint.requests[0].fields
    assert "not for this endpoint" not in endpoint.requests[0].authorization
    await transcriber.close()


async def test_too_short_to_send(endpoint: FakeEndpoint, transcriber: OpenAITranscriber) -> None:
    stream = transcriber.open()
    stream.feed(noise(0.05))
    assert (await stream.transcribe()).text == ""
    assert endpoint.requests == []
    await stream.close()


@pytest.mark.parametrize(
    ("status", "message", "retryable"),
    [
        (401, "hearing.api_key", False),
        (403, "hearing.api_key", False),
        (404, "hearing.model", False),
        (429, "quota", True),
        (500, "HTTP 500", True),
        (400, "HTTP 400", False),
    ],
)
async def test_refusals(
    endpoint: FakeEndpoint, transcriber: OpenAITranscriber, status: int, message: str, retryable: bool
) -> None:
    async def refuse(_: Request) -> Response:
        return JSONResponse({"error": {"message": "no"}}, status)

    endpoint.answer = refuse
    stream = transcriber.open()
    stream.feed(noise(0.2))
    with pytest.raises(TranscriptionFailed, match=message) as failure:
        await stream.transcribe()
    assert failure.value.retryable is retryable and "secret" not in str(failure.value)
    endpoint.answer = None
    assert (await stream.transcribe()).text == "Hello from the endpoint."
    await stream.close()


@pytest.mark.parametrize("body", ["<html>log in</html>", "{", '{"transcript": "?"}', '{"text": 3}', "[]", ""])
async def test_nonsense(endpoint: FakeEndpoint, transcriber: OpenAITranscriber, body: str) -> None:
    async def babble(_: Request) -> Response:
        return HTMLResponse(body) if body.startswith("<") else Response(body, media_type="application/json")

    endpoint.answer = babble
    stream = transcriber.open()
    stream.feed(noise(0.2))
    with pytest.raises(TranscriptionFailed, match="whisper-9"):
        await stream.transcribe()
    await stream.close()


async def test_an_endpoint_that_hangs(endpoint: FakeEndpoint) -> None:
    released = asyncio.Event()

    async def hang(_: Request) -> Response:
        await released.wait()
        return JSONResponse({"text": "late"})

    endpoint.answer = hang
    transcriber = OpenAITranscriber(base_url=endpoint.base_url, api_key="k", timeout_s=0.1, max_retries=0)
    stream = transcriber.open()
    stream.feed(noise(0.2))
    with pytest.raises(TranscriptionFailed, match=r"within 0.1 s") as failure:
        await stream.transcribe()
    assert failure.value.retryable
    released.set()
    await stream.close()
    await transcriber.close()


async def test_an_endpoint_that_is_not_there() -> None:
    transcriber = OpenAITranscriber(base_url="http://127.0.0.1:9/v1", api_key="k", max_retries=0)
    stream = transcriber.open()
    stream.feed(noise(0.2))
    with pytest.raises(TranscriptionFailed, match="cannot be reached"):
        await stream.transcribe()
    await stream.close()
    await transcriber.close()


async def test_a_failure_that_passes_is_tried_again(endpoint: FakeEndpoint) -> None:
    async def once(_: Request) -> Response:
        endpoint.answer = None
        return JSONResponse({}, 503, headers={"retry-after-ms": "1"})

    endpoint.answer = once
    transcriber = OpenAITranscriber(base_url=endpoint.base_url, api_key="k", max_retries=1)
    stream = transcriber.open()
    stream.feed(noise(0.2))
    assert (await stream.transcribe()).text == "Hello from the endpoint."
    assert len(endpoint.requests) == 2
    await stream.close()
    await transcriber.close()


async def test_a_long_speech_is_sent_in_parts(endpoint: FakeEndpoint, transcriber: OpenAITranscriber) -> None:
    fail_first = True

    async def count(request: Request) -> Response:
        nonlocal fail_first
        if fail_first:
            fail_first = False
            return JSONResponse({}, 500)
        return JSONResponse({"text": f"{request.samples / 16_000:.1f}"})

    endpoint.answer = count
    partial: list[str] = []
    stream = transcriber.open(on_partial=partial.append)
    sound = noise(130)
    sound[55 * 16_000 : 55 * 16_000 + 1600] = 0
    for start in range(0, len(sound), 16_000):
        stream.feed(sound[start : start + 16_000])
    with pytest.raises(TranscriptionFailed):
        await stream.transcribe()
    transcript = await stream.transcribe()
    parts = [float(text) for text in transcript.text.split()]
    assert parts[0] == 55.1, "cut where it is quietest"
    assert len(parts) == 3 and abs(sum(parts) - 130) < 0.2
    assert transcript.duration_ms == 130_000
    assert max(request.samples for request in endpoint.requests) <= 60 * 16_000
    assert partial and transcript.text.startswith(partial[-1])
    asked = len(endpoint.requests)
    assert await stream.transcribe() == transcript
    assert len(endpoint.requests) == asked + 1, "parts are asked for once"
    await stream.close()
