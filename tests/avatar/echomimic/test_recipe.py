"""Synthetic weights are those that the fixtures were made with."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.echomimic.networks import on_meta  # noqa: E402
from avatar.echomimic.recipe import fill_by_recipe, synthetic_values  # noqa: E402


def test_the_generator(fixtures: Path) -> None:
    checks = json.loads((fixtures / "weight_checks.json").read_text())
    assert len(checks) == 20
    for name, check in checks.items():
        values = synthetic_values(*name.split("/", 1), tuple(check["shape"]))
        assert values.ravel()[:4].tolist() == check["first4"], name
        assert values.astype(np.float64).sum() == pytest.approx(check["sum64"], rel=1e-12), name
        assert zlib.crc32(values.astype("<f4").tobytes()) == check["crc32_le_float32"], name


def test_a_network_is_filled_parameter_by_parameter() -> None:
    network = on_meta(lambda: torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2)))
    fill_by_recipe(network, "some_network")
    for name, value in network.named_parameters():
        assert np.array_equal(value.numpy(), synthetic_values("some_network", name, tuple(value.shape)))
    assert not network[0].weight.requires_grad
    assert network(torch.zeros(1, 3)).isfinite().all()
