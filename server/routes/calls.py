"""``/v1/realtime/calls``: a conversation over WebRTC, begun with an SDP offer as WHIP (RFC 9725) does it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.datastructures import QueryParams, UploadFile
from starlette.formparsers import MultiPartException

from server.calls import begin_call
from server.errors import BadRequest, NotFound, TooLarge
from server.realtime.lifetime import HUNG_UP
from server.realtime.parse import parse_json_object, parse_session
from server.realtime.session_config import SessionConfig
from server.routes.describe import CALL_BODY, ERRORS, SDP_ANSWER
from server.security.access import Principal
from server.state import ServerState, state_of
from streaming.ids import new_id

router = APIRouter(tags=["calls"])

MAX_SDP_BYTES = 64 * 1024
"""Chromium's offer of sound, picture and data is 7 kB; with every candidate of a busy laptop 20 kB."""


@router.post(
    "/v1/realtime/calls",
    status_code=201,
    summary="Begin a conversation over WebRTC",
    openapi_extra={"requestBody": CALL_BODY},
    response_class=Response,
    responses={**SDP_ANSWER, **ERRORS},
)
async def create_call(request: Request) -> Response:
    """Answers an SDP offer. The data channel named `oai-events` then carries Realtime events; see docs/protocol.md.

    The offer comes as `application/sdp`, or as `multipart/form-data` with the parts `sdp` and `session`. With
    `application/sdp`, `?model=` and `?persona=` may be given.
    """
    state = state_of(request)
    principal = state.access.authorise(request)
    state.access.check_rate(request)
    sdp, session = await _read_offer(request)
    config = await _configure(state, principal, session, request)
    call_id = new_id("rtc")
    with state.registry.admit() as take:
        if principal.secret is None:
            answer = await begin_call(state, call_id, config, sdp)
        else:
            state.access.secrets.reserve(principal.secret)
            try:
                answer = await begin_call(state, call_id, config, sdp)
            except BaseException:
                state.access.secrets.release(principal.secret)
                raise
            state.access.secrets.use(principal.secret, call_id)
        take()
    location = f"/v1/realtime/calls/{call_id}"
    return Response(answer, 201, {"Location": location, "Cache-Control": "no-store"}, media_type="application/sdp")


@router.delete(
    "/v1/realtime/calls/{call_id}",
    status_code=204,
    summary="End a conversation",
    responses=ERRORS,
    response_class=Response,
)
async def delete_call(call_id: str, request: Request) -> Response:
    """Ends the conversation; returns when nothing of it is left. A client secret ends only its own."""
    await _hang_up(call_id, request)
    return Response(status_code=204)


@router.post(
    "/v1/realtime/calls/{call_id}/hangup", summary="End a conversation, as OpenAI's SDK does it", responses=ERRORS,
    response_class=Response,
)  # fmt: skip
async def hang_up(call_id: str, request: Request) -> Response:
    """The same as DELETE, answered 200."""
    await _hang_up(call_id, request)
    return Response(status_code=200)


async def _hang_up(call_id: str, request: Request) -> None:
    state = state_of(request)
    principal = state.access.authorise(request)
    if principal.secret is not None and principal.secret.call_id != call_id:
        raise NotFound(f"There is no call {call_id[:80]!r} of this client secret.", code="call_not_found")
    session = state.registry.find(call_id)
    session.end(HUNG_UP)
    await session.closed()


async def _read_offer(request: Request) -> tuple[str, Any]:
    """The SDP, and the session's JSON value or None.

    Raises:
        BadRequest: another content type, a missing part, an empty offer.
        TooLarge
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    session: Any = None
    if content_type in ("application/sdp", "text/plain", ""):
        raw = await request.body()
    elif content_type == "multipart/form-data":
        raw, session = await _read_form(request)
    else:
        raise BadRequest(
            f"The content type {content_type[:80]!r} is not understood: send application/sdp, or multipart/form-data "
            "with the parts sdp and session.",
            code="unsupported_content_type",
        )
    if len(raw) > MAX_SDP_BYTES:
        raise TooLarge(f"The SDP offer has {len(raw)} bytes; at most {MAX_SDP_BYTES} are read.", code="sdp_too_large")
    if not raw.strip():
        raise BadRequest("The SDP offer is empty.", code="invalid_sdp", param="sdp")
    try:
        return raw.decode("utf-8"), session
    except UnicodeDecodeError:
        raise BadRequest("The SDP offer is not UTF-8 text.", code="invalid_sdp", param="sdp") from None


async def _read_form(request: Request) -> tuple[bytes, Any]:
    try:
        async with request.form(max_files=2, max_fields=4, max_part_size=256 * 1024) as form:
            parts = {
                name: await value.read() if isinstance(value, UploadFile) else value.encode()
                for name, value in form.items()
            }
    except MultiPartException as error:
        raise BadRequest(f"The multipart body cannot be read: {error.message}", code="invalid_multipart") from None
    unknown = sorted(set(parts) - {"sdp", "session"})
    if unknown:
        raise BadRequest(f"Unknown part {unknown[0][:80]!r}: send sdp and session.", code="unknown_parameter")
    if "sdp" not in parts:
        raise BadRequest("The part sdp is missing.", code="missing_required_parameter", param="sdp")
    session = parse_json_object(parts["session"], "session") if parts.get("session") else None
    return parts["sdp"], session


async def _configure(state: ServerState, principal: Principal, session: Any, request: Request) -> SessionConfig:
    """The configuration that the conversation begins with: the secret's, then the query's, then the body's."""
    config = principal.secret.session if principal.secret is not None else await state.initial_config()
    return configure(config, request.query_params, session)


def configure(config: SessionConfig, query: QueryParams, session: Any = None) -> SessionConfig:
    """Apply ``?model=``, ``?persona=`` and a session's JSON value.

    Raises:
        ProtocolError: names what cannot be had.
    """
    if "model" in query:
        config = config.with_model(query["model"])
    if "persona" in query:
        config = config.with_persona(query["persona"])
    return config if session is None else config.updated(*parse_session(session, "session"))
