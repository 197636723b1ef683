"""Real WebRTC calls through the real endpoint: aiortc on the browser's side, scripted engines behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx2
import psutil
import pytest
from aiortc import RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack

from server.app import create_app
from server.config import Settings
from server.engines import Engines
from streaming.hearing.scripted import ScriptedTranscriber
from streaming.speaking.scripted import ScriptedSynthesizer
from tests.server.fakes import FakeEngine, types_of
from tests.server.live import running
from tests.server.official import check_event
from tests.server.test_openai_client import EchoModel


def engines() -> Engines:
    return Engines(
        transcriber=ScriptedTranscriber([]),
        chat_model=cast(Any, EchoModel()),
        synthesizer=ScriptedSynthesizer(),
        worker_pool=cast(Any, FakeEngine()),
    )


class Browser:
    """One caller without a picture, as ``@openai/agents-realtime`` is without its hook."""

    def __init__(self) -> None:
        self.peer = RTCPeerConnection()
        self.events: list[dict[str, Any]] = []
        self.channel: RTCDataChannel = self.peer.createDataChannel("oai-events")
        self.channel.on("message", lambda text: self.events.append(check_event(json.loads(text))))
        self.peer.addTrack(AudioStreamTrack())

    async def offer(self, *, candidates: bool) -> str:
        await self.peer.setLocalDescription(await self.peer.createOffer())
        sdp = str(self.peer.localDescription.sdp)
        if candidates:
            return sdp
        lines = sdp.split("\r\n")
        return "\r\n".join(line for line in lines if not line.startswith(("a=candidate", "a=end-of-candidates")))

    async def accept(self, answer: str) -> None:
        await self.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    def send(self, **event: Any) -> None:
        self.channel.send(json.dumps(event))

    async def until(self, kind: str, seconds: float = 10) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            while True:
                for event in self.events:
                    if event["type"] == kind:
                        return event
                await asyncio.sleep(0.01)


@asynccontextmanager
async def calling(http: httpx2.AsyncClient, *, candidates: bool = True) -> AsyncIterator[tuple[Browser, str]]:
    """A connected browser, and the path of its call."""
    browser = Browser()
    try:
        offer = await browser.offer(candidates=candidates)
        response = await http.post("/v1/realtime/calls", content=offer, headers={"Content-Type": "application/sdp"})
        assert response.status_code == 201, response.text
        await browser.accept(response.text)
        await browser.until("session.created")
        yield browser, response.headers["location"]
    finally:
        await browser.peer.close()


@asynccontextmanager
async def site(tmp_path: Path, **section: Any) -> AsyncIterator[tuple[Any, httpx2.AsyncClient]]:
    app = create_app(Settings(data_dir=tmp_path, server={"calls_per_minute": 1000, **section}), engines(), watch_s=0.1)  # type: ignore[arg-type]
    async with running(app) as port, httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
        yield app, http


async def empty(app: Any) -> None:
    async with asyncio.timeout(10):
        while len(app.state.parley.registry):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_an_offer_without_video_and_without_any_candidate_is_answered(tmp_path: Path) -> None:
    async with site(tmp_path) as (app, http):
        async with calling(http, candidates=False) as (browser, location):
            browser.send(type="session.update", session={"type": "realtime", "model": "gpt-realtime"})
            await browser.until("session.updated")
            content = [{"type": "input_text", "text": "hello"}]
            browser.send(type="conversation.item.create", item={"type": "message", "role": "user", "content": content})
            browser.send(type="response.create")
            await browser.until("output_audio_buffer.stopped", 20)
            done = await browser.until("response.done")
            assert done["response"]["output"][0]["content"][0]["transcript"].strip() == "You said: hello."
            captions = "".join(event["text"] for event in browser.events if event["type"] == "avatar.caption")
            assert captions.strip() == "You said: hello."
            assert "response.output_audio.delta" not in types_of(browser.events)
            assert (await http.delete(location)).status_code == 204
        await empty(app)


async def test_garbage_is_refused_with_the_reason(tmp_path: Path) -> None:
    async with site(tmp_path) as (app, http):
        browser = Browser()
        good = await browser.offer(candidates=True)
        await browser.peer.close()
        for sdp in (
            "v=0",
            "v=0\r\nm=audio",
            good.replace("m=application", "m=hologram"),
            good.replace("a=fingerprint", "a=footprint"),
            good.replace("a=ice-ufrag", "a=ice-cream"),
            good[: len(good) // 2],
            good.replace("opus", "mp3"),
            "v=0\r\n" + "a=x\r\n" * 10_000,
        ):
            response = await http.post("/v1/realtime/calls", content=sdp, headers={"Content-Type": "application/sdp"})
            assert response.status_code == 400, sdp[:60]
            assert response.json()["error"]["code"] == "invalid_sdp"
        assert len(app.state.parley.registry) == 0


async def test_a_browser_that_leaves_and_one_that_stops_pinging(tmp_path: Path) -> None:
    async with site(tmp_path) as (app, http):
        async with calling(http):
            assert len(app.state.parley.registry) == 1
        await empty(app)  # it closed its peer
        async with calling(http) as (browser, _):
            browser.send(type="avatar.ping")
            await browser.until("avatar.pong")
            (session,) = app.state.parley.registry._sessions.values()
            session._lifetime.last_ping -= 60
            await empty(app)


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_fifty_calls_leave_no_task_and_no_descriptor(tmp_path: Path) -> None:
    process = psutil.Process()
    async with site(tmp_path) as (app, http):
        for number in range(50):
            async with calling(http) as (browser, location):
                if number % 2:
                    await http.delete(location)
                else:
                    browser.send(type="avatar.say", text="a long story about nothing in particular")
            await empty(app)
            if number == 9:
                await asyncio.sleep(0.3)
                before = process.num_fds(), len(asyncio.all_tasks())
        await asyncio.sleep(0.3)
        assert process.num_fds() <= before[0] + 4
        assert len(asyncio.all_tasks()) <= before[1] + 2


async def test_two_callers_do_not_hear_each_other_s_events(tmp_path: Path) -> None:
    async with site(tmp_path) as (app, http), calling(http) as (first, _), calling(http) as (second, _):
        first.send(type="avatar.say", text="for the first alone")
        await first.until("response.done")
        second.send(type="avatar.ping", event_id="p")
        await second.until("avatar.pong")
        assert set(types_of(second.events)) == {"session.created", "avatar.pong"}
        for browser in (first, second):
            await browser.peer.close()
        await empty(app)
