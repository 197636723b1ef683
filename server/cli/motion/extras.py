"""What some of these commands need besides the base install."""

from __future__ import annotations

from importlib.util import find_spec

import typer

from server.cli.failure import ExitCode

TRAINING = ("torch", "diffusers", "safetensors")


def require_training() -> None:
    """Go on where the ``train`` extra is installed; else say in one line how to install it, and leave.

    Raises:
        typer.Exit: code 4.
    """
    missing = [name for name in TRAINING if find_spec(name) is None]
    if missing:
        typer.echo(
            f'parley: this needs {", ".join(missing)}, not installed here: pip install "parley[train]"', err=True
        )
        raise typer.Exit(ExitCode.TOOL_MISSING)
