from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types import realtime as wire

from server.errors import ProtocolError
from server.realtime.extensions import AvatarGesture, AvatarManner, AvatarPing, AvatarSay
from server.realtime.parse import MAX_BRACKETS, MAX_EVENT_BYTES, MODELS, SessionUpdate, parse_event


def session(**fields: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": {"type": "realtime", **fields}}


def turns(**fields: Any) -> dict[str, Any]:
    return session(audio={"input": {"turn_detection": fields}})


def item(**fields: Any) -> dict[str, Any]:
    return {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": []} | fields}


GOOD = [
    (session(instructions="be brief"), SessionUpdate),
    (session(audio={"input": {"turn_detection": None, "transcription": None}}), SessionUpdate),
    (session(avatar={"persona": "mei"}), SessionUpdate),
    (item(content=[{"type": "input_text", "text": "hi"}]), wire.ConversationItemCreateEvent),
    ({"type": "conversation.item.retrieve", "item_id": "a"}, wire.ConversationItemRetrieveEvent),
    ({"type": "conversation.item.delete", "item_id": "a"}, wire.ConversationItemDeleteEvent),
    (
        {"type": "conversation.item.truncate", "item_id": "a", "content_index": 0, "audio_end_ms": 5},
        wire.ConversationItemTruncateEvent,
    ),
    ({"type": "input_audio_buffer.append", "audio": "AAAA"}, wire.InputAudioBufferAppendEvent),
    ({"type": "input_audio_buffer.commit"}, wire.InputAudioBufferCommitEvent),
    ({"type": "input_audio_buffer.clear"}, wire.InputAudioBufferClearEvent),
    ({"type": "output_audio_buffer.clear"}, wire.OutputAudioBufferClearEvent),
    ({"type": "response.create"}, wire.ResponseCreateEvent),
    ({"type": "response.create", "response": {"metadata": {"a": "b"}}}, wire.ResponseCreateEvent),
    ({"type": "response.cancel", "response_id": "x"}, wire.ResponseCancelEvent),
    ({"type": "avatar.gesture", "gesture": "nod"}, AvatarGesture),
    ({"type": "avatar.manner", "mood": -0.5}, AvatarManner),
    ({"type": "avatar.say", "text": "hi"}, AvatarSay),
    ({"type": "avatar.ping"}, AvatarPing),
]


@pytest.mark.parametrize(
    ("event", "model"), GOOD, ids=lambda value: value.get("type") if isinstance(value, dict) else ""
)
def test_each_type_becomes_its_own_model(event: dict[str, Any], model: type) -> None:
    parsed = parse_event(json.dumps(event | {"event_id": "e1"}))
    assert isinstance(parsed, model)
    assert parsed.event_id == "e1"


def test_every_type_is_exercised() -> None:
    assert {event["type"] for event, _ in GOOD} == set(MODELS)


def test_absent_and_null_differ() -> None:
    update = parse_event(json.dumps(session(audio={"input": {"turn_detection": None}})))
    assert isinstance(update, SessionUpdate) and update.session.audio is not None
    assert update.session.audio.input is not None
    assert update.session.audio.input.model_fields_set == {"turn_detection"}


BAD: list[tuple[Any, str, str | None, str]] = [
    ({}, "missing_required_parameter", "type", "'type'"),
    ({"type": 5}, "invalid_value", "type", "Invalid value: 5"),
    ({"type": "session.upgrade"}, "invalid_value", "type", "'session.update'"),
    ([], "invalid_json", None, "object"),
    (session(colour="red"), "unknown_parameter", "session.colour", "session.colour"),
    ({"type": "session.update"}, "missing_required_parameter", "session", "session"),
    ({"type": "session.update", "session": 5}, "invalid_type", "session", "an integer"),
    ({"type": "session.update", "session": {}}, "missing_required_parameter", "session.type", "session.type"),
    (
        {"type": "session.update", "session": {"type": "transcription"}},
        "invalid_value", "session.type", "'realtime'",
    ),
    (session(temperature=0.8), "unknown_parameter", "session.temperature", ""),
    (session(avatar={"person": "mei"}), "unknown_parameter", "session.avatar.person", ""),
    (session(avatar={"language": "<b>"}), "invalid_value", "session.avatar.language", ""),
    (session(avatar=7), "invalid_type", "session.avatar", "an object"),
    (session(instructions=7), "invalid_type", "session.instructions", "expected a string, but got an integer"),
    (session(output_modalities=["video"]), "invalid_value", "session.output_modalities[0]", "'text', 'audio'"),
    (
        session(audio={"input": {"format": {"type": "audio/pcm", "rate": 16000}}}),
        "invalid_value", "session.audio.input.format.rate", "24000",
    ),
    (
        session(audio={"input": {"format": {"type": "audio/opus"}}}),
        "invalid_value", "session.audio.input.format.type", "'audio/pcm', 'audio/pcmu', 'audio/pcma'",
    ),
    (turns(type="telepathy"), "invalid_value", "session.audio.input.turn_detection.type", "'server_vad', 'semantic_vad'"),
    (turns(), "missing_required_parameter", "session.audio.input.turn_detection.type", ""),
    (
        turns(type="server_vad", treshold=0.5),
        "unknown_parameter", "session.audio.input.turn_detection.treshold", "",
    ),
    (
        turns(type="server_vad", threshold=[]),
        "invalid_type", "session.audio.input.turn_detection.threshold", "a number",
    ),
    (
        turns(type="semantic_vad", eagerness="very"),
        "invalid_value", "session.audio.input.turn_detection.eagerness", "'low', 'medium', 'high', 'auto'",
    ),
    (item(type="function_call_output"), "invalid_value", "item.type", "'message'"),
    (item(role="wizard"), "invalid_value", "item.role", "'assistant'"),
    (item(content="hi"), "invalid_type", "item.content", "an array"),
    (item(content=[{"type": "input_text", "text": 5}]), "invalid_type", "item.content[0].text", "a string"),
    (item(content=[{"type": "input_text", "txt": "hi"}]), "unknown_parameter", "item.content[0].txt", ""),
    ({"type": "conversation.item.create", "item": None}, "missing_required_parameter", "item", ""),
    (item() | {"previous": "x"}, "unknown_parameter", "previous", ""),
    ({"type": "input_audio_buffer.append"}, "missing_required_parameter", "audio", ""),
    ({"type": "input_audio_buffer.commit", "final": True}, "unknown_parameter", "final", ""),
    ({"type": "avatar.gesture", "gesture": "cartwheel"}, "invalid_value", "gesture", "nod"),
    ({"type": "avatar.gesture", "gesture": "nod", "strength": 7}, "invalid_value", "strength", ""),
    ({"type": "avatar.manner", "mood": 2}, "invalid_value", "mood", ""),
    ({"type": "avatar.say", "text": ""}, "invalid_value", "text", ""),
    ({"type": "response.create", "response": {"commentary": True}}, "unknown_parameter", "response.commentary", ""),
    ({"type": "response.cancel", "event_id": 5}, "invalid_type", "event_id", ""),
]  # fmt: skip


@pytest.mark.parametrize(("event", "code", "param", "text"), BAD)
def test_a_mistake_is_named(event: Any, code: str, param: str | None, text: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_event(json.dumps(event))
    assert (caught.value.code, caught.value.param) == (code, param)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ('{"type":"avatar.say","text":"\\ud800"}', "invalid_json"),
        ('{"type":"x","n":NaN}', "invalid_json"),
        ('{"a":' * 5000 + "1" + "}" * 5000, "invalid_json"),  # deeper than the parser goes
        ("[" * (MAX_BRACKETS + 1), "event_too_large"),
        ('{"type":"avatar.ping","x":[' + "1," * 60_000 + "1]}", "event_too_large"),
        ('{"type":"input_audio_buffer.append","audio":"' + "A" * MAX_EVENT_BYTES + '"}', "event_too_large"),
    ],
)
def test_hostile_json_is_refused(text: str, code: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_event(text)
    assert caught.value.code == code


def test_a_minute_of_sound_fits_one_event() -> None:
    audio = "A" * (24_000 * 2 * 60 * 4 // 3)
    parsed = parse_event(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
    assert isinstance(parsed, wire.InputAudioBufferAppendEvent)


def test_a_wrong_value_is_shown_shortened() -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_event(json.dumps({"type": "x" * 10_000}))
    assert len(str(caught.value)) < 600
