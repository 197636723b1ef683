"""How a command ends when it cannot do what it was asked."""

from __future__ import annotations

import json
from enum import IntEnum
from typing import Protocol

import typer


class ExitCode(IntEnum):
    """Besides 0 (done), 2 (wrong usage or configuration) and 130 (interrupted)."""

    FAILED = 1
    PICTURE_REFUSED = 3
    TOOL_MISSING = 4


class Coded(Protocol):
    """An error of one of the rooms: text for people, a stable code for programs."""

    code: str


def fail(error: Coded, *, as_json: bool = False) -> typer.Exit:
    """Tell what went wrong; raise what this returns."""
    if as_json:
        typer.echo(json.dumps({"error": {"code": error.code, "message": str(error)}}, ensure_ascii=False))
    else:
        typer.echo(f"parley: {error}", err=True)
    return typer.Exit(_EXIT.get(type(error).__name__, ExitCode.FAILED))


_EXIT = {"PhotoRefused": ExitCode.PICTURE_REFUSED, "ToolMissing": ExitCode.TOOL_MISSING}
