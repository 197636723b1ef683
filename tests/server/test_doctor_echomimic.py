"""What can keep EchoMimic from drawing, and where to get it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avatar.echomimic import options as echomimic_options
from avatar.echomimic.poses import CANVAS, PoseSequence
from server.config import Settings
from server.doctor import Finding, Verdict, renderer
from server.engines import build_engines
from streaming.errors import EngineUnavailable


def findings(tmp_path: Path, **section: Any) -> list[Finding]:
    settings = Settings(
        data_dir=tmp_path / "data", avatar={"renderer": "echomimic"}, echomimic={"weights": str(tmp_path)} | section
    )
    return list(renderer.examine(settings))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Packages are there, and PyTorch's answer about the device is this one's."""
    told = [""]
    monkeypatch.setattr(echomimic_options, "find_spec", lambda name: name)
    monkeypatch.setattr(
        renderer.subprocess, "run", lambda *args, **kwargs: subprocess.CompletedProcess(args, 0, told[0], "")
    )
    return told


def test_nothing_is_said_where_another_renderer_draws(tmp_path: Path) -> None:
    assert not list(renderer.examine(Settings(data_dir=tmp_path)))


def test_missing_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(echomimic_options, "find_spec", lambda name: None if name == "diffusers" else name)
    (finding,) = findings(tmp_path)
    assert finding.verdict is Verdict.PROBLEM and "diffusers" in finding.message and "parley[gpu]" in finding.cure


def test_no_gpu_and_no_weights(tmp_path: Path) -> None:
    device, weights = findings(tmp_path)
    assert device.verdict is Verdict.PROBLEM and "no CUDA GPU" in device.message and "portrait" in device.cure
    assert (
        weights.verdict is Verdict.PROBLEM and "denoising_unet_acc.pth from https://huggingface.co" in weights.message
    )
    assert weights.cure == f"parley echomimic fetch v2-accelerated {tmp_path}"


def test_a_gpu(tmp_path: Path, quick: list[str]) -> None:
    quick[0] = "NVIDIA H200, 139 GiB\n"
    device, _ = findings(tmp_path)
    assert device.verdict is Verdict.OK and "NVIDIA H200" in device.message


def test_random_weights_are_no_problem_but_told(tmp_path: Path) -> None:
    device, weights = findings(tmp_path, weights="random")
    assert (device.verdict, weights.verdict) == (Verdict.NOTE, Verdict.NOTE) and "noise" in weights.message


def test_pose_sequences_are_opened(tmp_path: Path) -> None:
    sequence = PoseSequence(
        np.zeros((3, 2, 21, 2), np.float32),
        np.ones((3, 2, 21), np.float32),
        np.tile(np.array(CANVAS, np.int32), (3, 1)),
    )
    sequence.save(tmp_path / "poses.npz")
    (tmp_path / "idle.npz").write_bytes(b"no")
    *_, good, bad = findings(
        tmp_path, drive="sound+poses", poses=tmp_path / "poses.npz", idle_poses=tmp_path / "idle.npz"
    )
    assert good.verdict is Verdict.OK and "3 poses" in good.message
    assert bad.verdict is Verdict.PROBLEM and "idle.npz" in bad.message


def test_weights_made_for_many_steps_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from avatar.echomimic import released

    monkeypatch.setattr(released, "missing_files", lambda folder, variant: [])
    _, weights = findings(tmp_path, variant="v2")
    assert weights.verdict is Verdict.NOTE and "v2-accelerated" in weights.cure
    _, weights = findings(tmp_path, variant="v2-accelerated")
    assert weights.verdict is Verdict.OK


def test_the_server_does_not_start_without_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says what is missing at the start, not in the first conversation."""
    settings = Settings(data_dir=tmp_path, avatar={"renderer": "echomimic"})
    with pytest.raises(EngineUnavailable, match=r"denoising_unet_acc\.pth") as missing:
        build_engines(settings)
    assert "parley echomimic fetch" in str(missing.value)
    monkeypatch.setattr(echomimic_options, "find_spec", lambda name: None)
    with pytest.raises(EngineUnavailable, match=r"parley\[gpu\]"):
        build_engines(settings)
