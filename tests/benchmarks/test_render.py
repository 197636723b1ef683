"""The render benchmark runs, and says what it measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from avatar.persona import find_persona
from benchmarks.render import main, measure


def test_a_short_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "render.json"
    assert main(["helen", "--frames", "8", "--size", "256", "--json", str(out)]) == 0
    (cost,) = json.loads(out.read_text())
    assert cost["persona"] == "helen"
    assert (cost["size"], cost["framing"], cost["frames"]) == (256, "portrait", 8)
    assert 0 < cost["idle_ms"] < 1000
    assert 0 < cost["remap_ms"] < cost["speaking_ms"] <= cost["speaking_p95_ms"] * 8
    assert "helen" in capsys.readouterr().out


def test_a_folder_is_a_persona_too() -> None:
    cost = measure(find_persona("mei"), size=256, framing="half-body", frames=3)
    assert (cost.persona, cost.framing) == ("mei", "half-body")


@pytest.mark.parametrize("wrong", [["--frames", "0"], ["--size", "100"], ["--framing", "feet"]])
def test_wrong_arguments(wrong: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(["helen", *wrong])
