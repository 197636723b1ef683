"""Identifiers in the Realtime protocol's manner: a prefix that tells the kind, then 96 random bits."""

from __future__ import annotations

import secrets


def new_id(prefix: str) -> str:
    """Unguessable."""
    return f"{prefix}_{secrets.token_hex(12)}"


def new_event_id() -> str:
    return new_id("event")
