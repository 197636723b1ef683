from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from server.errors import ProtocolError
from server.realtime.parse import parse_session
from server.realtime.session_config import SessionConfig, SessionDefaults
from streaming.settings import Transcription, TurnDetection

DEFAULTS = SessionDefaults(
    instructions="be kind",
    voices=("anna", "ben"),
    transcriber="pocketsphinx",
    persona="helen",
    personas=("helen", "mei"),
)


def updated(config: SessionConfig | None = None, *, begun: bool = False, **fields: Any) -> SessionConfig:
    request, avatar = parse_session({"type": "realtime", **fields}, "session")
    return (config or SessionConfig.initial(DEFAULTS)).updated(request, avatar, begun=begun)


def audio_input(**fields: Any) -> dict[str, Any]:
    return {"input": fields}


def substituted(config: SessionConfig) -> dict[str, tuple[str, str | None]]:
    return {item["param"]: (item["requested"], item["used"]) for item in config.to_wire()["avatar"]["substituted"]}


def test_only_what_is_given_changes() -> None:
    first = updated(instructions="be brief", audio={"output": {"speed": 1.2}})
    second = updated(first, audio={"output": {"voice": "ben"}})
    assert (second.instructions, second.speed, second.voice) == ("be brief", 1.2, "ben")
    assert second.turn_detection == TurnDetection()


def test_null_turn_detection_is_push_to_talk_and_null_transcription_is_silence() -> None:
    config = updated(audio=audio_input(turn_detection=None, transcription=None))
    assert config.settings().turn_detection is None
    assert config.transcription is None
    heard_as = replace(config, defaults=replace(config.defaults, input_language="zh")).settings().transcription
    assert heard_as is not None and heard_as.language == "zh"  # the operator's language holds without transcripts too
    wire = config.to_wire()["audio"]["input"]
    assert wire["turn_detection"] is None and wire["transcription"] is None
    again = updated(config, audio=audio_input(turn_detection={"type": "server_vad"}, transcription={}))
    assert again.turn_detection == TurnDetection(kind="silence")
    assert again.transcription == Transcription()


def test_transcription_is_on_unless_refused() -> None:
    assert SessionConfig.initial(DEFAULTS).to_wire()["audio"]["input"]["transcription"] == {
        "model": "pocketsphinx", "language": None,
    }  # fmt: skip


def test_turn_detection_keeps_its_other_fields_within_a_kind() -> None:
    first = updated(audio=audio_input(turn_detection={"type": "server_vad", "threshold": 0.7}))
    second = updated(first, audio=audio_input(turn_detection={"type": "server_vad", "silence_duration_ms": 900}))
    assert second.turn_detection == TurnDetection(kind="silence", threshold=0.7, silence_ms=900)
    third = updated(second, audio=audio_input(turn_detection={"type": "semantic_vad", "eagerness": "low"}))
    assert third.turn_detection == TurnDetection(eagerness="low")
    assert third.to_wire()["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad", "eagerness": "low", "create_response": True, "interrupt_response": True,
    }  # fmt: skip


def test_foreign_models_voices_and_tools_are_mapped_and_the_reply_says_so() -> None:
    config = updated(
        model="gpt-realtime-2.1",
        audio={"input": {"transcription": {"model": "whisper-1", "prompt": "names"}}, "output": {"voice": "marin"}},
        tools=[{"type": "function", "name": "get_weather", "parameters": {}}],
        tracing="auto",
    )
    wire = config.to_wire()
    assert (wire["model"], wire["audio"]["output"]["voice"], wire["tools"], wire["tracing"]) == (
        "parley",
        "auto",
        [],
        None,
    )
    assert substituted(config) == {
        "session.model": ("gpt-realtime-2.1", "parley"),
        "session.audio.input.transcription.model": ("whisper-1", "pocketsphinx"),
        "session.audio.input.transcription.prompt": ("names", None),
        "session.audio.output.voice": ("marin", "auto"),
        "session.tools": ("get_weather", "[]"),
        "session.tracing": ("auto", None),
    }
    assert "session.model" not in substituted(updated(config, model="parley"))


def test_what_the_agents_sdk_sends_first_is_taken() -> None:
    """Captured from @openai/agents-realtime 0.20."""
    config = updated(
        instructions="You are a helpful assistant.",
        model="gpt-realtime-2.1",
        output_modalities=["audio"],
        audio={
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "noise_reduction": None,
                "transcription": {"model": "gpt-4o-mini-transcribe"},
                "turn_detection": {"type": "semantic_vad"},
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "speed": 1},
        },
    )
    assert set(substituted(config)) == {"session.model", "session.audio.input.transcription.model"}


def test_text_answers() -> None:
    config = updated(output_modalities=["text"])
    assert config.settings().speak is False
    assert config.to_wire()["output_modalities"] == ["text"]


def test_persona_language_and_voice_object() -> None:
    config = updated(avatar={"persona": "mei", "language": "zh-Hans"}, audio={"output": {"voice": {"id": "anna"}}})
    assert (config.persona, config.language, config.voice) == ("mei", "zh-Hans", "anna")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"instructions": "x" * 40_000}, "session.instructions"),
        ({"max_output_tokens": 0}, "session.max_output_tokens"),
        ({"max_output_tokens": 5000}, "session.max_output_tokens"),
        ({"output_modalities": ["text", "audio"]}, "session.output_modalities"),
        ({"output_modalities": []}, "session.output_modalities"),
        ({"audio": {"output": {"speed": 2.0}}}, "session.audio.output.speed"),
        ({"audio": audio_input(turn_detection={"type": "server_vad", "threshold": 1.5})},
         "session.audio.input.turn_detection.threshold"),
        ({"audio": audio_input(turn_detection={"type": "server_vad", "silence_duration_ms": 1})},
         "session.audio.input.turn_detection.silence_duration_ms"),
        ({"audio": audio_input(turn_detection={"type": "server_vad", "prefix_padding_ms": -1})},
         "session.audio.input.turn_detection.prefix_padding_ms"),
        ({"audio": audio_input(transcription={"language": "<script>"})}, "session.audio.input.transcription.language"),
        ({"avatar": {"persona": "nobody"}}, "session.avatar.persona"),
    ],
)  # fmt: skip
def test_values_out_of_bounds_are_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        updated(**fields)
    assert caught.value.param == param


def test_a_running_conversation_keeps_its_persona_and_formats() -> None:
    config = SessionConfig.initial(DEFAULTS)
    assert updated(config, begun=True, avatar={"persona": "helen"}).persona == "helen"
    with pytest.raises(ProtocolError, match="persona is chosen"):
        updated(config, begun=True, avatar={"persona": "mei"})


def test_other_settings_reach_the_conversation() -> None:
    settings = updated(max_output_tokens=77, audio={"output": {"speed": 0.8}}).settings()
    assert (settings.max_output_tokens, settings.speed, settings.instructions) == (77, 0.8, "be kind")
    assert updated(max_output_tokens="inf").max_output_tokens is None
    assert updated(instructions=None).instructions == "be kind"
    assert updated(instructions="").instructions == ""


def test_a_face_speaks_with_the_voice_that_suits_it_unless_another_is_chosen() -> None:
    config = SessionConfig.initial(replace(DEFAULTS, persona_voices={"mei": "ben"}))
    assert config.settings().voice is None
    mei = updated(config, avatar={"persona": "mei"})
    assert mei.settings().voice == "ben"
    assert updated(mei, audio={"output": {"voice": "anna"}}).settings().voice == "anna"
