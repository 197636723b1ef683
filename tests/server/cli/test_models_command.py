"""``parley models list`` and ``parley models fetch`` as an operator meets them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from server import models
from server.cli.models import app
from server.models import CATALOGUE
from tests.server.fake_hub import FakeHub, fake_hub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARLEY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf"))
    with fake_hub() as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


def test_fetching_tells_what_it_does(hub: FakeHub, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["fetch", "tiny", "--yes"])
    assert result.exit_code == 0, result.output
    assert "Systran/faster-whisper-tiny at 5a1d9c0ffe" in result.output
    assert "licence MIT" in result.output and str(tmp_path / "data" / "models") in result.output
    assert "100 %" in result.output and "complete and checked" in result.output
    assert result.output.count(" MB  ") <= 11
    asked = len(hub.requests)
    again = CliRunner().invoke(app, ["fetch", "tiny", "--yes"])
    assert (again.exit_code, len(hub.requests)) == (0, asked) and "already" in again.output
    assert CliRunner().invoke(app, ["fetch", "tiny", "--yes", "--again"]).exit_code == 0
    assert len(hub.requests) > asked


@pytest.mark.usefixtures("hub")
def test_nothing_is_fetched_without_a_yes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unasked = CliRunner().invoke(app, ["fetch", "tiny"])
    assert unasked.exit_code == 2 and "--yes" in unasked.output
    monkeypatch.setattr("server.cli.models._somebody_is_there", lambda: True)
    refused = CliRunner().invoke(app, ["fetch", "tiny"], input="n\n")
    assert refused.exit_code == 2
    assert not (tmp_path / "data" / "models").exists()
    assert CliRunner().invoke(app, ["fetch", "tiny"], input="y\n").exit_code == 0


@pytest.mark.usefixtures("hub")
def test_what_cannot_be_fetched_is_one_line_and_exit_code_1() -> None:
    result = CliRunner().invoke(app, ["fetch", "enormous", "--yes"])
    assert result.exit_code == 1
    assert result.output.startswith("parley: There is no model 'enormous'")


@pytest.mark.usefixtures("hub")
def test_an_interrupt_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(models, "fetch", interrupted)
    result = CliRunner().invoke(app, ["fetch", "tiny", "--yes"])
    assert result.exit_code == 130 and "goes on from there" in result.output


@pytest.mark.usefixtures("hub")
def test_the_list_shows_what_is_on_disk(tmp_path: Path) -> None:
    empty = CliRunner().invoke(app, ["list"])
    assert empty.exit_code == 0 and "parley models fetch small" in empty.output
    assert all(model.name in empty.output for model in CATALOGUE)
    CliRunner().invoke(app, ["fetch", "tiny", "--yes"])
    folder = tmp_path / "data" / "models" / "tiny"
    assert str(folder) in CliRunner().invoke(app, ["list"]).output
    entries = {entry["name"]: entry for entry in json.loads(CliRunner().invoke(app, ["list", "--json"]).output)}
    assert len(entries) == len(CATALOGUE)
    assert entries["tiny"]["path"] == str(folder) and entries["small"]["path"] is None
    assert entries["small"]["licence"] == "MIT" and entries["small"]["megabytes"] > 400
