"""Conversation items, from the conversation's form to the protocol's and back."""

from __future__ import annotations

from typing import Any, Literal

from openai.types import realtime as wire
from openai.types.realtime import realtime_conversation_item_assistant_message as assistant_message
from openai.types.realtime import realtime_conversation_item_system_message as system_message
from openai.types.realtime import realtime_conversation_item_user_message as user_message

from llm_bridge.chat import Role
from server.errors import ProtocolError
from streaming.events import Item

MAX_ITEM_CHARACTERS = 32_768
"""Text of one item; a chat model's whole context is often smaller."""

Status = Literal["completed", "incomplete", "in_progress"]


def item_to_wire(item: Item, *, status: Status | None = None, audio: bool | None = None) -> wire.ConversationItem:
    """The protocol's form of an item.

    Args:
        status: where it differs from what ``item.complete`` says ("incomplete" after an interruption).
        audio: its content was or will be sound; by default what ``item.spoken`` says.
    """
    status = status or ("completed" if item.complete else "in_progress")
    spoken = item.spoken if audio is None else audio
    if item.role == "system":
        content = [system_message.Content(type="input_text", text=item.text)]
        return wire.RealtimeConversationItemSystemMessage(
            id=item.item_id, object="realtime.item", type="message", role="system", status=status, content=content
        )
    if item.role == "user":
        part = (
            user_message.Content(type="input_audio", transcript=item.text or None)
            if spoken
            else user_message.Content(type="input_text", text=item.text)
        )
        return wire.RealtimeConversationItemUserMessage(
            id=item.item_id, object="realtime.item", type="message", role="user", status=status, content=[part]
        )
    answer = (
        assistant_message.Content(type="output_audio", transcript=item.text)
        if spoken
        else assistant_message.Content(type="output_text", text=item.text)
    )
    return wire.RealtimeConversationItemAssistantMessage(
        id=item.item_id,
        object="realtime.item",
        type="message",
        role="assistant",
        status=status,
        content=[answer] if item.text or item.complete else [],
    )


def text_of(item: wire.ConversationItem) -> tuple[Role, str, list[str]]:
    """Role, text and base64 sounds of a client's message item, in the order of its parts.

    Raises:
        ProtocolError: a part is empty, of a kind Parley does not take, or too long.
    """
    if isinstance(item, wire.RealtimeConversationItemSystemMessage):
        role: Role = "system"
    elif isinstance(item, wire.RealtimeConversationItemAssistantMessage):
        role = "assistant"
    elif isinstance(item, wire.RealtimeConversationItemUserMessage):
        role = "user"
    else:
        raise ProtocolError("Only message items can be created.", code="invalid_value", param="item.type")
    texts: list[str] = []
    sounds: list[str] = []
    parts: list[Any] = list(item.content)
    for index, part in enumerate(parts):
        path = f"item.content[{index}]"
        if part.type is None:
            raise ProtocolError(
                f"Missing required parameter: '{path}.type'.", code="missing_required_parameter", param=f"{path}.type"
            )
        if part.type == "input_image":
            raise ProtocolError(
                "Pictures are not understood: send text or sound.", code="invalid_value", param=f"{path}.type"
            )
        audio = getattr(part, "audio", None)
        text = part.text or getattr(part, "transcript", None)
        if part.type == "input_audio" and audio:
            sounds.append(audio)
        elif text:
            texts.append(text)
        else:
            name = "text" if part.type in ("input_text", "output_text") else "audio"
            raise ProtocolError(
                f"Missing required parameter: '{path}.{name}'.",
                code="missing_required_parameter",
                param=f"{path}.{name}",
            )
    if not texts and not sounds:
        raise ProtocolError("An item needs content.", code="invalid_value", param="item.content")
    if sounds and texts:
        raise ProtocolError(
            "Send text and sound as two items: the order of their words could not be kept in one.",
            code="invalid_value",
            param="item.content",
        )
    joined = "\n".join(texts)
    if len(joined) > MAX_ITEM_CHARACTERS:
        raise ProtocolError(
            f"An item may hold at most {MAX_ITEM_CHARACTERS} characters.", code="invalid_value", param="item.content"
        )
    return role, joined, sounds
