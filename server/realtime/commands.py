"""Carries a client's events out: one function for each type, none of which lets anything but ``ProtocolError`` out
for what a client can cause."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from openai.types import realtime as wire
from openai.types.realtime import realtime_server_event as server_event

from avatar.motion.source import Manner
from server.errors import ProtocolError
from server.realtime.audio import AudioDecoder
from server.realtime.extensions import AvatarGesture, AvatarManner, AvatarPing, AvatarPong, AvatarSay
from server.realtime.items import text_of
from server.realtime.parse import SessionUpdate
from streaming.errors import TranscriptionFailed
from streaming.hearing.segment import RATE_HZ as HEARING_RATE_HZ
from streaming.ids import new_event_id, new_id

if TYPE_CHECKING:
    from server.realtime.session import RealtimeSession

MAX_CLIENT_ITEMS = 1000
"""Items a client may put into one conversation: with their greatest length 32 MB."""

HEARD_AT_ONCE = HEARING_RATE_HZ // 2
"""Samples: some 5 ms of work."""

_IGNORED_RESPONSE_PARAMS = frozenset({"instructions", "metadata", "conversation"})


@dataclass(slots=True)
class ClientState:
    """What commands remember between events."""

    items_created: int = 0


@singledispatch
def _handler(event: object, session: RealtimeSession) -> Awaitable[None] | None:
    raise TypeError(f"no command for {type(event).__name__}")


async def carry_out(event: object, session: RealtimeSession) -> None:
    """Do what the event asks.

    Raises:
        ProtocolError: it cannot be done; nothing changed.
    """
    pending = _handler(event, session)
    if pending is not None:
        await pending


@_handler.register(SessionUpdate)
def _(event: SessionUpdate, session: RealtimeSession) -> None:
    session.configure(session.config.updated(event.session, event.avatar, begun=True))


@_handler.register(wire.InputAudioBufferAppendEvent)
def _(event: wire.InputAudioBufferAppendEvent, session: RealtimeSession) -> Awaitable[None]:
    if session.has_track:
        raise ProtocolError(
            "This conversation hears its WebRTC track; input_audio_buffer.append is for WebSocket conversations.",
            code="invalid_event",
            param="type",
        )
    session.take_sound(session.decoder.seconds_in(event.audio), "audio")
    return _hear(session.decoder.feed(event.audio), session)


async def _hear(pcm16k: NDArray[np.int16], session: RealtimeSession) -> None:
    """A minute of sound in one event takes half a second to hear: others get their turns in between."""
    for first in range(0, len(pcm16k), HEARD_AT_ONCE):
        session.hear(pcm16k[first : first + HEARD_AT_ONCE])
        await asyncio.sleep(0)


@_handler.register(wire.InputAudioBufferCommitEvent)
def _(event: wire.InputAudioBufferCommitEvent, session: RealtimeSession) -> None:
    session.hear(session.decoder.flush())
    try:
        session.conversation.commit_input()
    except ValueError as error:
        raise ProtocolError(
            f"Error committing input audio buffer: {error}.", code="input_audio_buffer_commit_empty"
        ) from None
    session.touch()


@_handler.register(wire.InputAudioBufferClearEvent)
def _(event: wire.InputAudioBufferClearEvent, session: RealtimeSession) -> None:
    session.decoder.clear()
    session.conversation.clear_input()


@_handler.register(wire.OutputAudioBufferClearEvent)
def _(event: wire.OutputAudioBufferClearEvent, session: RealtimeSession) -> None:
    session.outbound.client_cancels = True
    try:
        session.conversation.clear_output()
    finally:
        session.outbound.client_cancels = False


@_handler.register(wire.ConversationItemCreateEvent)
def _(event: wire.ConversationItemCreateEvent, session: RealtimeSession) -> Awaitable[None]:
    return _create_item(event, session)


async def _create_item(event: wire.ConversationItemCreateEvent, session: RealtimeSession) -> None:
    role, text, sounds = text_of(event.item)
    if session.client.items_created >= MAX_CLIENT_ITEMS:
        raise ProtocolError(
            f"A conversation takes at most {MAX_CLIENT_ITEMS} items from its client.", code="too_many_items"
        )
    if sounds:
        text = await _transcribe(sounds, session)
    item_id: str | None = getattr(event.item, "id", None)
    if item_id is not None and not 0 < len(item_id) <= 64:
        raise ProtocolError("'item.id' may have 1 to 64 characters.", code="invalid_value", param="item.id")
    try:
        session.conversation.add_item(item_id or new_id("item"), role, text, after=event.previous_item_id)
    except (ValueError, KeyError) as error:
        after_known = (
            event.previous_item_id is None
            or event.previous_item_id == "root"
            or _known(session, event.previous_item_id)
        )
        raise ProtocolError(
            f"The item cannot be created: {_text(error)}.",
            code="item_create_invalid_item_id" if after_known else "item_create_invalid_previous_item_id",
            param="item.id" if after_known else "previous_item_id",
        ) from None
    session.client.items_created += 1
    session.touch()


async def _transcribe(sounds: list[str], session: RealtimeSession) -> str:
    """Sound in an item is words that were said: it enters the conversation as its transcript."""
    decoder = AudioDecoder(session.config.input_format)
    session.take_sound(sum(map(decoder.seconds_in, sounds)), "item.content")
    transcription = session.config.settings().transcription
    stream = session.transcriber.open(language=transcription.language if transcription else None)
    try:
        for sound in sounds:
            stream.feed(decoder.feed(sound, "item.content.audio"))
        stream.feed(decoder.flush())
        transcript = await stream.transcribe()
    except TranscriptionFailed as error:
        raise ProtocolError(str(error), code=error.code, param="item.content", kind="server_error") from None
    finally:
        await stream.close()
    if not transcript.text:
        raise ProtocolError("No words were understood in the sound.", code="no_speech", param="item.content")
    return transcript.text


@_handler.register(wire.ConversationItemRetrieveEvent)
def _(event: wire.ConversationItemRetrieveEvent, session: RealtimeSession) -> None:
    try:
        item = session.conversation.get_item(event.item_id)
    except KeyError:
        raise _no_item("retrieve", event.item_id) from None
    session.send(
        server_event.ConversationItemRetrieved(
            type="conversation.item.retrieved", event_id=new_event_id(), item=session.outbound.item(item)
        )
    )


@_handler.register(wire.ConversationItemTruncateEvent)
def _(event: wire.ConversationItemTruncateEvent, session: RealtimeSession) -> None:
    if event.content_index != 0:
        raise ProtocolError("'content_index' must be 0.", code="invalid_value", param="content_index")
    if event.audio_end_ms < 0:
        raise ProtocolError("'audio_end_ms' must not be negative.", code="invalid_value", param="audio_end_ms")
    try:
        session.conversation.truncate_item(event.item_id, event.audio_end_ms)
    except KeyError:
        raise _no_item("truncate", event.item_id) from None
    except ValueError as error:
        raise ProtocolError(
            f"The item cannot be truncated: {error}.", code="invalid_value", param="audio_end_ms"
        ) from None


@_handler.register(wire.ConversationItemDeleteEvent)
def _(event: wire.ConversationItemDeleteEvent, session: RealtimeSession) -> None:
    try:
        session.conversation.delete_item(event.item_id)
    except KeyError:
        raise _no_item("delete", event.item_id) from None


@_handler.register(wire.ResponseCreateEvent)
def _(event: wire.ResponseCreateEvent, session: RealtimeSession) -> None:
    params = event.response
    _check_response(params, session)
    session.outbound.metadata = params.metadata if params is not None else None
    try:
        session.conversation.create_response(instructions=params.instructions if params is not None else None)
    except RuntimeError as error:
        session.outbound.metadata = None
        raise ProtocolError(
            f"response.create is not possible now: {error}.", code="conversation_already_has_active_response"
        ) from None
    session.touch()


def _check_response(params: wire.RealtimeResponseCreateParams | None, session: RealtimeSession) -> None:
    """Refuse what would be ignored: an answer that differs from what was asked for is worse than none."""
    if params is None:
        return
    if params.conversation not in (None, "auto"):
        raise _unsupported("conversation", "Answers outside the conversation are not made.")
    modality = "audio" if session.config.speak else "text"
    if params.output_modalities not in (None, [modality]):
        raise _unsupported("output_modalities", f"It is [{modality!r}] for the session; change it with session.update.")
    if len(params.instructions or "") > 32_768:
        raise ProtocolError(
            "'response.instructions' may have at most 32768 characters.",
            code="invalid_value",
            param="response.instructions",
        )
    harmless: dict[str, tuple[Any, ...]] = {
        "tools": (None, []),
        "tool_choice": (None, "auto", "none"),
        "max_output_tokens": (None, session.config.max_output_tokens or "inf"),
    }
    for name in params.model_fields_set - _IGNORED_RESPONSE_PARAMS - {"output_modalities"}:
        if getattr(params, name) not in harmless.get(name, (None,)):
            raise _unsupported(name, "Set it for the session with session.update, where Parley has it.")


@_handler.register(wire.ResponseCancelEvent)
def _(event: wire.ResponseCancelEvent, session: RealtimeSession) -> None:
    session.outbound.client_cancels = True
    try:
        cancelled = session.conversation.cancel_response()
    finally:
        session.outbound.client_cancels = False
    if not cancelled:
        raise ProtocolError("Cancellation failed: no active response found.", code="response_cancel_not_active")


@_handler.register(AvatarSay)
def _(event: AvatarSay, session: RealtimeSession) -> None:
    if not event.text.strip():
        raise ProtocolError("'text' is empty.", code="invalid_value", param="text")
    try:
        session.conversation.say(event.text)
    except ValueError as error:
        raise ProtocolError(f"The text cannot be said: {error}.", code="too_many_items", param="text") from None
    session.touch()


@_handler.register(AvatarGesture)
def _(event: AvatarGesture, session: RealtimeSession) -> None:
    session.conversation.gesture(event.gesture, event.strength)


@_handler.register(AvatarManner)
def _(event: AvatarManner, session: RealtimeSession) -> None:
    session.conversation.set_manner(Manner(event.mood, event.gestures))


@_handler.register(AvatarPing)
def _(event: AvatarPing, session: RealtimeSession) -> None:
    session.ping()
    session.send(AvatarPong(event_id=new_event_id(), ping_event_id=event.event_id))


def _known(session: RealtimeSession, item_id: str) -> bool:
    try:
        session.conversation.get_item(item_id)
    except KeyError:
        return False
    return True


def _no_item(command: str, item_id: str) -> ProtocolError:
    return ProtocolError(
        f"Item with id {item_id[:80]!r} is not in the conversation.",
        code=f"item_{command}_invalid_item_id",
        param="item_id",
    )


def _unsupported(name: str, why: str) -> ProtocolError:
    return ProtocolError(
        f"'response.{name}' is not supported. {why}", code="unsupported_parameter", param=f"response.{name}"
    )


def _text(error: BaseException) -> str:
    return str(error.args[0]) if error.args else str(error)
