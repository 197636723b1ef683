"""``/v1/realtime/client_secrets``: short-lived tokens that a browser may hold, minted by whoever holds the key."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from server.errors import ProtocolError
from server.realtime.parse import parse_json_object, parse_session
from server.routes.describe import ERRORS, SECRET_BODY
from server.security.keys import MAX_TOKEN_SECONDS, MIN_TOKEN_SECONDS
from server.state import state_of
from streaming.ids import new_id

router = APIRouter(tags=["client secrets"])


class ClientSecretBody(BaseModel):
    """A client secret.

    `value` opens one conversation until `expires_at` (seconds since the epoch); `session` is what it will begin with.
    """

    value: str
    expires_at: int
    session: dict[str, Any]


@router.post(
    "/v1/realtime/client_secrets", summary="Mint a client secret", openapi_extra={"requestBody": SECRET_BODY},
    responses=ERRORS,
)  # fmt: skip
async def create_client_secret(request: Request) -> ClientSecretBody:
    """Needs the API key. The body may be empty; `expires_after.seconds` is 10 to 7200."""
    state = state_of(request)
    state.access.authorise(request, tokens=False)
    state.access.check_rate(request)
    raw = await request.body()
    body = parse_json_object(raw, "body") if raw.strip() else {}
    unknown = sorted(set(body) - {"expires_after", "session"})
    if unknown:
        raise ProtocolError(f"Unknown parameter: '{unknown[0][:80]}'.", code="unknown_parameter", param=unknown[0][:80])
    seconds = _seconds(body.get("expires_after"), state.settings.server.token_seconds)
    config = await state.initial_config()
    if body.get("session") is not None:
        config = config.updated(*parse_session(body["session"], "session"))
    value = state.access.secrets.mint(config, seconds)
    state.metrics.secrets.inc()
    session = {"id": new_id("sess"), "expires_at": None} | config.to_wire()
    return ClientSecretBody(value=value, expires_at=int(time.time() + seconds), session=session)


def _seconds(value: object, default: float) -> float:
    if value is None:
        return default
    if not isinstance(value, dict):
        raise ProtocolError("'expires_after' must be an object.", code="invalid_type", param="expires_after")
    unknown = sorted(set(value) - {"anchor", "seconds"})
    if unknown:
        name = f"expires_after.{unknown[0][:80]}"
        raise ProtocolError(f"Unknown parameter: '{name}'.", code="unknown_parameter", param=name)
    if value.get("anchor", "created_at") != "created_at":
        raise ProtocolError(
            "'expires_after.anchor' must be 'created_at'.", code="invalid_value", param="expires_after.anchor"
        )
    seconds = value.get("seconds", default)
    whole = isinstance(seconds, int) and not isinstance(seconds, bool)
    if "seconds" in value and not (whole and MIN_TOKEN_SECONDS <= seconds <= MAX_TOKEN_SECONDS):
        raise ProtocolError(
            f"'expires_after.seconds' must be {MIN_TOKEN_SECONDS} to {MAX_TOKEN_SECONDS}.",
            code="invalid_value",
            param="expires_after.seconds",
        )
    return float(seconds)
