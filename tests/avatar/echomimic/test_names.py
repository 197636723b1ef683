"""Every parameter has the released name and shape."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.echomimic.config import GuideConfig  # noqa: E402
from avatar.echomimic.denoising_unet import DenoisingUNet  # noqa: E402
from avatar.echomimic.networks import on_meta  # noqa: E402
from avatar.echomimic.pose_encoder import PoseEncoder  # noqa: E402
from avatar.echomimic.reference_unet import ReferenceUNet  # noqa: E402
from avatar.echomimic.vae import build_vae  # noqa: E402
from avatar.echomimic.whisper import DECODER_PREFIX, Whisper  # noqa: E402

BUILD: dict[str, Callable[[], Any]] = {
    "denoising_unet": DenoisingUNet,
    "reference_unet": ReferenceUNet,
    "pose_encoder": PoseEncoder,
    "audio_whisper_tiny": Whisper,
    "sd_vae_ft_mse": build_vae,
}


@pytest.fixture(scope="module")
def released(fixtures: Path) -> dict[str, dict[str, Any]]:
    with gzip.open(fixtures / "echomimic_v2_state_dicts.json.gz", "rt") as file:
        return json.load(file)


@pytest.mark.parametrize("name", BUILD)
def test_names_and_shapes(name: str, released: dict[str, dict[str, Any]]) -> None:
    theirs = {
        key: entry["shape"]
        for key, entry in released[name].items()
        if name != "audio_whisper_tiny" or not key.startswith(DECODER_PREFIX)
    }
    network = on_meta(BUILD[name])
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == theirs


def test_parameters_and_buffers_are_told_apart(released: dict[str, dict[str, Any]]) -> None:
    buffers = {key for key, entry in released["denoising_unet"].items() if entry["kind"] == "buffer"}
    assert {name for name, _ in on_meta(DenoisingUNet).named_buffers()} == buffers and len(buffers) == 42


def test_which_file_a_name_is_expected_in(released: dict[str, dict[str, Any]]) -> None:
    for name, entry in released["denoising_unet"].items():
        assert (entry["file"] == "motion_module") == (".motion_modules." in name)


def test_sizes_that_the_authors_logs_tell() -> None:
    """smthemex/ComfyUI_EchoMimic issue 113 shows "453.20928M-parameter motion module"."""
    motion = [value.numel() for name, value in on_meta(DenoisingUNet).named_parameters() if ".motion_modules." in name]
    assert sum(motion) == 453_209_280
    assert sum(value.numel() for value in on_meta(ReferenceUNet).parameters()) == 815_521_280


@pytest.mark.parametrize(("channels", "parameters"), [(1, 1_086_192), (3, 1_086_480)])
def test_v1_face_locators_are_pose_encoders(channels: int, parameters: int) -> None:
    """float32 files of 4.35 MB: audio mode sees one mask, pose mode three drawn channels."""
    locator = on_meta(lambda: PoseEncoder(320, GuideConfig(in_channels=channels)))
    assert locator.conv_in.weight.shape == (16, channels, 3, 3)
    assert sum(value.numel() for value in locator.parameters()) == parameters
    assert 4 * parameters == pytest.approx(4.35e6, rel=0.002)


def test_position_tables_have_values_on_the_meta_device() -> None:
    network = on_meta(lambda: Whisper())
    table = network.encoder.positional_embedding
    assert table.device.type == "cpu"
    assert table[0].tolist() == [0.0] * 192 + [1.0] * 192
    assert float(table[1, 0]) == pytest.approx(0.841471)
