"""``parley doctor``"""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer

from server.config import config_path, load_settings

SIGNS = {"ok": "ok     ", "note": "note   ", "problem": "PROBLEM"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Look for whatever can stop a visitor from talking here. Exit code 1 where something does."""
    from server.doctor import Verdict, examine

    settings = load_settings()
    findings = []
    if not as_json:
        typer.echo(f"configuration: {config_path() or 'no parley.toml here; defaults and PARLEY_* variables'}\n")
    for finding in examine(settings):
        findings.append(finding)
        if not as_json:
            typer.echo(f"{SIGNS[finding.verdict]}  {finding.subject}: {finding.message}")
            if finding.cure:
                typer.echo(f"         -> {finding.cure}")
    healthy = all(finding.verdict is not Verdict.PROBLEM for finding in findings)
    if as_json:
        typer.echo(json.dumps({"healthy": healthy, "findings": [dataclasses.asdict(f) for f in findings]}, indent=2))
    elif healthy:
        typer.echo("\nNothing stops a visitor from talking. Start with: parley serve")
    raise typer.Exit(0 if healthy else 1)
