"""What SIGTERM begins: nobody new, a last sentence, a word of farewell, and nothing left."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from server.app import create_app
from server.config import Settings
from tests.server.fakes import SDP_OFFER, FakeConversations, fake_engines
from tests.server.live import serving


async def until(socket: ClientConnection, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(5):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message["type"] == kind:
                return message


async def close_code(socket: ClientConnection) -> int | None:
    try:
        async with asyncio.timeout(5):
            while True:
                await socket.recv()
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd is not None else None


async def test_an_answer_being_spoken_is_finished_and_newcomers_are_told(tmp_path: Path) -> None:
    conversations, engines = FakeConversations(), fake_engines()
    app = create_app(Settings(data_dir=tmp_path), engines, conversations=conversations)
    async with (
        serving(app, drain_s=30) as (server, port),
        connect(f"ws://127.0.0.1:{port}/v1/realtime") as silent,
        connect(f"ws://127.0.0.1:{port}/v1/realtime") as speaking,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        await until(silent, "session.created")
        await until(speaking, "session.created")
        conversation = conversations.made[1]
        conversation.hold = True
        await speaking.send('{"type":"avatar.say","text":"Let me finish."}')
        await until(speaking, "response.output_audio.delta")
        server.should_exit = True
        farewell = await until(silent, "error")
        assert farewell["error"]["code"] == "server_shutting_down"
        assert farewell["error"]["retryable"] is True
        assert await close_code(silent) == 1001
        assert (await http.get("/health")).status_code == 503
        refused = await http.post("/v1/realtime/calls", content=SDP_OFFER, headers={"Content-Type": "application/sdp"})
        assert refused.status_code == 503 and int(refused.headers["retry-after"]) > 0
        assert len(app.state.parley.registry) == 1
        conversation.finish()
        await until(speaking, "response.done")
        assert await close_code(speaking) == 1001
    assert [made.closed for made in conversations.made] == [1, 1]
    assert engines.transcriber.closed > 0  # type: ignore[attr-defined]


async def test_an_endless_answer_is_not_waited_for(tmp_path: Path) -> None:
    conversations = FakeConversations()
    app = create_app(Settings(data_dir=tmp_path), fake_engines(), conversations=conversations)
    began = time.monotonic()
    async with serving(app, drain_s=0.2) as (server, port), connect(f"ws://127.0.0.1:{port}/v1/realtime") as socket:
        await until(socket, "session.created")
        conversations.made[0].hold = True
        await socket.send('{"type":"avatar.say","text":"On and on."}')
        await until(socket, "response.output_audio.delta")
        server.should_exit = True
        assert await close_code(socket) == 1001
    assert conversations.made[0].closed == 1
    assert time.monotonic() - began < 5


async def test_ctrl_c_again_cuts_it_short(tmp_path: Path) -> None:
    conversations, engines = FakeConversations(), fake_engines()
    app = create_app(Settings(data_dir=tmp_path), engines, conversations=conversations)
    async with serving(app, drain_s=60) as (server, port), connect(f"ws://127.0.0.1:{port}/v1/realtime") as socket:
        await until(socket, "session.created")
        conversations.made[0].hold = True
        await socket.send('{"type":"avatar.say","text":"On and on."}')
        await until(socket, "response.output_audio.delta")
        server.should_exit = server.force_exit = True
        assert await close_code(socket) == 1001
    assert conversations.made[0].closed == 1
    assert engines.transcriber.closed > 0  # type: ignore[attr-defined]
