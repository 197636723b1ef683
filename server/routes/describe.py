"""Parts of the OpenAPI description that FastAPI cannot read from the code."""

from __future__ import annotations

from typing import Any

from openai.types.realtime.realtime_session_create_request import RealtimeSessionCreateRequest
from pydantic import BaseModel


class ErrorDetail(BaseModel):
    """What went wrong: `message` for people, `code` for programs, `param` where a part of the request is at fault."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorBody(BaseModel):
    """Body of every refusal."""

    error: ErrorDetail


def _error(description: str) -> dict[str, Any]:
    return {"model": ErrorBody, "description": description}


ERRORS: dict[int | str, dict[str, Any]] = {
    400: _error("The request cannot be understood; `param` names the part at fault"),
    401: _error("No valid key or client secret"),
    403: _error("This page, host or address may not do this"),
    404: _error("No such thing"),
    413: _error("The body is too large"),
    429: _error("Too many requests; see Retry-After"),
    503: _error("Full, or shutting down; see Retry-After"),
}

SDP_ANSWER: dict[int | str, dict[str, Any]] = {
    201: {
        "description": "The SDP answer, with every candidate",
        "content": {"application/sdp": {"schema": {"type": "string"}}},
        "headers": {
            "Location": {"description": "Path of the call, for DELETE", "schema": {"type": "string"}},
        },
    }
}

SESSION: dict[str, Any] = {
    "type": "object",
    "description": f"As OpenAI's {RealtimeSessionCreateRequest.__name__}, and `avatar` (docs/protocol.md)",
    "required": ["type"],
    "properties": {
        "type": {"const": "realtime"},
        "avatar": {
            "type": "object",
            "properties": {"persona": {"type": "string"}, "language": {"type": "string"}},
        },
    },
}

CALL_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/sdp": {"schema": {"type": "string", "maxLength": 65536}},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["sdp"],
                "properties": {"sdp": {"type": "string", "maxLength": 65536}, "session": SESSION},
            },
            "encoding": {
                "sdp": {"contentType": "application/sdp"},
                "session": {"contentType": "application/json"},
            },
        },
    },
}

SECRET_BODY: dict[str, Any] = {
    "required": False,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "expires_after": {
                        "type": "object",
                        "properties": {
                            "anchor": {"const": "created_at"},
                            "seconds": {"type": "integer", "minimum": 10, "maximum": 7200},
                        },
                    },
                    "session": SESSION,
                },
            }
        }
    },
}
