"""The protocol's page names what the code has."""

from __future__ import annotations

import re

import pytest

from avatar.motion.source import Gesture
from server.realtime.parse import MODELS
from server.realtime.session_config import MAX_INSTRUCTIONS
from tests.conftest import ROOT
from tests.server.official import OURS

PAGE = (ROOT / "docs" / "protocol.md").read_text("utf-8")
SOURCES = [
    path
    for path in (ROOT / "server").rglob("*.py")
    if "cli" not in path.parts and path.name not in ("models.py", "doctor.py")
]


@pytest.mark.parametrize("name", [*MODELS, *OURS, *Gesture])
def test_every_event_is_described(name: str) -> None:
    assert name in PAGE or f"`.{name.rsplit('.', 1)[1]}`" in PAGE


def test_every_error_code_is_listed() -> None:
    found = {code for path in SOURCES for code in re.findall(r'\bcode="([a-z_]+)"', path.read_text("utf-8"))}
    endings = re.findall(r'Ending\(\s*"([a-z_]+)", "', (ROOT / "server/realtime/lifetime.py").read_text("utf-8"))
    assert {code for code in found | set(endings) if code not in PAGE} <= {"thumbnail_not_found", "http_error"}


def test_numbers_agree() -> None:
    assert f"{MAX_INSTRUCTIONS:_}".replace("_", " ") in PAGE
