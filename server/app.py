"""The application: endpoints, guards and what they share, put together."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from server.config import Settings
from server.conversations import ConversationFactory, LiveConversations, draw_once
from server.engines import Engines
from server.errors import BadRequest, NotFound, ProtocolError, ServerError
from server.metrics import Metrics
from server.personas import PersonaShelf
from server.realtime.session_config import SessionDefaults
from server.registry import Registry
from server.routes import calls, catalog, client_secrets, websocket
from server.routes.static import WebClientFiles
from server.security.access import Access
from server.security.headers import SecurityHeaders
from server.security.limits import BodyLimit
from server.security.origins import normal_origin
from server.state import ServerState, state_of

logger = logging.getLogger(__name__)

DESCRIPTION = """Live voice conversations with an animated portrait, over the OpenAI Realtime protocol.

The events of a conversation, and how they differ from OpenAI's, are described in docs/protocol.md."""


def create_app(
    settings: Settings,
    engines: Engines,
    *,
    conversations: ConversationFactory | None = None,
    web_folder: Path | None = None,
    clock: Callable[[], float] = time.monotonic,
    watch_s: float = 1.0,
) -> FastAPI:
    """The server as an ASGI application; engines are warmed up when it starts and closed when it stops.

    Args:
        conversations: makes the conversations; by default from ``engines``.
        web_folder: static files; by default the ``web_client`` package.
        clock: seconds, monotonic.
        watch_s: how often sessions look at their limits.
    """
    metrics = Metrics()
    state = ServerState(
        settings=settings,
        conversations=conversations or LiveConversations(settings, engines),
        defaults=session_defaults(settings, engines),
        registry=Registry(settings.server.max_conversations),
        access=Access(settings.server, clock),
        metrics=metrics,
        personas=PersonaShelf(settings.data_dir / "personas", settings.avatar.persona, clock),
        clock=clock,
        watch_s=watch_s,
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await engines.warm_up()
        if conversations is None:
            await draw_once(settings, engines)
        try:
            yield
        finally:
            await state.registry.close()
            await engines.close()

    app = FastAPI(
        title="Parley", version="1", description=DESCRIPTION, lifespan=lifespan, openapi_url=None, docs_url=None,
        redoc_url=None,
    )  # fmt: skip
    app.state.parley = state
    for module in (client_secrets, calls, websocket, catalog):
        app.include_router(module.router)
    app.mount("/", WebClientFiles(web_folder), name="page")
    _handle_errors(app)
    _add_guards(app, settings)
    return app


def session_defaults(settings: Settings, engines: Engines) -> SessionDefaults:
    return SessionDefaults(
        instructions=settings.chat.instructions,
        voices=tuple(engines.synthesizer.voices),
        voice=settings.speaking.voice,
        speed=settings.speaking.speed,
        language=settings.speaking.language,
        input_language=settings.hearing.language,
        transcriber=engines.transcriber.name,
        eagerness=settings.turns.eagerness,
        interruptible=settings.turns.interruptible,
        temperature=settings.chat.temperature,
        max_output_tokens=settings.chat.max_output_tokens,
        persona=settings.avatar.persona,
    )


def _add_guards(app: FastAPI, settings: Settings) -> None:
    """Outermost last: proxies are believed before anything looks at addresses."""
    section = settings.server
    app.add_middleware(BodyLimit)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[origin for origin in section.allowed_origins if normal_origin(origin)],
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "X-OpenAI-Agents-SDK"],
        expose_headers=["Location", "Retry-After"],
        allow_private_network=True,
        max_age=600,
    )
    app.add_middleware(SecurityHeaders, section=section)
    if section.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(section.trusted_proxies))


def _handle_errors(app: FastAPI) -> None:
    @app.exception_handler(ServerError)
    async def refuse(request: Request, error: ServerError) -> JSONResponse:
        state_of(request).metrics.refused.labels(error.code).inc()
        return JSONResponse(error.to_json(), error.status, error.headers())

    @app.exception_handler(ProtocolError)
    async def refuse_content(request: Request, error: ProtocolError) -> JSONResponse:
        return await refuse(request, BadRequest(str(error), code=error.code, param=error.param))

    @app.exception_handler(RequestValidationError)
    async def refuse_parameters(request: Request, error: RequestValidationError) -> JSONResponse:
        return await refuse(request, BadRequest("The request's parameters cannot be understood."))

    @app.exception_handler(HTTPException)
    async def refuse_plainly(request: Request, error: HTTPException) -> JSONResponse:
        plain = NotFound("There is nothing here.") if error.status_code == 404 else ServerError(error.detail)
        plain.status = error.status_code
        if error.status_code != 404:
            plain.code = "method_not_allowed" if error.status_code == 405 else "http_error"
        return JSONResponse(plain.to_json(), error.status_code, plain.headers() | dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def fail(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse(ServerError("Something went wrong on the server; its log says what.").to_json(), 500)
