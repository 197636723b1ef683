"""``GET /v1/realtime``: the same conversation over a WebSocket, without picture."""

from __future__ import annotations

import logging

from fastapi import APIRouter, WebSocket
from starlette.responses import JSONResponse

from server.calls import begin_websocket
from server.errors import BadRequest, ProtocolError, ServerError, Unavailable
from server.realtime.lifetime import TRANSPORT_LOST, Ending
from server.realtime.outbound import error_event
from server.realtime.session import RealtimeSession, encode_event
from server.realtime.session_config import SessionConfig
from server.realtime.websocket import WebSocketTransport, read_events
from server.routes.calls import configure
from server.security.access import SUBPROTOCOL
from server.state import ServerState, state_of
from streaming.ids import new_id

logger = logging.getLogger(__name__)
router = APIRouter()

REFUSED_AFTER_ACCEPT = 1013
"""Close code "try again later" (IANA registry of WebSocket close codes)."""


@router.websocket("/v1/realtime")
async def realtime(websocket: WebSocket) -> None:
    """Refusals before the handshake are HTTP answers with the usual body."""
    state = state_of(websocket)
    try:
        principal = state.access.authorise(websocket)
        state.access.check_rate(websocket)
        if "call_id" in websocket.query_params:
            raise BadRequest(
                "Joining a call by call_id is not possible.", code="unsupported_parameter", param="call_id"
            )
        if websocket.query_params.get("intent", "conversation") != "conversation":
            raise BadRequest("Only conversations are served; leave intent out.", code="invalid_value", param="intent")
        config = principal.secret.session if principal.secret is not None else await state.initial_config()
        config = configure(config, websocket.query_params)
        with state.registry.admit() as take:
            call_id = new_id("ws")
            if principal.secret is not None:
                state.access.secrets.reserve(principal.secret)
                state.access.secrets.use(principal.secret, call_id)
            try:
                session = await _begin(state, call_id, config, websocket)
            except BaseException:
                state.access.secrets.forget_call(call_id)
                raise
            if session is None:
                state.access.secrets.forget_call(call_id)
                return
            take()
        try:
            await read_events(websocket, session)
        finally:
            session.end(TRANSPORT_LOST)  # without effect where the reading ended for a known reason
            await session.closed()
    except (ServerError, ProtocolError) as error:
        await _deny(state, websocket, error)


async def _begin(
    state: ServerState, call_id: str, config: SessionConfig, websocket: WebSocket
) -> RealtimeSession | None:
    """Accept and begin; None where the client was told that it cannot be."""
    offered = websocket.scope.get("subprotocols", ())
    await websocket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
    transport = WebSocketTransport(websocket)
    try:
        return await begin_websocket(state, call_id, config, transport)
    except Unavailable as error:
        await _apologise(state, transport, error)
        return None
    except BaseException:
        await transport.close(Ending("server_error", close_code=1011))
        raise


async def _deny(state: ServerState, websocket: WebSocket, error: ServerError | ProtocolError) -> None:
    if isinstance(error, ProtocolError):
        error = BadRequest(str(error), code=error.code, param=error.param)
    state.metrics.refused.labels(error.code).inc()
    await websocket.send_denial_response(JSONResponse(error.to_json(), error.status, error.headers()))


async def _apologise(state: ServerState, transport: WebSocketTransport, error: Unavailable) -> None:
    state.metrics.refused.labels(error.code).inc()
    transport.send(encode_event(error_event(str(error), code=error.code, kind="server_error", retryable=True)))
    await transport.close(Ending(error.code, str(error), REFUSED_AFTER_ACCEPT, retryable=True))
