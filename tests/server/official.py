"""Holds server events to the models of the official client."""

from __future__ import annotations

from typing import Any, get_args

from openai.types.realtime.realtime_server_event import RealtimeServerEvent
from pydantic import BaseModel

from server.realtime import extensions

OFFICIAL: dict[str, type[BaseModel]] = {
    get_args(model.model_fields["type"].annotation)[0]: model for model in get_args(get_args(RealtimeServerEvent)[0])
}

OURS: dict[str, type[BaseModel]] = {
    model.model_fields["type"].default: model
    for model in (
        extensions.AvatarCaption, extensions.AvatarLatency, extensions.AvatarPersona, extensions.AvatarPong,
        extensions.AvatarState, extensions.AvatarVolume,
    )
}  # fmt: skip

ADDITIONS = {"session.id", "session.object", "session.expires_at", "session.avatar", "error.retryable"}
"""Fields beyond the official models, all documented."""


def check_event(message: dict[str, Any]) -> dict[str, Any]:
    """The message itself; fails where the official model of its type does not take it or does not know a field."""
    kind = message["type"]
    model = OURS[kind] if kind.startswith("avatar.") else OFFICIAL[kind]
    parsed = model.model_validate(message)
    unknown = set(_unknown(parsed, "")) - ADDITIONS
    assert not unknown, f"{kind} has fields that the official model does not know: {unknown}"
    assert message["event_id"].startswith("event_")
    return message


def _unknown(value: Any, path: str) -> list[str]:
    if isinstance(value, list):
        return [name for item in value for name in _unknown(item, path)]
    if not isinstance(value, BaseModel):
        return []
    names = [f"{path}{name}" for name in value.model_extra or ()]
    for name in type(value).model_fields:
        names += _unknown(getattr(value, name), f"{path}{name}.")
    return names
