"""No client event, however made, ends a session or gets an answer that the official models do not take."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.metrics import Metrics
from server.realtime.lifetime import HUNG_UP, Ending
from server.realtime.parse import MODELS
from server.realtime.session import RealtimeSession, SessionLimits
from server.realtime.session_config import SessionConfig, SessionDefaults
from tests.server.fakes import FakeConversation, FakeEngine
from tests.server.official import check_event

METRICS = Metrics()

scalars = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(max_size=30) | st.sampled_from(["realtime", "message", "user", "server_vad", "audio/pcm", "AAAA", "root", "item_1"])
)  # fmt: skip
words = st.sampled_from(
    ["type", "session", "audio", "input", "output", "turn_detection", "transcription", "format", "voice", "item", "role",
     "content", "text", "id", "item_id", "previous_item_id", "response", "conversation", "metadata", "event_id", "rate",
     "threshold", "eagerness", "tools", "avatar", "persona", "gesture", "audio_end_ms", "content_index", "instructions"]
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | st.text(max_size=5), inner, max_size=5),
    max_leaves=12,
)
kinds = st.sampled_from(sorted(MODELS)) | st.text(max_size=12)
objects = st.fixed_dictionaries({"type": kinds}, optional={"event_id": scalars}).flatmap(
    lambda base: st.dictionaries(words, values, max_size=6).map(lambda more: more | base)
)

plausible = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("conversation.item.create"),
         "item": st.fixed_dictionaries(
             {"type": st.just("message"), "role": st.sampled_from(["user", "assistant", "system"]),
              "content": st.lists(st.fixed_dictionaries(
                  {"type": st.sampled_from(["input_text", "input_audio", "output_text", "output_audio", "input_image"])},
                  optional={"text": st.text(max_size=40), "audio": st.sampled_from(["", "AAAA", "AAA", "%"]),
                            "transcript": st.text(max_size=9)}), max_size=3)},
             optional={"id": st.sampled_from(["item_1", "", "x" * 70]), "status": st.sampled_from(["completed", "odd"])})},
        optional={"previous_item_id": st.sampled_from(["root", "item_1", "gone", ""])}),
    st.fixed_dictionaries(
        {"type": st.just("session.update"),
         "session": st.fixed_dictionaries({"type": st.just("realtime")}, optional={
             "instructions": st.none() | st.text(max_size=20), "output_modalities": values, "audio": values,
             "max_output_tokens": scalars, "tools": values, "voice": scalars, "avatar": values, "tool_choice": values,
             "prompt": values, "truncation": values, "model": scalars, "include": values})}),
    st.fixed_dictionaries({"type": st.sampled_from(["conversation.item.retrieve", "conversation.item.delete"]),
                           "item_id": st.sampled_from(["item_1", "gone", ""])}),
    st.fixed_dictionaries({"type": st.just("conversation.item.truncate"), "item_id": st.just("item_1"),
                           "content_index": st.integers(-1, 1), "audio_end_ms": st.integers(-5, 10**6)}),
    st.fixed_dictionaries({"type": st.just("response.create")}, optional={"response": values}),
    st.fixed_dictionaries({"type": st.just("input_audio_buffer.append"), "audio": st.text("AQ/+=%é", max_size=9)}),
    st.sampled_from([{"type": name} for name in ("input_audio_buffer.commit", "input_audio_buffer.clear", "response.cancel",
                                                 "output_audio_buffer.clear", "avatar.ping", "response.create")]),
)  # fmt: skip

frames = st.one_of(
    (objects | plausible).map(json.dumps), values.map(json.dumps), st.text(max_size=60), st.binary(max_size=40)
)


class Recorder:
    has_track = False

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, text: str) -> None:
        text.encode("ascii")
        self.sent.append(check_event(json.loads(text)))

    async def close(self, ending: Ending) -> None: ...


async def hold(messages: list[str | bytes]) -> None:
    transport = Recorder()
    config = SessionConfig.initial(SessionDefaults(voices=("anna",), personas=("helen",), persona="helen"))
    session = RealtimeSession(
        transport, config, transcriber=cast(Any, FakeEngine()), metrics=METRICS,
        limits=SessionLimits(events_per_second=10_000, watch_s=60),
    )  # fmt: skip
    conversation = FakeConversation(config.settings(), session.observe, sound=True)
    session.attach(cast(Any, conversation))
    running = asyncio.create_task(session.run())
    for message in messages:
        assert session.receive(message)
    session.receive('{"type":"avatar.ping","event_id":"last"}')
    for _ in range(2000):
        await asyncio.sleep(0)
        if session.ending is not None or (transport.sent and transport.sent[-1].get("ping_event_id") == "last"):
            break
    assert session.ending is None, session.ending
    assert transport.sent[-1].get("ping_event_id") == "last"
    session.end(HUNG_UP)
    assert await running is HUNG_UP
    assert conversation.closed == 1


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(frames, max_size=8))
def test_no_client_event_ends_the_session(messages: list[str | bytes]) -> None:
    asyncio.run(hold(messages))
