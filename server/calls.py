"""Begins conversations: from an SDP offer or an accepted WebSocket to a running session."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from server.errors import BadRequest, Unavailable
from server.realtime.data_channel import DataChannelTransport
from server.realtime.lifetime import CLIENT_LEFT, TRANSPORT_LOST
from server.realtime.session import RealtimeSession
from server.realtime.session_config import SessionConfig
from server.realtime.websocket import WebSocketTransport
from server.state import ServerState
from streaming.conversation import Conversation
from streaming.errors import NegotiationFailed, StreamingError

logger = logging.getLogger(__name__)

BEGIN_S = 20.0
"""A worker starts within a second; one that has not after this is not coming."""


async def begin_call(state: ServerState, call_id: str, config: SessionConfig, sdp: str) -> str:
    """Answer the offer and start the session; on failure nothing is left.

    Returns:
        The SDP answer.

    Raises:
        BadRequest: the offer cannot be answered.
        NotFound: the persona is gone.
        Unavailable: no worker could be had.
    """
    session: RealtimeSession | None = None

    def deliver(method: str, *args: Any) -> None:  # nothing arrives before the answer has been sent
        if session is not None:
            getattr(session, method)(*args)

    def closed(reason: str) -> None:
        logger.info("call %s: %s", call_id, reason)
        deliver("end", CLIENT_LEFT if reason.startswith("the client closed") else TRANSPORT_LOST)

    peer = state.conversations.peer(
        on_pcm=lambda pcm16k: deliver("hear", pcm16k),
        on_message=lambda message: deliver("receive", message),
        on_open=lambda: deliver("connected"),
        on_closed=closed,
    )
    try:
        answer = await peer.answer(sdp)
        persona = await state.personas.find(config.persona) if peer.video_wanted else None
        session = state.new_session(DataChannelTransport(peer), config, persona)
        conversation = state.conversations.over_peer(peer, persona, config, session.observe)
        session.attach(conversation)
        await start_conversation(conversation)
    except NegotiationFailed as error:
        await peer.close()
        raise BadRequest(str(error), code=error.code, param="sdp") from None
    except BaseException:
        await peer.close()
        raise
    state.registry.start(call_id, session, state.count("webrtc", call_id))
    logger.info("call %s began, picture: %s", call_id, persona.name if persona is not None else "none")
    return answer


async def begin_websocket(
    state: ServerState, call_id: str, config: SessionConfig, transport: WebSocketTransport
) -> RealtimeSession:
    """Start the session of an accepted WebSocket; on failure nothing is left but the transport.

    Raises:
        Unavailable: the conversation could not start.
    """
    session = state.new_session(transport, config)
    transport.bind(session)
    conversation = state.conversations.over_events(config, session.observe)
    session.attach(conversation)
    await start_conversation(conversation)
    session.connected()
    state.registry.start(call_id, session, state.count("websocket", call_id))
    logger.info("call %s began over a WebSocket", call_id)
    return session


async def start_conversation(conversation: Conversation) -> None:
    """Start it, or close it and say why not.

    Raises:
        Unavailable: full, or a worker failed.
    """
    try:
        async with asyncio.timeout(BEGIN_S):
            await conversation.start()
    except BaseException as error:
        await conversation.close()
        if isinstance(error, StreamingError):
            retry_after_s = 5.0 if error.retryable else None
            raise Unavailable(str(error), code=error.code, retry_after_s=retry_after_s) from None
        if isinstance(error, TimeoutError):
            raise Unavailable(f"The avatar did not start within {BEGIN_S:g} s.", retry_after_s=5) from None
        raise
