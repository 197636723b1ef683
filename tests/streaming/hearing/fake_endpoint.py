"""An OpenAI-compatible transcription endpoint on a local port, which can be told to misbehave."""

from __future__ import annotations

import asyncio
import io
import socket
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


@dataclass
class Request:
    """Attributes:
    samples: how long the WAV file was.
    fields: the form's other fields.
    """

    samples: int
    rate_hz: int
    authorization: str
    fields: dict[str, str]


@dataclass
class FakeEndpoint:
    """Attributes:
    answer: makes the answers, if they are not to be the usual one.
    """

    base_url: str
    requests: list[Request] = field(default_factory=list)
    answer: Callable[[Request], Awaitable[Response]] | None = None


@asynccontextmanager
async def fake_endpoint() -> AsyncIterator[FakeEndpoint]:
    listening = socket.create_server(("127.0.0.1", 0))
    endpoint = FakeEndpoint(f"http://127.0.0.1:{listening.getsockname()[1]}/v1")

    async def transcribe(http: HttpRequest) -> Response:
        async with http.form() as form:
            upload = form["file"]
            assert isinstance(upload, UploadFile)
            with wave.open(io.BytesIO(await upload.read())) as sound:
                assert (sound.getnchannels(), sound.getsampwidth()) == (1, 2)
                fields = {name: str(value) for name, value in form.items() if name != "file"}
                request = Request(sound.getnframes(), sound.getframerate(), http.headers["Authorization"], fields)
        endpoint.requests.append(request)
        if endpoint.answer is not None:
            return await endpoint.answer(request)
        return JSONResponse({"text": " Hello from the endpoint. "})

    app = Starlette(routes=[Route("/v1/audio/transcriptions", transcribe, methods=["POST"])])
    config = uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=0)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield endpoint
    finally:
        server.should_exit = True
        await serving
        listening.close()
