"""``parley echomimic``: weights as an operator meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from server.cli.echomimic import app
from tests.avatar.echomimic.test_hub import FakeHub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    fake = FakeHub()
    monkeypatch.setattr("avatar.echomimic.hub.HuggingFace", lambda: fake)
    return fake


def test_fetching_tells_sizes_licences_and_the_authors_disclaimer_first(hub: FakeHub, tmp_path: Path) -> None:
    hub.repositories["BadToBest/EchoMimicV2"]["denoising_unet_acc.pth"] = 3_400_000
    result = CliRunner().invoke(app, ["fetch", "v2-accelerated", str(tmp_path)])
    assert result.exit_code == 2 and "--yes" in result.output and not hub.fetched, "nobody said yes"
    assert "3 MB  denoising_unet_acc.pth  from BadToBest/EchoMimicV2 (Apache-2.0" in result.output
    assert "academic research" in result.output and f"in all, into {tmp_path}" in result.output
    result = CliRunner().invoke(app, ["fetch", "v2-accelerated", str(tmp_path), "--yes"])
    assert result.exit_code == 0 and "has all files of v2-accelerated" in result.output, result.output
    again = CliRunner().invoke(app, ["fetch", "v2-accelerated", str(tmp_path)])
    assert again.exit_code == 0 and again.output.count("\n") == 1


def test_what_cannot_be_fetched_is_one_line(hub: FakeHub, tmp_path: Path) -> None:
    del hub.repositories["BadToBest/EchoMimicV2"]["motion_module.pth"]
    result = CliRunner().invoke(app, ["fetch", "v2", str(tmp_path), "--yes"])
    assert result.exit_code == 1
    assert result.output == "parley: BadToBest/EchoMimicV2 has no file motion_module.pth.\n"


def test_checking_a_folder(hub: FakeHub, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert result.exit_code == 1 and "v2: lacks denoising_unet.pth, motion_module.pth" in result.output
    CliRunner().invoke(app, ["fetch", "v2", str(tmp_path), "--yes"])
    result = CliRunner().invoke(app, ["check", str(tmp_path), "--json"])
    assert result.exit_code == 0
    report = json.loads(result.output)
    assert report["v2"] == [] and report["v2-accelerated"] == ["denoising_unet_acc.pth", "motion_module_acc.pth"]


def test_converting_what_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the gpu extra is not installed")
    result = CliRunner().invoke(app, ["convert", str(tmp_path), str(tmp_path / "clean"), "--variant", "v1-audio"])
    assert result.exit_code == 1
    assert "lacks 7 of the files of v1-audio" in result.output and "face_locator.pth" in result.output


def test_converting_without_torch_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.cli.echomimic.find_spec", lambda name: None)
    result = CliRunner().invoke(app, ["convert", str(tmp_path), str(tmp_path / "clean")])
    assert result.exit_code == 4 and 'pip install "parley[gpu]"' in result.output
