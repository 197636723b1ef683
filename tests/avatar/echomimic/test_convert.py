"""Released files to clean safetensors."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.echomimic.config import TINY  # noqa: E402
from avatar.echomimic.convert import convert_weights  # noqa: E402
from avatar.echomimic.networks import Networks  # noqa: E402
from avatar.echomimic.released import Variant  # noqa: E402
from avatar.echomimic.weights import load_networks  # noqa: E402
from avatar.errors import WeightsError  # noqa: E402
from tests.avatar.echomimic.released_folder import save, write_released  # noqa: E402


@pytest.fixture
def folder(tmp_path: Path, tiny: Networks) -> Path:
    return write_released(tmp_path / "released", tiny)


def test_the_new_folder_loads_as_the_old(folder: Path, tmp_path: Path) -> None:
    into = tmp_path / "clean"
    written = convert_weights(folder, into, Variant.V2, config=TINY)
    assert not [path for path in into.rglob("*") if path.is_file() and path.suffix not in (".safetensors", ".json")]
    assert {one.path.name for one in written} >= {"denoising_unet.safetensors", "tiny.safetensors"}
    old, new = (load_networks(one, Variant.V2, config=TINY) for one in (folder, into))
    for before, after in zip(old.modules(), new.modules(), strict=True):
        for name, value in before.state_dict().items():
            assert torch.equal(after.state_dict()[name], value), name


def test_views_into_a_large_buffer_become_small(folder: Path, tmp_path: Path) -> None:
    written = convert_weights(folder, tmp_path / "clean", Variant.V2, config=TINY)
    guide = next(one for one in written if one.path.name == "pose_encoder.safetensors")
    assert guide.before > 200_000 > 30_000 > guide.after and guide.tensors == 16


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, None])
def test_precision(folder: Path, tmp_path: Path, dtype: torch.dtype | None) -> None:
    from safetensors.torch import load_file

    convert_weights(folder, tmp_path / "clean", Variant.V2, config=TINY, dtype=dtype)
    found = {value.dtype for value in load_file(tmp_path / "clean" / "motion_module.safetensors").values()}
    assert found == {dtype or torch.float16}


def test_what_does_not_fit_is_not_written(folder: Path, tmp_path: Path) -> None:
    tensors = torch.load(folder / "denoising_unet.pth", weights_only=True)
    save(folder / "denoising_unet.pth", {**tensors, "surprise": torch.ones(1)})
    with pytest.raises(WeightsError, match="surprise"):
        convert_weights(folder, tmp_path / "clean", Variant.V2, config=TINY)
    assert not (tmp_path / "clean" / "denoising_unet.safetensors").exists()


def test_not_onto_itself(folder: Path) -> None:
    with pytest.raises(WeightsError, match="name another folder"):
        convert_weights(folder, folder, Variant.V2, config=TINY)
    with pytest.raises(WeightsError, match="no folder of weights"):
        convert_weights(folder / "nowhere", folder, Variant.V2, config=TINY)
