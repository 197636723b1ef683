"""The official ``openai`` client, unchanged, holds conversations with a real server over a real socket."""

from __future__ import annotations

import asyncio
import base64
import gc
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import psutil
import pytest
from openai import AsyncOpenAI, AuthenticationError, BadRequestError
from openai.types.realtime import RealtimeErrorEvent, ResponseDoneEvent, SessionCreatedEvent, SessionUpdatedEvent
from openai.types.realtime.realtime_server_event import RealtimeServerEvent
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from llm_bridge.chat import ChatOptions, Message
from server.app import create_app
from server.config import Settings
from server.engines import Engines
from streaming.hearing.scripted import ScriptedTranscriber
from streaming.speaking.scripted import ScriptedSynthesizer
from tests.server.conftest import KEY
from tests.server.fakes import SDP_ANSWER, SDP_OFFER, FakeConversations, FakeEngine, fake_engines
from tests.server.live import running


class EchoModel:
    """Answers with what it was asked."""

    name = "echo"

    async def stream(self, messages: Sequence[Message], options: ChatOptions | None = None) -> AsyncIterator[str]:
        asked = next(message.text for message in reversed(messages) if message.role == "user")
        for word in f"You said: {asked}.".split(" "):
            yield word + " "

    async def warm_up(self) -> None: ...

    async def close(self) -> None: ...


def client_of(port: int, key: str = "none") -> AsyncOpenAI:
    return AsyncOpenAI(
        api_key=key,
        base_url=f"http://127.0.0.1:{port}/v1",
        websocket_base_url=f"ws://127.0.0.1:{port}/v1",
        max_retries=0,
    )


def recording_24k(path: Path) -> bytes:
    """A recording as PCM16 24 kHz mono."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=24_000)
    with av.open(str(path)) as container:
        frames = [piece for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
    frames += resampler.resample(None)
    return b"".join(frame.to_ndarray().astype("<i2").tobytes() for frame in frames)


async def until(connection: Any, kind: str, seconds: float = 30) -> list[RealtimeServerEvent]:
    """Events up to the first of ``kind``."""
    events: list[RealtimeServerEvent] = []
    async with asyncio.timeout(seconds):
        async for event in connection:
            events.append(event)
            if event.type == kind:
                return events
    raise AssertionError(f"closed before {kind}: {[event.type for event in events]}")


@pytest.fixture
def scripted_engines() -> Engines:
    return Engines(
        transcriber=ScriptedTranscriber(["what time is it"] * 20),
        chat_model=cast(Any, EchoModel()),
        synthesizer=ScriptedSynthesizer(),
        worker_pool=cast(Any, FakeEngine()),
    )


async def speak(connection: Any, pcm24k: bytes) -> None:
    for at in range(0, len(pcm24k), 4800):  # 100 ms
        await connection.input_audio_buffer.append(audio=base64.b64encode(pcm24k[at : at + 4800]).decode())


def sound_of(events: list[RealtimeServerEvent]) -> bytes:
    return b"".join(base64.b64decode(event.delta) for event in events if event.type == "response.output_audio.delta")


async def test_a_spoken_turn(shared: Path, tmp_path: Path, scripted_engines: Engines) -> None:
    """Human speech in; voice activity, turn-taking, sentences, pacing and protocol real; sound and transcript out."""
    app = create_app(Settings(data_dir=tmp_path), scripted_engines)
    speech = recording_24k(shared / "samples/speech/en-librivox-0930.wav") + bytes(2 * 24_000 * 3)
    async with (
        running(app) as port,
        client_of(port) as client,
        client.realtime.connect(model="gpt-realtime") as connection,
    ):
        created = await connection.recv()
        assert isinstance(created, SessionCreatedEvent)
        vad = {"type": "semantic_vad", "eagerness": "high"}
        await connection.session.update(session={"type": "realtime", "audio": {"input": {"turn_detection": vad}}})  # type: ignore[typeddict-item]
        (updated,) = await until(connection, "session.updated")
        assert isinstance(updated, SessionUpdatedEvent)
        await speak(connection, speech)
        events = await until(connection, "response.done", 60)
    kinds = [event.type for event in events]
    heard = [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.input_audio_transcription.completed",
        "response.created",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]
    at = -1
    for kind in heard:
        at = kinds.index(kind, at + 1)
    done = events[-1]
    assert isinstance(done, ResponseDoneEvent)
    assert done.response.status == "completed"
    assert len(sound_of(events)) > 2 * 24_000, "a second of sound at least"
    sound = np.frombuffer(sound_of(events), "<i2")
    assert np.abs(sound).max() > 1000
    latency = next(event for event in events if event.type == "avatar.latency")  # type: ignore[comparison-overlap]
    assert latency.total_ms > 0


async def test_typed_text_answered_in_text(tmp_path: Path, scripted_engines: Engines) -> None:
    app = create_app(Settings(data_dir=tmp_path), scripted_engines)
    async with (
        running(app) as port,
        client_of(port) as client,
        client.realtime.connect(model="parley") as connection,
    ):
        await connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        await connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "good morning"}]}
        )
        await connection.response.create()
        events = await until(connection, "response.done")
    texts = [event.text for event in events if event.type == "response.output_text.done"]
    assert [text.strip() for text in texts] == ["You said: good morning."]
    assert sound_of(events) == b""


async def test_interrupting_a_long_answer(tmp_path: Path, scripted_engines: Engines) -> None:
    app = create_app(Settings(data_dir=tmp_path), scripted_engines)
    story = "once upon a time there was a server that liked to talk " * 10
    async with (
        running(app) as port,
        client_of(port) as client,
        client.realtime.connect(model="parley") as connection,
    ):
        await connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": story}]}
        )
        await connection.response.create()
        events = await until(connection, "response.output_audio.delta")
        await connection.response.cancel()
        events += await until(connection, "conversation.item.truncated")
        kinds = [event.type for event in events]
        done = events[kinds.index("response.done")]
        assert isinstance(done, ResponseDoneEvent) and done.response.status == "cancelled"
        assert done.response.status_details is not None
        assert done.response.status_details.reason == "client_cancelled"
        item_id = events[-1].item_id  # type: ignore[union-attr]
        await connection.conversation.item.retrieve(item_id=item_id)
        (*_, retrieved) = await until(connection, "conversation.item.retrieved")
    kept = retrieved.item.content[0].transcript  # type: ignore[union-attr]
    assert len(kept) < len(story) / 2, "memory holds only what was heard"


async def test_mistakes_reach_the_client_as_error_events(tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path), fake_engines(), conversations=FakeConversations())
    async with (
        running(app) as port,
        client_of(port) as client,
        client.realtime.connect(model="parley") as connection,
    ):
        await connection.send({"type": "response.cancel", "event_id": "mine"})
        (*_, error) = await until(connection, "error")
        assert isinstance(error, RealtimeErrorEvent)
        assert (error.error.code, error.error.event_id) == ("response_cancel_not_active", "mine")


async def test_a_wrong_key_is_an_authentication_error(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, server={"api_key": KEY})  # type: ignore[arg-type]
    app = create_app(settings, fake_engines(), conversations=FakeConversations())
    async with running(app) as port, client_of(port, "wrong") as client:
        with pytest.raises(AuthenticationError, match="not valid"):
            await client.realtime.client_secrets.create()
        with pytest.raises(InvalidStatus) as caught:
            async with client.realtime.connect(model="parley"):
                pass
        assert caught.value.response.status_code == 401


async def test_secret_call_and_hangup(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, server={"api_key": KEY})  # type: ignore[arg-type]
    conversations = FakeConversations()
    app = create_app(settings, fake_engines(), conversations=conversations)
    async with running(app) as port, client_of(port, KEY) as client:
        secret = await client.realtime.client_secrets.create(
            session={"type": "realtime", "instructions": "rhyme"}, expires_after={"anchor": "created_at", "seconds": 30}
        )
        assert secret.session.type == "realtime" and secret.session.instructions == "rhyme"
        async with client_of(port, secret.value) as browser:
            with pytest.raises(BadRequestError, match="SDP"):
                await browser.realtime.calls.create(sdp="garbage")
            answer = await browser.realtime.calls.create(sdp=SDP_OFFER)
            assert answer.text == SDP_ANSWER
            assert conversations.made[0].settings.instructions == "rhyme"
            call_id = answer.response.headers["location"].rsplit("/", 1)[1]
            await browser.realtime.calls.hangup(call_id)
            assert conversations.made[0].closed == 1
        called = await client.realtime.calls.create(
            sdp=SDP_OFFER, session={"type": "realtime", "instructions": "brief"}
        )
        assert called.response.status_code == 201
        assert conversations.made[1].settings.instructions == "brief"
        models = await client.models.list()
        assert [model.id for model in models.data] == ["parley"]


async def test_an_event_beyond_the_frame_limit_closes_with_1009(tmp_path: Path) -> None:
    conversations = FakeConversations()
    app = create_app(Settings(data_dir=tmp_path), fake_engines(), conversations=conversations)
    async with running(app) as port:
        async with connect(f"ws://127.0.0.1:{port}/v1/realtime", max_size=None) as socket:
            await socket.recv()
            with pytest.raises(ConnectionClosedError) as caught:
                await socket.send("x" * 10_000_000)
                while True:
                    await socket.recv()
        assert caught.value.rcvd is not None and caught.value.rcvd.code == 1009
        while len(app.state.parley.registry):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert conversations.made[0].closed == 1


async def test_clients_that_vanish_leave_nothing(tmp_path: Path, scripted_engines: Engines) -> None:
    """Fifty sockets cut without a word: no task, descriptor or conversation stays."""
    app = create_app(Settings(data_dir=tmp_path, server={"calls_per_minute": 1000}), scripted_engines)  # type: ignore[arg-type]
    process = psutil.Process()
    async with running(app) as port:
        before: int | None = None
        for number in range(50):
            socket = await connect(f"ws://127.0.0.1:{port}/v1/realtime")
            await socket.recv()
            await socket.send('{"type":"avatar.say","text":"a long story about nothing in particular"}')
            socket.transport.abort()
            while len(app.state.parley.registry):  # noqa: ASYNC110
                await asyncio.sleep(0.002)
            if number == 4:
                gc.collect()
                before = process.num_fds()
                tasks = len(asyncio.all_tasks())
        gc.collect()
        await asyncio.sleep(0.05)
        assert before is not None
        assert process.num_fds() <= before + 2
        assert len(asyncio.all_tasks()) <= tasks + 1
