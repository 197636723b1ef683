"""``parley bench``: what it needs and lacks, and what it leaves behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from server.cli.main import app


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


def test_five_commands(runner: CliRunner) -> None:
    result = runner.invoke(app, ["bench", "--help"])
    assert result.exit_code == 0
    for name in ("turn", "bargein", "skew", "render", "capacity"):
        assert name in result.output


@pytest.mark.parametrize("command", ["turn", "bargein", "capacity"])
def test_no_recordings(runner: CliRunner, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_SHARED", str(tmp_path))
    result = runner.invoke(app, ["bench", command, "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "--recordings" in result.output and len(result.output.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_without_alignments(runner: CliRunner, tmp_path: Path) -> None:
    result = runner.invoke(app, ["bench", "capacity", "--recordings", str(tmp_path)])
    assert result.exit_code == 1
    assert str(tmp_path) in result.output and "aligned" in result.output


def test_no_chromium(runner: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_CHROMIUM", str(tmp_path / "none"))
    result = runner.invoke(app, ["bench", "skew", "--minutes", "0.2", "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "Chromium not found" in result.output


@pytest.mark.slow
def test_render(runner: CliRunner, tmp_path: Path) -> None:
    result = runner.invoke(app, ["bench", "render", "--avatar", "helen", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "| helen: CPU a frame at 512" in result.output
    told = json.loads((tmp_path / "render.json").read_text())
    assert told["machine"]["cores"] and told["data"]["frames"][0]["persona"] == "helen"
    assert told["data"]["video"]["seconds"] > 20


def test_render_of_nobody(runner: CliRunner, tmp_path: Path) -> None:
    result = runner.invoke(app, ["bench", "render", "--avatar", "nobody", "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "nobody" in result.output
