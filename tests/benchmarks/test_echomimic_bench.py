"""The measurement of EchoMimic runs, reduced; its figures add up."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.echomimic.options import Continuity, LiveDecoder, Speedup  # noqa: E402
from benchmarks import echomimic  # noqa: E402
from benchmarks.echomimic import Plan, measure  # noqa: E402
from benchmarks.echomimic_floor import (  # noqa: E402
    Operations,
    computed_before_first,
    h200_floor,
    released_operations,
    sound_before_first_ms,
)

PLAN = Plan(
    (64,), (1,), (LiveDecoder.TAESD,), (1, 2), (Continuity.STORED, Continuity.CARRIED, Continuity.ROLLING), Speedup.NONE
)


def test_every_combination_is_measured_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(echomimic, "DRAWS", 1)
    monkeypatch.setattr(echomimic, "released_operations", lambda size: Operations(1.2, 0.1, 2.5))
    report = measure(PLAN)
    costs = report.data["costs"]
    assert [(cost["continuity"], cost["batch"]) for cost in costs] == [
        ("stored", 1), ("stored", 2), ("carried", 1), ("carried", 2), ("rolling", 1), ("rolling", 2)
    ]  # fmt: skip
    for cost in costs:
        assert cost["fps"] == pytest.approx(9000 * cost["batch"] / cost["window_ms"])
        apart = {"denoise"} if cost["continuity"] == "stored" else set()
        assert set(cost["stage_ms"]) == {"sound", "hands", "decode"} | apart
        assert cost["window_tflop"] > 0 and cost["floor_fps"] > cost["fps"] * 0.5
    assert costs[1]["window_tflop"] == pytest.approx(2 * costs[0]["window_tflop"], rel=0.01)
    assert "tiny networks" in report.text()
    assert report.write(tmp_path).is_file()


def test_what_a_live_frame_takes() -> None:
    count = Operations(denoiser=1.2, taesd=0.1, vae=2.5)
    assert count.frame(4, count.taesd, Continuity.STORED) == pytest.approx(4 * 1.2 * 12 / 9 + 0.1)
    assert count.frame(4, count.vae, Continuity.CARRIED) == pytest.approx(4 * 1.2 + 2.5)


def test_the_floor_is_operations_over_a_rate() -> None:
    """4 steps at 12/9 of 1.2 TFLOP and 0.1: 6.5 TFLOP are 6.57 ms at 989 TFLOP/s."""
    count = Operations(denoiser=1.2, taesd=0.1, vae=2.5)
    assert h200_floor(count, 4, count.taesd) == (
        "data sheet 6.6 ms a frame, 152 fps; matrix products 8.2 ms a frame, 122 fps; half of those 16.5 ms a frame, 61 fps"
    )


def test_what_must_be_there_before_the_first_frame() -> None:
    assert [sound_before_first_ms(6, way) for way in Continuity] == [480, 480, 480, 680]
    assert [computed_before_first(6, way) for way in Continuity] == [72, 72, 72, 84]
    assert sound_before_first_ms(1, Continuity.ROLLING) == 480
    assert Operations(1.0, 0.0, 0.0).frame(6, 0.0, Continuity.ROLLING) == 6.0


@pytest.mark.slow
def test_operations_of_the_released_networks_are_those_counted_on_the_originals() -> None:
    """1.254 a frame and step on the original's modules, less 0.026 for the reference's projections, which are kept here."""
    count = released_operations(512)
    assert count.denoiser == pytest.approx(1.254 - 0.026, rel=0.002)
    assert count.taesd == pytest.approx(0.141, rel=0.01)
    assert count.vae == pytest.approx(2.515, rel=0.01)
