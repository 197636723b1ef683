"""``parley cert``"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def cert(
    folder: Annotated[
        Path, typer.Option("--out", help="Folder for cert.pem and key.pem.", show_default="here")
    ] = Path(),
    name: Annotated[
        list[str] | None, typer.Option(help="Further host name or address to be valid for; may be repeated.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=825, help="How long it is valid.")] = 365,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
) -> None:
    """Make a self-signed certificate for a LAN. Browsers warn until it is trusted; the microphone works then."""
    from server.security.certificate import local_names, self_signed

    cert_path, key_path = folder / "cert.pem", folder / "key.pem"
    taken = [path for path in (cert_path, key_path) if path.exists()]
    if taken and not force:
        typer.echo(f"parley: {taken[0]} is there already: use --force or another --out", err=True)
        raise typer.Exit(1)
    names = [*local_names(), *(name or [])]
    pair = self_signed(names, days=days)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(pair.key_pem)
        cert_path.write_bytes(pair.cert_pem)
    except OSError as error:
        typer.echo(f"parley: cannot write to {folder}: {error.strerror}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"wrote {cert_path} and {key_path}, valid {days} days for {', '.join(names)}")
    typer.echo(
        f"parley serve --host 0.0.0.0 --tls-cert {cert_path} --tls-key {key_path}   (needs PARLEY_SERVER_API_KEY)"
    )
