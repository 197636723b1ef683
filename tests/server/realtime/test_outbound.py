from __future__ import annotations

import json
from typing import Any

from server.realtime.outbound import MAX_STORIES, Outbound, error_event
from server.realtime.parse import parse_session
from server.realtime.session import encode_event
from server.realtime.session_config import SessionConfig, SessionDefaults
from streaming import events
from streaming.events import AgentState, Item
from tests.server.fakes import types_of
from tests.server.official import check_event


class Teller:
    """Feeds events and keeps what is told, each held to the official client's model."""

    def __init__(self, *, audio_events: bool = False, **session: Any) -> None:
        config = SessionConfig.initial(SessionDefaults(instructions="12345678"))
        request, avatar = parse_session({"type": "realtime", **session}, "session")
        self.outbound = Outbound("conv_1", config.updated(request, avatar), audio_events=audio_events)

    def tell(self, *told: events.Event) -> list[dict[str, Any]]:
        messages = [message for event in told for message in self.outbound.translate(event)]
        return [check_event(json.loads(encode_event(message))) for message in messages]


def assistant(text: str = "", *, complete: bool = True, spoken: bool = True) -> Item:
    return Item("item_a", "assistant", text, spoken, complete)


ANSWER_BEGINS = (
    events.ResponseCreated("resp_1"),
    events.ItemAdded(assistant(complete=False), "item_u"),
    events.ResponseDelta("resp_1", "item_a", "Good "),
    events.ResponseDelta("resp_1", "item_a", "day."),
)
MADE = (
    events.ItemDone(assistant("Good day."), "item_u"),
    events.ResponseDone("resp_1", "item_a", "completed", generated_text="Good day."),
)
BEGINS_AS = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio_transcript.delta",
]
ENDS_AS = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "response.output_item.done",
    "conversation.item.done",
    "response.done",
]


def test_what_was_heard() -> None:
    user = Item("item_u", "user", "hello", spoken=True)
    told = Teller().tell(
        events.SpeechStarted("item_u", 100),
        events.SpeechStopped("item_u", 900),
        events.InputCommitted("item_u", None),
        events.ItemAdded(Item("item_u", "user", "", spoken=True), None),
        events.TranscriptDelta("item_u", "hel"),
        events.TranscriptCompleted("item_u", "hello", 800.0),
        events.ItemDone(user, None),
        events.TranscriptFailed("item_x", "transcription_failed", "no"),
        events.InputCleared(),
    )
    assert types_of(told) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.failed",
        "input_audio_buffer.cleared",
    ]
    assert told[2]["previous_item_id"] is None
    assert told[3]["previous_item_id"] is None, "null says that nothing comes before; its absence would say nothing"
    assert told[3]["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    assert told[5]["usage"] == {"type": "duration", "seconds": 0.8}
    assert told[6]["item"]["content"] == [{"type": "input_audio", "transcript": "hello"}]


def test_a_turn_that_takes_no_more_sound() -> None:
    (message,) = Teller().tell(events.InputFull("item_u", 60_000))
    assert message["error"]["code"] == "input_audio_buffer_full"
    assert message["error"]["message"].startswith("A turn lasts at most 60 s: ")


def test_no_transcripts_where_the_client_refused_them() -> None:
    teller = Teller(audio={"input": {"transcription": None}})
    assert teller.tell(
        events.TranscriptDelta("i", "a"), events.TranscriptCompleted("i", "a", 1), events.TranscriptFailed("i", "c", "m")
    ) == []  # fmt: skip


def test_an_answer_over_a_track() -> None:
    teller = Teller()
    told = teller.tell(*ANSWER_BEGINS, events.OutputStarted("resp_1"), *MADE, events.OutputStopped("resp_1"))
    assert types_of(told) == [*BEGINS_AS, "output_audio_buffer.started", *ENDS_AS, "output_audio_buffer.stopped"]
    done = told[-2]["response"]
    assert done["status"] == "completed" and done["status_details"] is None
    assert done["output"][0]["content"] == [{"type": "output_audio", "transcript": "Good day."}]
    assert done["output_modalities"] == ["audio"]
    assert done["usage"]["output_tokens"] == 3
    assert done["usage"]["input_tokens"] == 2  # the instructions: eight characters
    assert done["usage"]["total_tokens"] == 5


def test_an_answer_over_events_is_done_when_its_sound_is() -> None:
    teller = Teller(audio_events=True)
    sound = events.ResponseAudio("resp_1", "item_a", bytes(1920))
    first = teller.tell(*ANSWER_BEGINS, events.OutputStarted("resp_1"), sound, *MADE, sound)
    assert types_of(first) == [*BEGINS_AS, "response.output_audio.delta", "response.output_audio.delta"]
    assert types_of(teller.tell(events.OutputStopped("resp_1"))) == ENDS_AS


def test_an_answer_made_before_its_first_sound_still_waits_for_it() -> None:
    teller = Teller(audio_events=True)
    sound = events.ResponseAudio("resp_1", "item_a", bytes(1920))
    assert types_of(teller.tell(*ANSWER_BEGINS, *MADE)) == BEGINS_AS
    assert types_of(teller.tell(events.OutputStarted("resp_1"), sound)) == ["response.output_audio.delta"]
    assert types_of(teller.tell(events.OutputStopped("resp_1"))) == ENDS_AS


def test_an_answer_without_a_speakable_word_ends_all_the_same() -> None:
    teller = Teller(audio_events=True)
    teller.tell(*ANSWER_BEGINS, *MADE)
    assert types_of(teller.tell(events.AgentStateChanged(AgentState.IDLE))) == [*ENDS_AS, "avatar.state"]


def test_interrupted_while_its_sound_was_sent() -> None:
    teller = Teller(audio_events=True)
    teller.tell(*ANSWER_BEGINS, events.OutputStarted("resp_1"), *MADE)
    told = teller.tell(events.OutputCleared("resp_1"), events.ItemTruncated("item_a", "Good", 300))
    assert types_of(told) == [*ENDS_AS, "conversation.item.truncated"]
    done = told[-2]["response"]
    assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "turn_detected")
    assert told[4]["item"]["status"] == "incomplete"


def test_interrupted_between_making_and_the_first_sound() -> None:
    teller = Teller(audio_events=True)
    teller.outbound.client_cancels = True
    teller.tell(*ANSWER_BEGINS, *MADE)
    told = teller.tell(events.ItemTruncated("item_a", "", 0))
    assert types_of(told) == [*ENDS_AS, "conversation.item.truncated"]
    assert told[-2]["response"]["status_details"]["reason"] == "client_cancelled"


def test_cancelled_while_it_was_made() -> None:
    for audio_events in (False, True):
        teller = Teller(audio_events=audio_events)
        teller.tell(*ANSWER_BEGINS, events.OutputStarted("resp_1"))
        told = teller.tell(
            events.ItemDone(assistant("Good day."), "item_u"),
            events.ResponseDone("resp_1", "item_a", "cancelled", "turn_detected", generated_text="Good day."),
        )
        assert types_of(told) == ENDS_AS
        done = told[-1]["response"]
        assert done["status"] == "cancelled"
        assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected", "error": None}
        cleared = teller.tell(events.OutputCleared("resp_1"))
        assert types_of(cleared) == ([] if audio_events else ["output_audio_buffer.cleared"])


def test_failed_before_the_first_word() -> None:
    teller = Teller(audio_events=True)
    told = teller.tell(
        events.ResponseCreated("resp_1"),
        events.Failed("model_unavailable", "The model did not answer.", retryable=True),
        events.ResponseDone("resp_1", None, "failed", "model_unavailable", "The model did not answer."),
    )
    assert types_of(told) == ["response.created", "error", "response.done"]
    assert told[1]["error"]["retryable"] is True
    done = told[2]["response"]
    assert done["output"] == []
    assert done["status_details"]["error"] == {
        "type": "server_error", "code": "model_unavailable", "message": "The model did not answer.",
    }  # fmt: skip


def test_cut_short_by_the_token_limit() -> None:
    teller = Teller()
    teller.tell(*ANSWER_BEGINS)
    (*_, done) = teller.tell(
        events.ResponseDone("resp_1", "item_a", "incomplete", "max_output_tokens", generated_text="Good day.")
    )
    assert done["response"]["status_details"]["reason"] == "max_output_tokens"
    assert done["response"]["output"][0]["status"] == "incomplete"


def test_text_answers() -> None:
    teller = Teller(audio_events=True, output_modalities=["text"])
    told = teller.tell(
        events.ResponseCreated("resp_1"),
        events.ItemAdded(assistant(complete=False, spoken=False), None),
        events.ResponseDelta("resp_1", "item_a", "Good day."),
        events.ItemDone(assistant("Good day.", spoken=False), None),
        events.ResponseDone("resp_1", "item_a", "completed", generated_text="Good day."),
    )
    assert types_of(told) == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]
    assert told[-1]["response"]["output"][0]["content"] == [{"type": "output_text", "text": "Good day."}]


def test_metadata_returns_with_its_response_only() -> None:
    teller = Teller()
    teller.outbound.metadata = {"turn": "7"}
    (created,) = teller.tell(events.ResponseCreated("resp_1"))
    (other,) = teller.tell(events.ResponseCreated("resp_2"))
    assert created["response"]["metadata"] == {"turn": "7"}
    assert other["response"]["metadata"] is None


def test_extensions() -> None:
    told = Teller().tell(
        events.AgentStateChanged(AgentState.THINKING),
        events.Caption("resp_1", "item_a", "Good ", 0.04, 210.333),
        events.TurnLatency("resp_1", {"endpointing": 200.123}, 431.26),
        events.VolumeChanged(-18.0),
        events.ItemDeleted("item_u"),
    )
    assert told[3]["gain_db"] == -18.0
    assert told[0]["state"] == "thinking"
    assert (told[1]["text"], told[1]["start_ms"], told[1]["end_ms"]) == ("Good ", 0.0, 210.3)
    assert told[2]["stages"] == {"endpointing": 200.1} and told[2]["total_ms"] == 431.3


def test_g711_sound_is_a_third_as_many_samples_of_one_byte() -> None:
    teller = Teller(audio_events=True, audio={"output": {"format": {"type": "audio/pcmu"}}})
    told = teller.tell(*ANSWER_BEGINS, events.OutputStarted("resp_1"))
    for _ in range(25):
        told += teller.tell(events.ResponseAudio("resp_1", "item_a", bytes(1920)))
    told += teller.tell(*MADE, events.OutputStopped("resp_1"))
    encoded = [message["delta"] for message in told if message["type"] == "response.output_audio.delta"]
    assert sum(len(delta) * 3 // 4 - delta.count("=") for delta in encoded) == 8000


def test_responses_that_never_end_do_not_pile_up() -> None:
    teller = Teller(audio_events=True)
    for number in range(MAX_STORIES * 3):
        teller.tell(events.ResponseCreated(f"resp_{number}"))
    assert len(teller.outbound._stories) == MAX_STORIES


def test_strangers_are_ignored() -> None:
    teller = Teller(audio_events=True)
    assert teller.tell(
        events.ResponseDelta("resp_9", "item_a", "x"),
        events.ResponseAudio("resp_9", "item_a", b"\0\0"),
        events.ResponseDone("resp_9", None, "completed"),
        events.OutputStopped("resp_9"),
    ) == []  # fmt: skip


def test_error_event_names_the_client_event() -> None:
    message = check_event(json.loads(encode_event(error_event("no", code="c", param="p", event_id="mine"))))
    assert message["error"] == {
        "type": "invalid_request_error", "code": "c", "message": "no", "param": "p", "event_id": "mine",
    }  # fmt: skip
