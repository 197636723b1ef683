"""What the conversation tells, as the protocol's server events. Sans-I/O: one event in, several out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import singledispatchmethod

from openai.types import realtime as wire
from openai.types.realtime import conversation_item_input_audio_transcription_completed_event as transcription_completed
from openai.types.realtime import conversation_item_input_audio_transcription_failed_event as transcription_failed
from openai.types.realtime import realtime_server_event as server_event
from pydantic import BaseModel

from server.errors import ProtocolError
from server.realtime.extensions import AvatarCaption, AvatarLatency, AvatarState, AvatarVolume
from server.realtime.items import Status, item_to_wire
from server.realtime.responses import ResponseStory, estimate_tokens
from server.realtime.session_config import SessionConfig
from streaming import events
from streaming.ids import new_event_id

_NOTHING_TO_PLAY = (events.AgentState.IDLE, events.AgentState.LISTENING)

MAX_STORIES = 8
"""Responses whose sound may still be playing while the next are made; older ones are forgotten."""


class Outbound:
    """Translates for one conversation.

    Args:
        conversation_id: "conv_...".
        config: the session's; replaced through ``config`` when the client updates it.
        audio_events: the client gets sound as events (WebSocket) and not as a track. Then an answer is done when its
            last sound was sent: what the conversation tells of its end before that is held back.

    Attributes:
        metadata: of the client's ``response.create``, for the next response.
        client_cancels: the client's own command is what is being told of.
    """

    def __init__(self, conversation_id: str, config: SessionConfig, *, audio_events: bool) -> None:
        self.config = config
        self.metadata: dict[str, str] | None = None
        self.client_cancels = False
        self._conversation_id = conversation_id
        self._audio_events = audio_events
        self._stories: dict[str, ResponseStory] = {}
        self._history_tokens = 0

    def translate(self, event: events.Event) -> list[BaseModel]:
        """The server events that tell this, in the protocol's order."""
        return list(self._tell(event))

    @singledispatchmethod
    def _tell(self, event: object) -> Iterator[BaseModel]:
        raise TypeError(f"no translation for {type(event).__name__}")

    @_tell.register
    def _(self, event: events.SpeechStarted) -> Iterator[BaseModel]:
        yield wire.InputAudioBufferSpeechStartedEvent(
            type="input_audio_buffer.speech_started", event_id=new_event_id(), item_id=event.item_id,
            audio_start_ms=event.audio_start_ms,
        )  # fmt: skip

    @_tell.register
    def _(self, event: events.SpeechStopped) -> Iterator[BaseModel]:
        yield wire.InputAudioBufferSpeechStoppedEvent(
            type="input_audio_buffer.speech_stopped", event_id=new_event_id(), item_id=event.item_id,
            audio_end_ms=event.audio_end_ms,
        )  # fmt: skip

    @_tell.register
    def _(self, event: events.InputCommitted) -> Iterator[BaseModel]:
        yield wire.InputAudioBufferCommittedEvent(
            type="input_audio_buffer.committed", event_id=new_event_id(), item_id=event.item_id,
            previous_item_id=event.previous_item_id,
        )  # fmt: skip

    @_tell.register
    def _(self, event: events.InputCleared) -> Iterator[BaseModel]:
        yield wire.InputAudioBufferClearedEvent(type="input_audio_buffer.cleared", event_id=new_event_id())

    @_tell.register
    def _(self, event: events.TranscriptDelta) -> Iterator[BaseModel]:
        if self.config.transcription is not None:
            yield wire.ConversationItemInputAudioTranscriptionDeltaEvent(
                type="conversation.item.input_audio_transcription.delta", event_id=new_event_id(),
                item_id=event.item_id, content_index=0, delta=event.delta,
            )  # fmt: skip

    @_tell.register
    def _(self, event: events.TranscriptCompleted) -> Iterator[BaseModel]:
        self._history_tokens += estimate_tokens(event.text)
        if self.config.transcription is not None:
            usage = transcription_completed.UsageTranscriptTextUsageDuration(
                type="duration", seconds=round(event.duration_ms / 1000, 3)
            )
            yield wire.ConversationItemInputAudioTranscriptionCompletedEvent(
                type="conversation.item.input_audio_transcription.completed", event_id=new_event_id(),
                item_id=event.item_id, content_index=0, transcript=event.text, usage=usage,
            )  # fmt: skip

    @_tell.register
    def _(self, event: events.TranscriptFailed) -> Iterator[BaseModel]:
        if self.config.transcription is not None:
            error = transcription_failed.Error(type="transcription_error", code=event.code, message=event.message)
            yield wire.ConversationItemInputAudioTranscriptionFailedEvent(
                type="conversation.item.input_audio_transcription.failed", event_id=new_event_id(),
                item_id=event.item_id, content_index=0, error=error,
            )  # fmt: skip

    @_tell.register
    def _(self, event: events.ItemAdded) -> Iterator[BaseModel]:
        story = self._story_of_item(event.item)
        if story is not None:
            yield from story.item_added(event.item.item_id)
        elif not event.item.spoken:
            self._history_tokens += estimate_tokens(event.item.text)
        yield wire.ConversationItemAdded(
            type="conversation.item.added", event_id=new_event_id(), item=self.item(event.item),
            previous_item_id=event.previous_item_id,
        )  # fmt: skip
        if story is not None:
            yield from story.part_added()

    @_tell.register
    def _(self, event: events.ItemDone) -> Iterator[BaseModel]:
        story = self._story_of_item(event.item)
        if story is not None and story.sound_to_come:
            story.held.append(event)
            return
        yield from self._item_done(event, story, "completed" if event.item.complete else "incomplete")

    def _item_done(self, event: events.ItemDone, story: ResponseStory | None, status: Status) -> Iterator[BaseModel]:
        if story is not None:
            yield from story.item_done(status)
        yield wire.ConversationItemDone(
            type="conversation.item.done", event_id=new_event_id(), item=self.item(event.item, status),
            previous_item_id=event.previous_item_id,
        )  # fmt: skip

    @_tell.register
    def _(self, event: events.ItemDeleted) -> Iterator[BaseModel]:
        yield wire.ConversationItemDeletedEvent(
            type="conversation.item.deleted", event_id=new_event_id(), item_id=event.item_id
        )

    @_tell.register
    def _(self, event: events.ItemTruncated) -> Iterator[BaseModel]:
        for story in list(self._stories.values()):
            if story.item_id == event.item_id and story.held:  # cut off before its first sound left
                yield from self._sound_over(story.response_id, cleared=True)
        yield wire.ConversationItemTruncatedEvent(
            type="conversation.item.truncated", event_id=new_event_id(), item_id=event.item_id, content_index=0,
            audio_end_ms=event.audio_end_ms,
        )  # fmt: skip

    @_tell.register
    def _(self, event: events.ResponseCreated) -> Iterator[BaseModel]:
        while len(self._stories) >= MAX_STORIES:
            oldest = next(iter(self._stories))
            yield from self._sound_over(oldest, cleared=False)
            self._stories.pop(oldest, None)
        story = ResponseStory(
            event.response_id,
            self._conversation_id,
            self.config,
            self._audio_events,
            metadata=self.metadata,
            input_tokens=self._history_tokens + estimate_tokens(self.config.instructions),
        )
        self.metadata = None
        self._stories[event.response_id] = story
        yield from story.created()

    @_tell.register
    def _(self, event: events.ResponseDelta) -> Iterator[BaseModel]:
        story = self._stories.get(event.response_id)
        if story is not None:
            yield from story.delta(event.item_id, event.delta)

    @_tell.register
    def _(self, event: events.ResponseAudio) -> Iterator[BaseModel]:
        story = self._stories.get(event.response_id)
        if story is not None:
            yield from story.audio(event.item_id, event.pcm24k)

    @_tell.register
    def _(self, event: events.ResponseDone) -> Iterator[BaseModel]:
        story = self._stories.get(event.response_id)
        if story is None:
            return
        cut_off = event.status == "cancelled" or (event.status == "failed" and not story.sound_began)
        if story.sound_to_come and not cut_off and event.item_id is not None:
            story.held.append(event)
            return
        story.held.append(event)
        yield from self._release(story)

    def _release(self, story: ResponseStory, *, cleared: bool = False) -> Iterator[BaseModel]:
        """Tell the end of a response that was held back.

        Args:
            cleared: its remaining sound was dropped, so it did not complete.
        """
        held, story.held = story.held, []
        for event in held:
            if isinstance(event, events.ItemDone):
                cut_off = cleared or any(
                    isinstance(other, events.ResponseDone) and other.status != "completed" for other in held
                )
                yield from self._item_done(event, story, "incomplete" if cut_off else "completed")
                continue
            if cleared and event.status == "completed":
                reason = "client_cancelled" if self.client_cancels else "turn_detected"
                event = replace(event, status="cancelled", reason=reason)
            self._stories.pop(event.response_id, None)
            self._history_tokens += estimate_tokens(story.text)
            yield from story.done(event)

    @_tell.register
    def _(self, event: events.OutputStarted) -> Iterator[BaseModel]:
        story = self._stories.get(event.response_id)
        if story is not None:
            story.sound_began = True
        if not self._audio_events:
            yield server_event.OutputAudioBufferStarted(
                type="output_audio_buffer.started", event_id=new_event_id(), response_id=event.response_id
            )

    @_tell.register
    def _(self, event: events.OutputStopped) -> Iterator[BaseModel]:
        yield from self._sound_over(event.response_id, cleared=False)
        if not self._audio_events:
            yield server_event.OutputAudioBufferStopped(
                type="output_audio_buffer.stopped", event_id=new_event_id(), response_id=event.response_id
            )

    @_tell.register
    def _(self, event: events.OutputCleared) -> Iterator[BaseModel]:
        yield from self._sound_over(event.response_id, cleared=True)
        if not self._audio_events:
            yield server_event.OutputAudioBufferCleared(
                type="output_audio_buffer.cleared", event_id=new_event_id(), response_id=event.response_id
            )

    def _sound_over(self, response_id: str, *, cleared: bool) -> Iterator[BaseModel]:
        story = self._stories.get(response_id)
        if story is not None:
            story.sound_ended = True
            yield from self._release(story, cleared=cleared)

    @_tell.register
    def _(self, event: events.Caption) -> Iterator[BaseModel]:
        yield AvatarCaption(
            event_id=new_event_id(), response_id=event.response_id, item_id=event.item_id, text=event.text,
            start_ms=round(event.start_ms, 1), end_ms=round(event.end_ms, 1),
        )  # fmt: skip

    @_tell.register
    def _(self, event: events.VolumeChanged) -> Iterator[BaseModel]:
        yield AvatarVolume(event_id=new_event_id(), gain_db=event.gain_db)

    @_tell.register
    def _(self, event: events.AgentStateChanged) -> Iterator[BaseModel]:
        if event.state in _NOTHING_TO_PLAY:  # an answer without a speakable word
            for story in list(self._stories.values()):
                if story.held:
                    yield from self._sound_over(story.response_id, cleared=False)
        yield AvatarState(event_id=new_event_id(), state=event.state.value)

    @_tell.register
    def _(self, event: events.TurnLatency) -> Iterator[BaseModel]:
        stages = {name: round(value, 1) for name, value in event.stages.items()}
        yield AvatarLatency(
            event_id=new_event_id(), response_id=event.response_id, stages=stages, total_ms=round(event.total_ms, 1)
        )

    @_tell.register
    def _(self, event: events.InputFull) -> Iterator[BaseModel]:
        yield error_event(
            f"A turn lasts at most {event.duration_ms / 1000:g} s: what follows is not heard until it is committed or "
            "cleared.",
            code="input_audio_buffer_full",
        )

    @_tell.register
    def _(self, event: events.Failed) -> Iterator[BaseModel]:
        yield error_event(event.message, code=event.code, kind="server_error", retryable=event.retryable)

    @_tell.register
    def _(self, event: events.OutputLost) -> Iterator[BaseModel]:
        yield from ()  # the session ends and says why

    def item(self, item: events.Item, status: Status | None = None) -> wire.ConversationItem:
        """An item in the protocol's form, as ``conversation.item.retrieved`` shows it too."""
        return item_to_wire(item, status=status)

    def _story_of_item(self, item: events.Item) -> ResponseStory | None:
        if item.role != "assistant":
            return None
        for story in self._stories.values():
            if story.item_id == item.item_id:
                return story
        last = next(reversed(self._stories.values()), None)
        return last if last is not None and last.item_id is None and not item.complete else None


def error_event(
    message: str,
    *,
    code: str,
    kind: str = "invalid_request_error",
    param: str | None = None,
    event_id: str | None = None,
    retryable: bool | None = None,
) -> wire.RealtimeErrorEvent:
    """The protocol's error event.

    Args:
        event_id: of the client event that caused it.
        retryable: an addition of Parley's: trying again may help.
    """
    error = {"type": kind, "code": code, "message": message, "param": param, "event_id": event_id}
    if retryable is not None:
        error |= {"retryable": retryable}  # type: ignore[dict-item]
    return wire.RealtimeErrorEvent(
        type="error", event_id=new_event_id(), error=wire.RealtimeError.model_validate(error)
    )


def refusal_event(error: ProtocolError, event_id: str | None) -> wire.RealtimeErrorEvent:
    return error_event(str(error), code=error.code, kind=error.kind, param=error.param, event_id=event_id)
