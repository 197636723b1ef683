"""``parley motion synthesize``: its options, what it prints, and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from avatar.motion.training.scenes import shards as scenes
from avatar.motion.training.synthesis import synthesis
from server.cli.main import app

CONTENTS = {"contents": {"train": {"hours": 12.0, "utterances": 9, "speakers": 80}}}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    got: list[Any] = []

    def fake(
        wanted: synthesis.Wanted, *, on_seconds: Callable[[float], None], on_note: Callable[[str], None]
    ) -> dict[str, Any]:
        got.append(wanted)
        on_seconds(800.0)
        on_note("flite:awb is left out: it coughs")
        return CONTENTS

    monkeypatch.setattr(synthesis, "synthesize", fake)
    monkeypatch.setattr(scenes, "make_scenes", lambda *asked: got.append(asked))
    return got


def test_what_is_asked_for(asked: list[Any], tmp_path: Path) -> None:
    command = ["motion", "synthesize", "--out", str(tmp_path), "--hours", "2", "--renditions", "0", "--seed", "7"]
    ran = CliRunner().invoke(app, [*command, "--workers", "3"])
    assert ran.exit_code == 0, ran.output
    wanted, motion = asked
    assert motion[:4] == (tmp_path, 9.0, 7, 3)
    assert (wanted.out, wanted.hours, wanted.renditions, wanted.seed, wanted.workers) == (tmp_path, 2.0, 0, 7, 3)
    assert wanted.espeak[-1] == "streaming.speaking.espeak_helper"
    assert "train: 12.00 h, 9 utterances, 80 speakers" in ran.stdout
    assert "note: flite:awb is left out" in ran.stderr


def test_json(asked: list[Any], tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["motion", "synthesize", "--out", str(tmp_path), "--scene-hours", "0", "--json"])
    assert len(asked) == 1  # no motion was made
    assert json.loads(ran.stdout) == CONTENTS


def test_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fake(*_: object, **__: object) -> None:
        raise synthesis.SynthesisFailed("No synthesizer is installed.")

    monkeypatch.setattr(synthesis, "synthesize", fake)
    ran = CliRunner().invoke(app, ["motion", "synthesize", "--out", str(tmp_path)])
    assert ran.exit_code == 1 and "parley: No synthesizer is installed." in ran.stderr


def test_interruption(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fake(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(synthesis, "synthesize", fake)
    ran = CliRunner().invoke(app, ["motion", "synthesize", "--out", str(tmp_path)])
    assert ran.exit_code == 130 and "goes on from there" in ran.stderr
