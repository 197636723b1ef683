"""One answer as the protocol tells it: created, its item, its content part, the deltas, and everything done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from openai.types import realtime as wire
from openai.types.realtime import realtime_response, realtime_response_status
from openai.types.realtime import response_content_part_added_event as part_added
from openai.types.realtime import response_content_part_done_event as part_done
from pydantic import BaseModel

from server.realtime.audio import AudioEncoder
from server.realtime.items import Status, item_to_wire
from server.realtime.session_config import SessionConfig, format_to_wire
from streaming.events import Item, ItemDone, ResponseDone
from streaming.ids import new_event_id

CHARACTERS_PER_TOKEN = 4
"""Rule of thumb for English; ``usage`` is an estimate and documented as one."""


def estimate_tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS_PER_TOKEN)


@dataclass(slots=True)
class ResponseStory:
    """Tells one response's events in the protocol's order, whatever is skipped or cut off.

    Attributes:
        config: of the session when the response began.
        audio_events: the client gets sound as events (WebSocket) and not as a track.
        metadata: the client's own, echoed.
        input_tokens: estimate of what the model read.
        sound_began, sound_ended: its first and last sound left the server.
        held: told by the conversation, not yet to the client.
    """

    response_id: str
    conversation_id: str
    config: SessionConfig
    audio_events: bool
    metadata: dict[str, str] | None = None
    input_tokens: int = 0
    item_id: str | None = None
    text: str = ""
    sound_began: bool = False
    sound_ended: bool = False
    held: list[ItemDone | ResponseDone] = field(default_factory=list)
    _part_open: bool = False
    _audio_open: bool = False
    _item_done: bool = False
    _encoder: AudioEncoder = field(init=False)

    def __post_init__(self) -> None:
        self._encoder = AudioEncoder(self.config.output_format)

    @property
    def speaks(self) -> bool:
        return self.config.speak

    @property
    def sound_to_come(self) -> bool:
        """The client gets the sound as events, and has not got all of it."""
        return self.audio_events and self.speaks and not self.sound_ended

    def created(self) -> Iterator[BaseModel]:
        yield wire.ResponseCreatedEvent(
            type="response.created", event_id=new_event_id(), response=self._response("in_progress", [])
        )

    def item_added(self, item_id: str) -> Iterator[BaseModel]:
        """The item begins; later calls change nothing."""
        if self.item_id is not None:
            return
        self.item_id = item_id
        yield wire.ResponseOutputItemAddedEvent(
            type="response.output_item.added", event_id=new_event_id(), response_id=self.response_id, output_index=0,
            item=self._item("in_progress"),
        )  # fmt: skip

    def part_added(self) -> Iterator[BaseModel]:
        if self._part_open or self.item_id is None:
            return
        self._part_open = True
        part = part_added.Part(type="audio", transcript="") if self.speaks else part_added.Part(type="text", text="")
        yield wire.ResponseContentPartAddedEvent(
            type="response.content_part.added", event_id=new_event_id(), **self._place(), part=part
        )

    def delta(self, item_id: str, delta: str) -> Iterator[BaseModel]:
        yield from self.item_added(item_id)
        yield from self.part_added()
        self.text += delta
        if self.speaks:
            yield wire.ResponseAudioTranscriptDeltaEvent(
                type="response.output_audio_transcript.delta", event_id=new_event_id(), **self._place(), delta=delta
            )
        else:
            yield wire.ResponseTextDeltaEvent(
                type="response.output_text.delta", event_id=new_event_id(), **self._place(), delta=delta
            )

    def audio(self, item_id: str, pcm24k: bytes) -> Iterator[BaseModel]:
        if not self.audio_events or not self.speaks or self._item_done:
            return
        yield from self.item_added(item_id)
        yield from self.part_added()
        self._audio_open = True
        yield from self._audio_delta(self._encoder.feed(pcm24k))

    def item_done(self, status: Status) -> Iterator[BaseModel]:
        """Close part and item; later calls change nothing."""
        if self.item_id is None or self._item_done:
            return
        yield from self.part_added()
        self._item_done = True
        place = self._place()
        if self.speaks:
            if self._audio_open:
                yield from self._audio_delta(self._encoder.finish())
            yield wire.ResponseAudioDoneEvent(type="response.output_audio.done", event_id=new_event_id(), **place)
            yield wire.ResponseAudioTranscriptDoneEvent(
                type="response.output_audio_transcript.done", event_id=new_event_id(), **place, transcript=self.text
            )
            part = part_done.Part(type="audio", transcript=self.text)
        else:
            yield wire.ResponseTextDoneEvent(
                type="response.output_text.done", event_id=new_event_id(), **place, text=self.text
            )
            part = part_done.Part(type="text", text=self.text)
        yield wire.ResponseContentPartDoneEvent(
            type="response.content_part.done", event_id=new_event_id(), **place, part=part
        )
        yield wire.ResponseOutputItemDoneEvent(
            type="response.output_item.done", event_id=new_event_id(), response_id=self.response_id, output_index=0,
            item=self._item(status),
        )  # fmt: skip

    def done(self, event: ResponseDone) -> Iterator[BaseModel]:
        if event.generated_text:
            self.text = event.generated_text
        status: Status = "completed" if event.status == "completed" else "incomplete"
        if event.item_id is not None:
            yield from self.item_added(event.item_id)
        yield from self.item_done(status)
        output = [self._item(status)] if self.item_id is not None else []
        yield wire.ResponseDoneEvent(
            type="response.done", event_id=new_event_id(), response=self._response(event.status, output, event)
        )

    def _audio_delta(self, encoded: str) -> Iterator[BaseModel]:
        if encoded:
            yield wire.ResponseAudioDeltaEvent(
                type="response.output_audio.delta", event_id=new_event_id(), **self._place(), delta=encoded
            )

    def _place(self) -> dict[str, Any]:
        return {"response_id": self.response_id, "item_id": self.item_id, "output_index": 0, "content_index": 0}

    def _item(self, status: Status) -> wire.ConversationItem:
        assert self.item_id is not None
        item = Item(self.item_id, "assistant", self.text, spoken=self.speaks, complete=status != "in_progress")
        return item_to_wire(item, status=status)

    def _response(
        self,
        status: Literal["completed", "cancelled", "failed", "incomplete", "in_progress"],
        output: list[wire.ConversationItem],
        event: ResponseDone | None = None,
    ) -> wire.RealtimeResponse:
        voice = self.config.to_wire()["audio"]["output"]["voice"]
        return wire.RealtimeResponse(
            id=self.response_id,
            object="realtime.response",
            conversation_id=self.conversation_id,
            status=status,
            status_details=None if event is None else _status_details(event),
            output=output,
            output_modalities=["audio"] if self.speaks else ["text"],
            audio=realtime_response.Audio.model_validate(
                {"output": {"format": format_to_wire(self.config.output_format), "voice": voice}}
            ),
            max_output_tokens=self.config.max_output_tokens or "inf",
            metadata=self.metadata,
            usage=None if event is None else self._usage(),
        )

    def _usage(self) -> wire.RealtimeResponseUsage:
        output_tokens = estimate_tokens(self.text)
        return wire.RealtimeResponseUsage.model_validate(
            {
                "total_tokens": self.input_tokens + output_tokens,
                "input_tokens": self.input_tokens,
                "output_tokens": output_tokens,
                "input_token_details": {"text_tokens": self.input_tokens, "audio_tokens": 0, "cached_tokens": 0},
                "output_token_details": {"text_tokens": output_tokens, "audio_tokens": 0},
            }
        )


def _status_details(event: ResponseDone) -> wire.RealtimeResponseStatus | None:
    if event.status == "completed":
        return None
    error = None
    reason: Any = event.reason
    if event.status == "failed":
        kind = event.reason or "server_error"
        error = realtime_response_status.Error(type="server_error", code=kind, message=event.message)
        reason = None
    return wire.RealtimeResponseStatus(type=event.status, reason=reason, error=error)
