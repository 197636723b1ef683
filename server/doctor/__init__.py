"""Looks for whatever can stop a visitor from talking on this machine, and names the cure."""

from __future__ import annotations

from collections.abc import Iterator

from server.config import Settings
from server.doctor import engines, machine, network, renderer
from server.doctor.finding import Finding, Verdict

__all__ = ["Finding", "Verdict", "examine"]


def examine(settings: Settings) -> Iterator[Finding]:
    """Findings as they are made, quick ones first.

    Beyond this machine it sends one request to each endpoint that is configured; a configured voice endpoint is
    asked for one word besides.
    """
    yield from machine.examine(settings)
    yield from network.examine(settings)
    yield from renderer.examine(settings)
    yield from engines.examine(settings)
    yield machine.persona_maker()
