"""Conversations over a WebSocket, with a scripted conversation behind the real session."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import WebSocketDenialResponse, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from avatar.motion.source import Manner
from server.realtime.parse import MAX_EVENT_BYTES
from server.realtime.session import MAX_REFUSALS, SOUND_AHEAD_S
from streaming.errors import Busy
from streaming.settings import TurnDetection
from tests.server.conftest import KEY, Site
from tests.server.fakes import types_of
from tests.server.official import check_event

Serve = Callable[..., Site]

SOUND = base64.b64encode(bytes(48_000)).decode()


def until(socket: WebSocketTestSession, kind: str) -> list[dict[str, Any]]:
    """Events up to the first of ``kind``, each held to the official model."""
    told: list[dict[str, Any]] = []
    while not told or told[-1]["type"] != kind:
        told.append(check_event(socket.receive_json()))
        assert len(told) < 200, types_of(told)
    return told


def ask(socket: WebSocketTestSession, text: str = "what time is it", **item: Any) -> None:
    content = [{"type": "input_text", "text": text}]
    message = {"type": "message", "role": "user", "content": content} | item
    socket.send_json({"type": "conversation.item.create", "item": message})


def refusal(socket: WebSocketTestSession, event: Any) -> dict[str, Any]:
    socket.send_json(event)
    (*_, message) = until(socket, "error")
    error: dict[str, Any] = message["error"]
    return error


def test_a_typed_turn(serve: Serve) -> None:
    with serve().connect(subprotocols=["realtime"]) as socket:
        assert socket.accepted_subprotocol == "realtime"
        (created,) = until(socket, "session.created")
        assert created["session"]["model"] == "parley"
        ask(socket)
        socket.send_json({"type": "response.create", "response": {"metadata": {"turn": "1"}}})
        told = until(socket, "response.done")
    assert told[-1]["response"]["metadata"] == {"turn": "1"}
    sounds = [message for message in told if message["type"] == "response.output_audio.delta"]
    assert len(base64.b64decode(sounds[0]["delta"])) == 1920
    assert types_of(told)[-1] == "response.done"


def test_a_push_to_talk_turn(serve: Serve) -> None:
    site = serve()
    with site.connect() as socket:
        socket.send_json(
            {"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"turn_detection": None}}}}
        )
        (*_, updated) = until(socket, "session.updated")
        assert updated["session"]["audio"]["input"]["turn_detection"] is None
        assert site.conversations.made[0].settings.turn_detection is None
        socket.send_json({"type": "input_audio_buffer.append", "audio": SOUND})
        socket.send_json({"type": "input_audio_buffer.commit"})
        told = until(socket, "response.done")
        assert "conversation.item.input_audio_transcription.completed" in types_of(told)
        socket.send_json({"type": "input_audio_buffer.append", "audio": SOUND})
        socket.send_json({"type": "input_audio_buffer.clear"})
        until(socket, "input_audio_buffer.cleared")
        assert refusal(socket, {"type": "input_audio_buffer.commit"})["code"] == "input_audio_buffer_commit_empty"


def test_sound_arrives_whole(serve: Serve) -> None:
    site = serve()
    with site.connect() as socket:
        for at in range(0, len(SOUND), 640):
            socket.send_json({"type": "input_audio_buffer.append", "audio": SOUND[at : at + 640]})
        socket.send_json({"type": "avatar.ping", "event_id": "p1"})
        (*_, pong) = until(socket, "avatar.pong")
        assert pong["ping_event_id"] == "p1"
        samples = sum(map(len, site.conversations.made[0].heard))
    assert abs(samples - 16_000) < 400  # the resampler holds a few milliseconds back


def test_items_are_created_retrieved_truncated_and_deleted(serve: Serve) -> None:
    with serve().connect() as socket:
        ask(socket, id="item_1")
        ask(socket, id="item_2")
        socket.send_json(
            {"type": "conversation.item.create", "previous_item_id": "root",
             "item": {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "be kind"}]}}
        )  # fmt: skip
        socket.send_json({"type": "conversation.item.retrieve", "item_id": "item_2"})
        (*_, retrieved) = until(socket, "conversation.item.retrieved")
        assert retrieved["item"]["content"] == [{"type": "input_text", "text": "what time is it"}]
        socket.send_json(
            {"type": "conversation.item.truncate", "item_id": "item_2", "content_index": 0, "audio_end_ms": 10}
        )
        until(socket, "conversation.item.truncated")
        socket.send_json({"type": "conversation.item.delete", "item_id": "item_2"})
        until(socket, "conversation.item.deleted")
        for kind in ("retrieve", "delete"):
            error = refusal(socket, {"type": f"conversation.item.{kind}", "item_id": "item_2", "event_id": "mine"})
            assert (error["code"], error["event_id"]) == (f"item_{kind}_invalid_item_id", "mine")


def test_assistant_items_restore_a_history(serve: Serve) -> None:
    with serve().connect() as socket:
        ask(socket, role="assistant", content=[{"type": "output_audio", "transcript": "Hello."}])
        (*_, added) = until(socket, "conversation.item.added")
        assert added["item"]["role"] == "assistant"


def test_sound_inside_an_item_enters_as_its_words(serve: Serve) -> None:
    with serve().connect() as socket:
        ask(socket, content=[{"type": "input_audio", "audio": SOUND}])
        (*_, added) = until(socket, "conversation.item.added")
        assert added["item"]["content"][0]["text"] == "what time is it"


ITEM = {"type": "conversation.item.create"}
TRUNCATE = {"type": "conversation.item.truncate", "item_id": "a"}


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        ({"type": "nonsense"}, "invalid_value", "type"),
        ({"type": "input_audio_buffer.append", "audio": "%%%"}, "invalid_value", "audio"),
        ({"type": "response.cancel"}, "response_cancel_not_active", None),
        ({"type": "response.create", "response": {"conversation": "none"}}, "unsupported_parameter", "response.conversation"),
        ({"type": "response.create", "response": {"output_modalities": ["text"]}}, "unsupported_parameter",
         "response.output_modalities"),
        ({"type": "response.create", "response": {"input": []}}, "unsupported_parameter", "response.input"),
        ({"type": "response.create", "response": {"tools": [{"type": "function", "name": "f"}]}}, "unsupported_parameter",
         "response.tools"),
        ({"type": "response.create", "response": {"instructions": "x" * 40_000}}, "invalid_value", "response.instructions"),
        (TRUNCATE | {"content_index": 0, "audio_end_ms": 1}, "item_truncate_invalid_item_id", "item_id"),
        (TRUNCATE | {"content_index": 1, "audio_end_ms": 1}, "invalid_value", "content_index"),
        (TRUNCATE | {"content_index": 0, "audio_end_ms": -1}, "invalid_value", "audio_end_ms"),
        (ITEM | {"item": {"type": "message", "role": "user", "content": []}}, "invalid_value", "item.content"),
        (ITEM | {"item": {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": "x"}]}},
         "invalid_value", "item.content[0].type"),
        (ITEM | {"item": {"type": "message", "role": "user", "content": [{"type": "input_text"}]}},
         "missing_required_parameter", "item.content[0].text"),
        (ITEM | {"item": {"type": "message", "role": "user", "content": [{"text": "x"}]}},
         "missing_required_parameter", "item.content[0].type"),
        (ITEM | {"item": {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": ""}]}},
         "missing_required_parameter", "item.content[0].audio"),
        (ITEM | {"item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x" * 40_000}]}},
         "invalid_value", "item.content"),
        (ITEM | {"item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}],
                          "id": "i" * 65}}, "invalid_value", "item.id"),
        (ITEM | {"previous_item_id": "gone",
                 "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}},
         "item_create_invalid_previous_item_id", "previous_item_id"),
        ({"type": "avatar.say", "text": "   "}, "invalid_value", "text"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_by_name(serve: Serve, event: Any, code: str, param: str | None) -> None:
    with serve().connect() as socket:
        error = refusal(socket, event | {"event_id": "mine"})
        assert (error["code"], error["param"], error["event_id"]) == (code, param, "mine")
        ask(socket)
        until(socket, "conversation.item.done")  # the conversation goes on


def test_two_items_of_one_id(serve: Serve) -> None:
    with serve().connect() as socket:
        ask(socket, id="twice")
        ask(socket, id="twice")
        (*_, message) = until(socket, "error")
        assert (message["error"]["code"], message["error"]["param"]) == ("item_create_invalid_item_id", "item.id")


def test_one_answer_at_a_time_and_it_can_be_cancelled(serve: Serve) -> None:
    site = serve()
    with site.connect() as socket:
        until(socket, "session.created")
        conversation = site.conversations.made[0]
        conversation.hold = True
        ask(socket)
        socket.send_json({"type": "response.create"})
        error = refusal(socket, {"type": "response.create"})
        assert error["code"] == "conversation_already_has_active_response"
        assert "response.create" in error["message"]  # @openai/agents-realtime looks for it
        socket.send_json({"type": "response.cancel"})
        (*_, done) = until(socket, "response.done")
        assert done["response"]["status"] == "cancelled"
        assert done["response"]["output"][0]["status"] == "incomplete"


def test_extensions_reach_the_conversation(serve: Serve) -> None:
    site = serve()
    with site.connect() as socket:
        socket.send_json({"type": "avatar.gesture", "gesture": "wave", "strength": 0.5})
        socket.send_json({"type": "avatar.manner", "mood": 0.6})
        socket.send_json({"type": "output_audio_buffer.clear"})
        socket.send_json({"type": "avatar.say", "text": "Welcome."})
        told = until(socket, "response.done")
        assert told[-1]["response"]["output"][0]["content"][0]["transcript"] == "Welcome."
        assert site.conversations.made[0].calls == [
            ("gesture", "wave", 0.5),
            ("set_manner", Manner(0.6)),
            ("clear_output",),
            ("say", "Welcome."),
        ]


def test_settings_reach_the_conversation(serve: Serve) -> None:
    site = serve()
    with site.connect() as socket:
        vad = {"type": "server_vad", "threshold": 0.6, "silence_duration_ms": 400, "create_response": False}
        socket.send_json(
            {"type": "session.update",
             "session": {"type": "realtime", "instructions": "rhyme", "output_modalities": ["text"],
                         "audio": {"input": {"turn_detection": vad}, "output": {"voice": "ben"}}}}
        )  # fmt: skip
        until(socket, "session.updated")
        settings = site.conversations.made[0].settings
        assert (settings.instructions, settings.speak, settings.voice) == ("rhyme", False, "ben")
        expected = TurnDetection(kind="silence", threshold=0.6, silence_ms=400, create_response=False)
        assert settings.turn_detection == expected
        ask(socket)
        socket.send_json({"type": "response.create"})
        assert "response.output_text.done" in types_of(until(socket, "response.done"))


def test_binary_frames_and_garbage_are_refused_and_the_conversation_goes_on(serve: Serve) -> None:
    with serve().connect() as socket:
        for send in (
            lambda: socket.send_bytes(b"\x00\xff"),
            lambda: socket.send_text("{"),
            lambda: socket.send_text(""),
        ):
            send()
            (*_, message) = until(socket, "error")
            assert message["error"]["code"] == "invalid_json"
        socket.send_json({"type": "avatar.ping"})
        until(socket, "avatar.pong")


def test_an_oversized_event_is_refused(serve: Serve) -> None:
    with serve().connect() as socket:
        socket.send_text('{"type":"input_audio_buffer.append","audio":"' + "A" * MAX_EVENT_BYTES + '"}')
        (*_, message) = until(socket, "error")
        assert message["error"]["code"] == "event_too_large"


def test_a_client_that_only_errs_is_shown_out(serve: Serve) -> None:
    site = serve(events_per_second=100_000)
    with site.connect() as socket:
        for _ in range(MAX_REFUSALS):
            socket.send_json({"type": "nonsense"})
        with pytest.raises(WebSocketDisconnect) as caught:
            while True:
                socket.receive_json()
    assert caught.value.code == 1008


def test_everything_is_closed_when_the_client_leaves(serve: Serve) -> None:
    site = serve()
    with site.connect() as socket:
        until(socket, "session.created")
        assert len(site.state.registry) == 1
    site.wait_until_quiet()
    assert site.conversations.made[0].closed == 1
    assert len(site.state.registry) == 0


def test_fifty_connects_and_disconnects_leave_nothing(serve: Serve) -> None:
    site = serve(max_conversations=1)
    for _ in range(50):
        with site.connect() as socket:
            until(socket, "session.created")
        site.wait_until_quiet()
    assert [conversation.closed for conversation in site.conversations.made] == [1] * 50
    assert len(site.state.registry) == 0
    assert 'parley_conversations_active{transport="websocket"} 0.0' in site.client.get("/metrics").text


def denied(site: Site, path: str = "/v1/realtime", **options: Any) -> tuple[int, str]:
    with pytest.raises(WebSocketDenialResponse) as caught, site.connect(path, **options):
        pass
    return caught.value.status_code, caught.value.json()["error"]["code"]


def test_full_means_503_before_the_handshake(serve: Serve) -> None:
    site = serve(max_conversations=1)
    with site.connect() as socket:
        until(socket, "session.created")
        assert denied(site) == (503, "busy")


def test_a_conversation_that_cannot_start_apologises(serve: Serve) -> None:
    site = serve()
    site.conversations.start_error = Busy("All avatars are busy.")
    with site.connect() as socket:
        (message,) = until(socket, "error")
        assert (message["error"]["code"], message["error"]["message"]) == ("busy", "All avatars are busy.")
        with pytest.raises(WebSocketDisconnect) as caught:
            socket.receive_json()
    assert caught.value.code == 1013
    assert site.conversations.made[0].closed >= 1
    site.conversations.start_error = None
    with site.connect() as socket:
        until(socket, "session.created")


def test_unsupported_queries(serve: Serve) -> None:
    site = serve()
    assert denied(site, "/v1/realtime?call_id=rtc_1") == (400, "unsupported_parameter")
    assert denied(site, "/v1/realtime?intent=transcription") == (400, "invalid_value")
    assert denied(site, "/v1/realtime?persona=nobody") == (400, "persona_missing")


def test_browsers_hand_the_key_over_as_a_subprotocol(serve: Serve) -> None:
    site = serve(api_key=KEY)
    protocols = ["realtime", f"openai-insecure-api-key.{KEY}", "openai-agents-sdk.0.20.0"]
    with site.connect(subprotocols=protocols) as socket:
        assert socket.accepted_subprotocol == "realtime"  # never the key: it would come back in a header
        until(socket, "session.created")
    assert denied(site, subprotocols=["realtime", "openai-insecure-api-key.wrong"]) == (401, "invalid_api_key")
    assert denied(site) == (401, "invalid_api_key")


def test_a_client_that_is_gone_before_the_handshake_leaves_no_secret(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = serve(api_key=KEY)
    headers = {"Authorization": f"Bearer {KEY}"}
    value = site.client.post("/v1/realtime/client_secrets", headers=headers).json()["value"]

    async def gone(*_: Any, **__: Any) -> None:
        raise WebSocketDisconnect(1006)

    with monkeypatch.context() as patched:
        patched.setattr("starlette.websockets.WebSocket.accept", gone)
        with pytest.raises(WebSocketDisconnect), site.connect(headers={"Authorization": f"Bearer {value}"}):
            pass
    assert site.state.access.secrets.find(value) is None
    assert len(site.state.registry) == 0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("section", "advance_s", "code"),
    [({"max_minutes": 2}, 121, "session_expired"), ({"idle_minutes": 1}, 61, "idle_timeout")],
)
def test_time_runs_out_with_a_word(serve: Serve, section: dict[str, Any], advance_s: float, code: str) -> None:
    clock = Clock()
    site = serve(app_options={"clock": clock, "watch_s": 0.01}, **section)
    with site.connect() as socket:
        until(socket, "session.created")
        clock.now += advance_s
        (*_, message) = until(socket, "error")
        assert message["error"]["code"] == code
        with pytest.raises(WebSocketDisconnect) as caught:
            socket.receive_json()
    site.wait_until_quiet()
    assert caught.value.code == 1000
    assert site.conversations.made[0].closed == 1


def test_a_client_that_stops_pinging_is_gone(serve: Serve) -> None:
    clock = Clock()
    site = serve(app_options={"clock": clock, "watch_s": 0.01})
    with site.connect() as socket:
        socket.send_json({"type": "avatar.ping"})
        until(socket, "avatar.pong")
        clock.now += 9
        with pytest.raises(WebSocketDisconnect):
            socket.receive_json()
    site.wait_until_quiet()
    assert 'reason="connection_lost"' in site.client.get("/metrics").text


def test_a_flood_is_slowed_to_the_rate_it_may_have(serve: Serve) -> None:
    """A WebSocket is held back by not being read; the conversation goes on."""
    site = serve(events_per_second=50)
    burst, excess = 250, 20
    with site.connect() as socket:
        began = time.monotonic()
        for _ in range(burst + excess):
            socket.send_json({"type": "avatar.ping"})
        for _ in range(burst + excess):
            while socket.receive_json()["type"] != "avatar.pong":
                pass
        assert time.monotonic() - began > 0.9 * excess / 50
    site.wait_until_quiet()
    assert site.conversations.made[0].closed == 1


def test_sound_far_ahead_of_the_clock_is_refused_and_the_conversation_goes_on(serve: Serve) -> None:
    clock = Clock()
    site = serve(app_options={"clock": clock})
    five_seconds = json.dumps({"type": "input_audio_buffer.append", "audio": "A" * (5 * 64_000)})

    def heard_s() -> float:
        """After everything sent was carried out."""
        socket.send_json({"type": "avatar.ping"})
        until(socket, "avatar.pong")
        return round(sum(map(len, site.conversations.made[0].heard)) / 16_000)

    with site.connect() as socket:
        for _ in range(int(SOUND_AHEAD_S / 5)):
            socket.send_text(five_seconds)
        assert heard_s() == SOUND_AHEAD_S
        socket.send_text(five_seconds)
        (*_, message) = until(socket, "error")
        assert (message["error"]["code"], message["error"]["param"]) == ("rate_limit_exceeded", "audio")
        assert heard_s() == SOUND_AHEAD_S
        clock.now += 5  # at the pace of speech it goes on
        socket.send_text(five_seconds)
        assert heard_s() == SOUND_AHEAD_S + 5
        item = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "A" * 64_000}]}
        socket.send_json({"type": "conversation.item.create", "item": item})
        (*_, message) = until(socket, "error")
        assert (message["error"]["code"], message["error"]["param"]) == ("rate_limit_exceeded", "item.content")


def test_a_flood_of_sound_ends_the_conversation_with_a_word_and_a_code(serve: Serve) -> None:
    site = serve(events_per_second=100_000, app_options={"clock": Clock()})
    second = json.dumps({"type": "input_audio_buffer.append", "audio": "A" * 64_000})
    codes = []
    with site.connect() as socket:
        for _ in range(int(SOUND_AHEAD_S) + MAX_REFUSALS):
            socket.send_text(second)
        with pytest.raises(WebSocketDisconnect) as caught:
            while True:
                message = socket.receive_json()
                if message["type"] == "error":
                    codes.append((message["error"]["type"], message["error"]["code"]))
    assert caught.value.code == 1008
    assert codes == [("invalid_request_error", "rate_limit_exceeded")] * MAX_REFUSALS + [
        ("session_ended", "rate_limit_exceeded")
    ]
