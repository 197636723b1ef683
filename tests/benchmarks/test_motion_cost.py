"""The cost of learned motion can be measured, with networks of a few nodes in place of the trained ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from avatar.motion.generator.hindsight import Hindsight
from benchmarks.motion_cost import main

onnx = pytest.importorskip("onnx", reason="builds small networks with onnx")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    from tests.avatar.motion.generator.fakes import hand_basis, normalisation
    from tests.avatar.motion.generator.test_weights import seal, small_encoder, small_student

    folder = tmp_path / "weights"
    folder.mkdir()
    small_encoder(folder / "encoder.onnx")
    small_student(folder / "student.onnx")
    hand_basis().save(folder / "hands.npz")
    Hindsight.none().save(folder / "hindsight.npz")
    normalisation().save(folder / "normalisation.npz")
    seal(folder)
    return folder


def test_rules_the_student_and_another_in_its_place(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, out = tmp_path / "exact.onnx", tmp_path / "cost.json"
    shutil.copy(weights / "student.onnx", other)
    assert main(["--weights", str(weights), "--student", str(other), "--seconds", "2", "--json", str(out)]) == 0
    rows = json.loads(out.read_text())
    assert [row["source"] for row in rows] == ["rules", "shipped", "exact"]
    assert all(0 < row["idle_percent"] < row["heard_percent"] < 100 for row in rows)
    assert rows[0]["hop_p50_ms"] is None, "rules draw no hops"
    assert rows[1]["hop_p50_ms"] > 0
    assert "speaking from sound" in capsys.readouterr().out


def test_too_short_to_tell(weights: Path) -> None:
    with pytest.raises(SystemExit):
        main(["--weights", str(weights), "--seconds", "1"])
