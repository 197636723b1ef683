"""Puts the subcommands together; each lives in a file of its own and imports what is heavy only when it runs."""

from __future__ import annotations

import importlib.metadata
import sys
from typing import Annotated

import typer

from server.cli import avatar, bench, distill, echomimic, models, motion
from server.cli.cert import cert
from server.cli.doctor import doctor
from server.cli.render import render
from server.cli.serve import serve
from server.config import ConfigError

app = typer.Typer(
    name="parley",
    help="Give a conversation a face.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve)
app.command()(doctor)
app.command()(cert)
app.command()(render)
app.add_typer(avatar.app, name="avatar", help="Create, list, check and remove personas.")
app.add_typer(bench.app, name="bench", help="Measure this machine; results as a table and as JSON.")
app.add_typer(distill.app, name="distill", help="Fewer steps: prepare clips, and distil EchoMimic's denoiser on them.")
app.add_typer(
    echomimic.app,
    name="echomimic",
    help="EchoMimic's weights, pose sequences and personas: fetch, check, convert, prepare.",
)
app.add_typer(models.app, name="models", help="List and fetch speech models.")
app.add_typer(motion.app, name="motion", help="Capture, train and measure what moves the avatar.")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"parley {importlib.metadata.version('parley')}")
        raise typer.Exit


@app.callback()
def _parley(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 could not be done, 2 wrong usage or configuration, 130 interrupted."""
    try:
        app()
    except ConfigError as error:
        print(f"parley: {error}", file=sys.stderr)
        sys.exit(2)
