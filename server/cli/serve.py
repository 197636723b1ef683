"""``parley serve``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from server.config import Settings, load_settings


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="TCP port; 0 picks a free one.", show_default="8765")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="PEM certificate chain; with --tls-key, serve HTTPS.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM private key.")] = None,
    persona: Annotated[str | None, typer.Option(help="Persona shown first.", show_default="helen")] = None,
    renderer: Annotated[str | None, typer.Option(help="portrait, or echomimic.", show_default="portrait")] = None,
) -> None:
    """Serve the page and the API until interrupted. Nothing is downloaded."""
    given = {"host": host, "port": port, "tls_cert": tls_cert, "tls_key": tls_key}
    overrides: dict[str, Any] = {}
    if server := {key: value for key, value in given.items() if value is not None}:
        overrides["server"] = server
    if look := {key: value for key, value in {"persona": persona, "renderer": renderer}.items() if value is not None}:
        overrides["avatar"] = look
    _serve(load_settings(**overrides))


def _serve(settings: Settings) -> None:
    from avatar.errors import AvatarError
    from avatar.persona import find_persona
    from llm_bridge.errors import BridgeError
    from server.security.exposure import check_exposure
    from server.serving import run
    from streaming.errors import StreamingError

    problems = check_exposure(settings)
    if problems:
        for problem in problems:
            typer.echo(f"parley: {problem}", err=True)
        raise typer.Exit(2)
    try:
        find_persona(settings.avatar.persona, settings.data_dir / "personas")
        run(settings)
    except (StreamingError, AvatarError, BridgeError) as error:
        typer.echo(f"parley: {error}", err=True)
        raise typer.Exit(1) from None
