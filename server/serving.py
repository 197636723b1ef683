"""Runs the server: engines, app and uvicorn, from the first log line to the last process."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import sys
from functools import partial
from typing import cast

import typer
import uvicorn
from fastapi import FastAPI

from server.app import create_app
from server.config import Settings
from server.draining import DrainingServer
from server.engines import Engines, build_engines, choose
from server.realtime.parse import MAX_EVENT_BYTES
from server.security.connections import BoundedHttp, ServingLoop, WaitingConnections, bound_unread
from server.security.origins import is_loopback
from server.security.redaction import install_redaction
from server.state import ServerState

logger = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.0005
"""Python hands the interpreter over every 5 ms by default; media pacing beside worker threads needs finer turns
(p99 lateness of a sound packet falls from 66 ms to 6 ms beside a busy thread)."""


def run(settings: Settings, engines: Engines | None = None) -> None:
    """Serve until SIGINT or SIGTERM, then drain and leave.

    Args:
        engines: by default those that ``settings`` lead to.

    Raises:
        EngineUnavailable: an engine asked for by name cannot be had.
        typer.Exit: the port is taken, or the data folder cannot be made (exit code 1).
    """
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("aioice", "bm25s", "httpx2"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    install_redaction(settings)
    if not settings.avatar.mark:
        logger.warning('avatar.mark is false: pictures do not say "AI-generated"; saying so is up to you')
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    _make_data_dir(settings)
    listener = _bind(settings)
    for choice in choose(settings) if engines is None else engines.choices:
        typer.echo(f"{choice.seam:>9}: {choice.engine} ({choice.why})")
    scheme = "https" if settings.server.tls_cert else "http"
    port = listener.getsockname()[1]
    shown = _shown(settings.server.host)
    if settings.server.api_key is None:
        typer.echo("   access: no API key is set, so only this machine is served")
    app = create_app(settings, engines or build_engines(settings))
    server = _Server(uvicorn_config(app), app.state.parley.registry.drain, settings.server.drain_seconds)
    server.url = f"{scheme}://{shown}:{port}"
    if is_loopback(settings.server.host):
        server.hint = "Open it in a browser on this machine."
    with listener:
        server.run(sockets=[listener])


def uvicorn_config(app: FastAPI) -> uvicorn.Config:
    """How ``app`` is served, with the bounds that do not belong to any one request."""
    state: ServerState = app.state.parley
    section = state.settings.server
    waiting = WaitingConnections(section.trusted_proxies, lambda code: state.metrics.refused.labels(code).inc())
    return uvicorn.Config(
        app,
        http=cast("type[asyncio.Protocol]", partial(BoundedHttp, waiting)),
        ws="websockets-sansio",
        loop=f"{ServingLoop.__module__}:{ServingLoop.__name__}",
        ssl_certfile=section.tls_cert,
        ssl_keyfile=section.tls_key,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ws_max_size=MAX_EVENT_BYTES,
        timeout_graceful_shutdown=2,  # conversations were drained before; what is left is an answer on its way
    )


class _Server(DrainingServer):
    """Says that it is listening once it is."""

    url = ""
    hint = "Open it in a browser."

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            typer.echo(f"\nParley is listening: {self.url}\n{self.hint} Ctrl-C ends it.\n")


def _shown(host: str) -> str:
    """The host part of an address that a person can open."""
    if host in ("127.0.0.1", "::1", "localhost"):
        return "localhost"
    if host in ("0.0.0.0", "::"):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _make_data_dir(settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        typer.echo(
            f"parley: cannot make the data folder {settings.data_dir}: {error.strerror}. "
            "Set PARLEY_DATA_DIR to a folder in which you may write.",
            err=True,
        )
        raise typer.Exit(1) from None


def _bind(settings: Settings) -> socket.socket:
    """Bind before anything heavy is loaded, so that a taken port is told at once."""
    host, port = settings.server.host, settings.server.port
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        bound_unread(listener)
    except OSError as error:
        cure = (
            "Is Parley running already? Try --port 0."
            if error.errno == errno.EADDRINUSE
            else "Check --host and --port."
        )
        typer.echo(f"parley: cannot listen on {host}:{port}: {error.strerror or error}. {cure}", err=True)
        raise typer.Exit(1) from None
    return listener
