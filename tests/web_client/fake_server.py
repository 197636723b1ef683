"""A small Realtime server that does what a test tells it: for what the page does, not for what the server does."""

from __future__ import annotations

import asyncio
import json
import mimetypes
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import av
import numpy as np
import uvicorn
from aiortc import AudioStreamTrack, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from aiortc.mediastreams import MediaStreamError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from server.config import ServerSection
from server.security.headers import content_security_policy

WEB_CLIENT = Path(__file__).resolve().parents[2] / "web_client"

CONTENT_SECURITY_POLICY = content_security_policy(ServerSection())
"""The real server's: a page that passes here passes there."""


def _avatar(name: str, display_name: str) -> dict[str, Any]:
    thumbnail = f"/v1/avatars/{name}/thumbnail.webp"
    return {
        "name": name,
        "display_name": display_name,
        "locales": ["en"],
        "thumbnail": thumbnail,
        "default": name == "helen",
    }


CATALOG = {
    "data": [_avatar("helen", "Helen"), _avatar("mei", "Mei"), _avatar("arjun", "Arjun")],
    "voices": ["auto", "en-gb", "cmn"],
}


class Still(VideoStreamTrack):
    """One picture, over and over."""

    def __init__(self, picture: np.ndarray) -> None:
        super().__init__()
        self._picture = picture

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(self._picture, format="rgb24")
        frame.pts, frame.time_base = pts, time_base
        return frame


class FakeCall:
    """One call, as the server sees it.

    Attributes:
        session: the JSON that came with the offer.
        received: events from the page, pings left out.
        heard: set when sound above silence has come from the page.
    """

    def __init__(
        self, peer: RTCPeerConnection, session: dict[str, Any], authorization: str | None, *, video: bool
    ) -> None:
        self.peer = peer
        self._video = video
        self.session = session
        self.authorization = authorization
        self.received: list[dict[str, Any]] = []
        self.opened = asyncio.Event()
        self.ended = asyncio.Event()
        self.heard = asyncio.Event()
        self.answers_pings = True
        self.pings = 0
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        peer.on("datachannel", self._open)
        peer.on("track", self._listen)

    def _open(self, channel: Any) -> None:
        self._channel = channel
        channel.on("message", self._receive)
        self.opened.set()
        self.send("session.created", session={"type": "realtime"})
        if self._video:
            self.send("avatar.persona", name="helen", display_name="Helen")

    def _receive(self, text: str) -> None:
        event = json.loads(text)
        if event["type"] == "avatar.ping":
            self.pings += 1
            if self.answers_pings:
                self.send("avatar.pong")
        else:
            self.received.append(event)
            self._news.set()

    def _listen(self, track: Any) -> None:
        async def listen() -> None:
            with suppress(MediaStreamError):
                while True:
                    frame = await track.recv()
                    if np.abs(frame.to_ndarray()).max() > 500:
                        self.heard.set()

        if track.kind == "audio":
            task = asyncio.create_task(listen())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def send(self, kind: str, **fields: Any) -> None:
        self._channel.send(json.dumps({"type": kind, "event_id": "event_fake", **fields}))

    async def event(self, kind: str, seconds: float = 10) -> dict[str, Any]:
        """The first event of this kind from the page, waited for."""
        async with asyncio.timeout(seconds):
            while True:
                for event in self.received:
                    if event["type"] == kind:
                        return event
                self._news.clear()
                await self._news.wait()

    async def drop(self) -> None:
        """End the call from the server's side."""
        await self.peer.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class FakeServer:
    """Attributes:
    calls: all so far.
    refusals: answers for the next calls, taken from the front: (status, JSON body, headers).
    pages: HTML by path, beside the files of ``web_client``.
    policy: Content-Security-Policy of those pages.
    key: wanted for the catalog and for tokens.
    """

    def __init__(
        self, picture: np.ndarray | None = None, thumbnails: dict[str, Path] | None = None, *, video: bool = True
    ) -> None:
        self.calls: list[FakeCall] = []
        self.refusals: list[tuple[int, dict[str, Any], dict[str, str]]] = []
        self.pages: dict[str, str] = {}
        self.policy = CONTENT_SECURITY_POLICY
        self.key: str | None = None
        self.url = ""
        self._video = video
        self._picture = np.full((256, 256, 3), (40, 120, 110), np.uint8) if picture is None else picture
        self._thumbnails = thumbnails or {}
        self._news = asyncio.Event()
        self.app = Starlette(
            routes=[
                Route("/v1/avatars", self._avatars),
                Route("/v1/avatars/{name}/thumbnail.webp", self._thumbnail),
                Route("/v1/realtime/calls", self._call, methods=["POST", "OPTIONS"]),
                Route("/v1/realtime/calls/{index:int}", self._hang_up, methods=["DELETE", "OPTIONS"]),
                Route("/v1/realtime/client_secrets", self._token, methods=["POST"]),
                Route("/token", self._token, methods=["POST"]),
                Route("/{path:path}", self._file),
            ]
        )

    async def call(self, number: int = 1, seconds: float = 20) -> FakeCall:
        """The call with this number, from 1, waited for until its events can be sent."""
        async with asyncio.timeout(seconds):
            while len(self.calls) < number:
                self._news.clear()
                await self._news.wait()
            await self.calls[number - 1].opened.wait()
        return self.calls[number - 1]

    async def close(self) -> None:
        for call in self.calls:
            await call.drop()

    def _refused(self, request: Request) -> Response | None:
        if self.key is None or request.headers.get("authorization") == f"Bearer {self.key}":
            return None
        return JSONResponse({"error": {"code": "invalid_api_key", "message": "The API key is not valid."}}, 401)

    async def _avatars(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        return JSONResponse(CATALOG, headers=_cors(request))

    async def _thumbnail(self, request: Request) -> Response:
        path = self._thumbnails.get(request.path_params["name"])
        return FileResponse(path) if path else Response(status_code=404)

    async def _token(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        return JSONResponse({"value": "ek_test", "expires_at": 0})

    async def _call(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(headers=_cors(request))
        if self.refusals:
            status, body, headers = self.refusals.pop(0)
            return JSONResponse(body, status, headers={**headers, **_cors(request)})
        form = await request.form()
        peer = RTCPeerConnection()
        call = FakeCall(peer, json.loads(str(form["session"])), request.headers.get("authorization"), video=self._video)
        await peer.setRemoteDescription(RTCSessionDescription(str(form["sdp"]), "offer"))
        peer.addTrack(AudioStreamTrack())
        if self._video:
            peer.addTrack(Still(self._picture))
        await peer.setLocalDescription(await peer.createAnswer())
        self.calls.append(call)
        self._news.set()
        headers = {"Location": f"/v1/realtime/calls/{len(self.calls)}", **_cors(request)}
        return Response(peer.localDescription.sdp, 201, headers, "application/sdp")

    async def _hang_up(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.calls[request.path_params["index"] - 1].ended.set()
        return Response(headers=_cors(request))

    async def _file(self, request: Request) -> Response:
        name = request.path_params["path"] or "index.html"
        if name in self.pages:
            return HTMLResponse(self.pages[name], headers={"Content-Security-Policy": self.policy})
        path = (WEB_CLIENT / name).resolve()
        if not path.is_relative_to(WEB_CLIENT) or not path.is_file():
            return Response(status_code=404)
        headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, **_cors(request)}
        return FileResponse(path, media_type=mimetypes.guess_type(path.name)[0], headers=headers)


def _cors(request: Request) -> dict[str, str]:
    return {
        "Access-Control-Allow-Origin": request.headers.get("origin", "*"),
        "Access-Control-Allow-Methods": "GET, POST, DELETE",
        "Access-Control-Allow-Headers": "Authorization, Content-Type",
        "Access-Control-Expose-Headers": "Location",
    }


@asynccontextmanager
async def serving(fake: FakeServer) -> AsyncIterator[FakeServer]:
    """Serve on a free port of the loopback interface."""
    listener = socket.create_server(("127.0.0.1", 0))  # whoever connects before uvicorn is ready waits in its queue
    fake.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(fake.app, log_level="error", lifespan="off", timeout_graceful_shutdown=2))
    with listener:
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield fake
        finally:
            server.should_exit = True  # first: a page whose call is dropped would call again
            await task
            await fake.close()
