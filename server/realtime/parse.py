"""Client events: JSON text in, one model of ``openai.types.realtime`` out, or an error that names the field.

An event is validated against the one model that its ``type`` (and an item's ``type`` and ``role``) selects: the
union of all would answer a typing mistake with twenty errors. The models keep unknown fields, so those are
looked for afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from openai.types import realtime as wire
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, from_json

from server.errors import ProtocolError
from server.realtime.extensions import AvatarGesture, AvatarManner, AvatarOptions, AvatarPing, AvatarSay

MAX_EVENT_BYTES = 4 * 1024 * 1024
"""A minute of 24 kHz PCM16 in base64 is 3.8 MB; OpenAI takes 15 MiB."""

MAX_BRACKETS = 20_000
MAX_COMMAS = 50_000
"""Structure in one event: the largest sensible session has hundreds of brackets. Parsing 4 MB of them would hold up
every other conversation for a tenth of a second and take 200 MB; sound in base64 contains neither."""

_SHOWN = 80
"""Characters of a wrong value that an error repeats."""


class SessionUpdate(BaseModel):
    """``session.update`` of a realtime session, the only kind Parley has."""

    model_config = {"extra": "allow"}

    type: str
    session: wire.RealtimeSessionCreateRequest
    avatar: AvatarOptions | None = None
    event_id: str | None = None


ClientEvent = (
    SessionUpdate
    | wire.ConversationItemCreateEvent
    | wire.ConversationItemDeleteEvent
    | wire.ConversationItemRetrieveEvent
    | wire.ConversationItemTruncateEvent
    | wire.InputAudioBufferAppendEvent
    | wire.InputAudioBufferClearEvent
    | wire.InputAudioBufferCommitEvent
    | wire.OutputAudioBufferClearEvent
    | wire.ResponseCancelEvent
    | wire.ResponseCreateEvent
    | AvatarGesture
    | AvatarManner
    | AvatarPing
    | AvatarSay
)

MODELS: Mapping[str, type[BaseModel]] = {
    "session.update": SessionUpdate,
    "conversation.item.create": wire.ConversationItemCreateEvent,
    "conversation.item.delete": wire.ConversationItemDeleteEvent,
    "conversation.item.retrieve": wire.ConversationItemRetrieveEvent,
    "conversation.item.truncate": wire.ConversationItemTruncateEvent,
    "input_audio_buffer.append": wire.InputAudioBufferAppendEvent,
    "input_audio_buffer.clear": wire.InputAudioBufferClearEvent,
    "input_audio_buffer.commit": wire.InputAudioBufferCommitEvent,
    "output_audio_buffer.clear": wire.OutputAudioBufferClearEvent,
    "response.cancel": wire.ResponseCancelEvent,
    "response.create": wire.ResponseCreateEvent,
    "avatar.gesture": AvatarGesture,
    "avatar.manner": AvatarManner,
    "avatar.ping": AvatarPing,
    "avatar.say": AvatarSay,
}

ITEM_MODELS: Mapping[str, type[BaseModel]] = {
    "system": wire.RealtimeConversationItemSystemMessage,
    "user": wire.RealtimeConversationItemUserMessage,
    "assistant": wire.RealtimeConversationItemAssistantMessage,
}

_Model = TypeVar("_Model", bound=BaseModel)


def parse_json_object(text: str | bytes, what: str = "event") -> dict[str, Any]:
    """A JSON object, within bounds that keep a hostile one cheap.

    Raises:
        ProtocolError: code ``event_too_large`` or ``invalid_json``.
    """
    if len(text) > MAX_EVENT_BYTES:
        raise ProtocolError(
            f"The {what} has {len(text)} bytes; at most {MAX_EVENT_BYTES} are read. Send sound in smaller pieces.",
            code="event_too_large",
        )
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if raw.count(b"[") + raw.count(b"{") > MAX_BRACKETS or raw.count(b",") > MAX_COMMAS:
        raise ProtocolError(f"The {what} has too many values.", code="event_too_large")
    try:
        value = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise ProtocolError(f"The {what} is not valid JSON: {error}.", code="invalid_json") from None
    if not isinstance(value, dict):
        raise ProtocolError(f"The {what} must be a JSON object.", code="invalid_json")
    return value


def parse_event(text: str | bytes) -> ClientEvent:
    """One client event.

    Raises:
        ProtocolError: not JSON, or the type or a field is unknown, missing or wrong; names it.
    """
    return parse_event_object(parse_json_object(text))


def parse_event_object(data: dict[str, Any]) -> ClientEvent:
    """One client event from its JSON object.

    Raises:
        ProtocolError: as ``parse_event``.
    """
    kind = data.get("type")
    if kind is None:
        raise ProtocolError("Missing required parameter: 'type'.", code="missing_required_parameter", param="type")
    model = MODELS.get(kind) if isinstance(kind, str) else None
    if model is None:
        raise ProtocolError(_invalid_value(kind, MODELS), code="invalid_value", param="type")
    if model is SessionUpdate:
        request, avatar = parse_session(data.get("session"), "session")
        rest = {key: value for key, value in data.items() if key not in ("session", "avatar")}
        event = SessionUpdate.model_construct(session=request, avatar=avatar, **_checked(_UpdateEnvelope, rest, ""))
        return event
    if model is wire.ConversationItemCreateEvent:
        item = parse_item(data.get("item"), "item")
        envelope = _checked(_ItemEnvelope, {key: value for key, value in data.items() if key != "item"}, "")
        return wire.ConversationItemCreateEvent.construct(item=item, **envelope)
    return _validate(model, data, "")  # type: ignore[return-value]


def parse_session(value: object, path: str) -> tuple[wire.RealtimeSessionCreateRequest, AvatarOptions | None]:
    """A session configuration, as in ``session.update`` and the bodies of the HTTP endpoints.

    Args:
        value: the JSON value.
        path: where it stands, for errors.

    Raises:
        ProtocolError: names the field.
    """
    if not isinstance(value, dict):
        raise _wrong_type(path, value, "an object") if value is not None else _missing(path)
    kind = value.get("type")
    if kind is None:
        raise _missing(f"{path}.type")
    if kind != "realtime":
        raise ProtocolError(_invalid_value(kind, ["realtime"]), code="invalid_value", param=f"{path}.type")
    request = _validate(
        wire.RealtimeSessionCreateRequest, {key: item for key, item in value.items() if key != "avatar"}, path
    )
    avatar = value.get("avatar")
    return request, None if avatar is None else _validate(AvatarOptions, avatar, f"{path}.avatar")


def parse_item(value: object, path: str) -> wire.ConversationItem:
    """A message item.

    Raises:
        ProtocolError: names the field; other kinds of item (tools, MCP) are refused.
    """
    if not isinstance(value, dict):
        raise _wrong_type(path, value, "an object") if value is not None else _missing(path)
    kind = value.get("type")
    if kind is None:
        raise _missing(f"{path}.type")
    if kind != "message":
        raise ProtocolError(_invalid_value(kind, ["message"]), code="invalid_value", param=f"{path}.type")
    role = value.get("role")
    if role is None:
        raise _missing(f"{path}.role")
    model = ITEM_MODELS.get(role) if isinstance(role, str) else None
    if model is None:
        raise ProtocolError(_invalid_value(role, ITEM_MODELS), code="invalid_value", param=f"{path}.role")
    return _validate(model, value, path)  # type: ignore[return-value]


class _UpdateEnvelope(BaseModel):
    model_config = {"extra": "allow"}

    type: str
    event_id: str | None = None


class _ItemEnvelope(_UpdateEnvelope):
    previous_item_id: str | None = None


def _checked(model: type[BaseModel], data: dict[str, Any], path: str) -> dict[str, Any]:
    return dict(_validate(model, data, path))


def _validate(model: type[_Model], data: object, path: str) -> _Model:
    try:
        result = model.model_validate(data)
    except ValidationError as error:
        raise _explain(error, data, path) from None
    unknown = next(_unknown_fields(result, path), None)
    if unknown is not None:
        raise ProtocolError(f"Unknown parameter: '{_shown(unknown)}'.", code="unknown_parameter", param=unknown)
    return result


def _unknown_fields(value: object, path: str) -> Iterator[str]:
    if isinstance(value, BaseModel):
        for name in value.model_extra or ():
            yield _join(path, name)
        for name in type(value).model_fields:
            yield from _unknown_fields(getattr(value, name), _join(path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown_fields(item, f"{path}[{index}]")


def _explain(error: ValidationError, data: object, path: str) -> ProtocolError:
    details = error.errors(include_url=False, include_context=True)
    problem = _most_telling(details)
    param = _param(problem["loc"], data, path)
    kind = problem["type"]
    if kind == "missing":
        return _missing(param)
    if kind == "literal_error":
        expected = [
            item for detail in details if detail["loc"][-1:] == problem["loc"][-1:] for item in _expected(detail)
        ]
        return ProtocolError(_invalid_value(problem["input"], expected), code="invalid_value", param=param)
    if kind.endswith("_type") or kind == "model_attributes_type":
        return _wrong_type(param, problem["input"], _kind_wanted(kind))
    return ProtocolError(f"Invalid value for '{_shown(param)}': {problem['msg']}.", code="invalid_value", param=param)


def _most_telling(details: list[ErrorDetails]) -> ErrorDetails:
    """Of a union's errors, one from the branch that the value's own ``type`` selected."""
    mistaken = {
        detail["loc"][:-1]
        for detail in details
        if detail["type"] == "literal_error" and detail["loc"][-1:] == ("type",)
    }
    telling = [detail for detail in details if detail["loc"][:-1] not in mistaken]
    deepest = sorted(telling or details, key=lambda detail: -len(detail["loc"]))
    return deepest[0] if telling else details[0]


def _param(loc: tuple[int | str, ...], data: object, path: str) -> str:
    """The path within the client's JSON: pydantic's location also names the branches of unions."""
    value = data
    for index, part in enumerate(loc):
        last = index == len(loc) - 1
        if isinstance(part, int) and isinstance(value, list):
            path, value = f"{path}[{part}]", value[part] if part < len(value) else None
        elif (
            isinstance(value, dict)
            and isinstance(part, str)
            and (part in value or (last and part.isidentifier() and part.islower()))
        ):
            path, value = _join(path, part), value.get(part)
    return path


def _expected(detail: ErrorDetails) -> list[str]:
    text = str(detail.get("ctx", {}).get("expected", ""))
    return [part.strip(" '") for part in text.replace(" or ", ", ").split(",") if part.strip(" '")]


def _kind_wanted(kind: str) -> str:
    names = {
        "string_type": "a string", "int_type": "an integer", "float_type": "a number", "bool_type": "a boolean",
        "list_type": "an array", "dict_type": "an object", "model_type": "an object",
        "model_attributes_type": "an object",
    }  # fmt: skip
    return names.get(kind, "another type")


def _missing(param: str) -> ProtocolError:
    return ProtocolError(
        f"Missing required parameter: '{_shown(param)}'.", code="missing_required_parameter", param=param
    )


def _wrong_type(param: str, given: object, wanted: str) -> ProtocolError:
    names = {
        str: "a string",
        bool: "a boolean",
        int: "an integer",
        float: "a number",
        list: "an array",
        dict: "an object",
    }
    got = "null" if given is None else names.get(type(given), type(given).__name__)
    return ProtocolError(
        f"Invalid type for '{_shown(param)}': expected {wanted}, but got {got} instead.",
        code="invalid_type",
        param=param,
    )


def _invalid_value(given: object, supported: Iterable[str]) -> str:
    names = ", ".join(f"'{name}'" for name in dict.fromkeys(supported))
    return f"Invalid value: {_shown(repr(given))}. Supported values are: {names}."


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
