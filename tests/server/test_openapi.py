from __future__ import annotations

from server.openapi import describe, render
from tests.conftest import ROOT


def test_the_description_in_the_docs_is_current() -> None:
    written = (ROOT / "docs" / "openapi.json").read_text("utf-8")
    assert written == render(), "run: python -m server.openapi > docs/openapi.json"


def test_it_describes_what_sdks_do_not_guess() -> None:
    paths = describe()["paths"]
    created = paths["/v1/realtime/calls"]["post"]
    assert set(created["requestBody"]["content"]) == {"application/sdp", "multipart/form-data"}
    assert "Location" in created["responses"]["201"]["headers"]
    assert list(created["responses"]["201"]["content"]) == ["application/sdp"]
    assert "422" not in str(paths)
