"""Released folders, loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.echomimic.config import TINY, EchoMimicConfig, GuideConfig  # noqa: E402
from avatar.echomimic.denoising_unet import DenoisingUNet  # noqa: E402
from avatar.echomimic.networks import Networks, on_meta, synthetic_networks  # noqa: E402
from avatar.echomimic.released import Variant, complete_variants, missing_files, release  # noqa: E402
from avatar.echomimic.weights import Layers, load_denoiser, load_networks  # noqa: E402
from avatar.errors import WeightsError  # noqa: E402
from tests.avatar.echomimic.released_folder import save, write_released  # noqa: E402

MASK = EchoMimicConfig(
    unet=TINY.unet,
    whisper=TINY.whisper,
    guide=GuideConfig(1, TINY.guide.channels),
    vae=TINY.vae,
    tiny_vae=TINY.tiny_vae,
)


@pytest.fixture
def folder(tmp_path: Path, tiny: Networks) -> Path:
    return write_released(tmp_path / "weights", tiny)


def load(folder: Path, variant: Variant = Variant.V2, **settings: object) -> Networks:
    return load_networks(folder, variant, config=settings.pop("config", TINY), **settings)


def test_what_was_saved_is_what_is_loaded(folder: Path, tiny: Networks) -> None:
    told: list[str] = []
    loaded = load(folder, progress=told.append)
    assert told[:4] == ["denoising_unet.pth", "motion_module.pth", "reference_unet.pth", "pose_encoder.pth"]
    assert not loaded.synthetic and loaded.tiny_vae is not None
    for ours, theirs in zip(loaded.modules(), tiny.modules(), strict=True):
        assert not ours.training and not any(value.requires_grad for value in ours.parameters())
        for (name, value), (other, wanted) in zip(ours.state_dict().items(), theirs.state_dict().items(), strict=True):
            assert name == other
            half = (
                ours is not loaded.vae.network
                and "whisper" not in type(ours).__module__
                and ours is not loaded.tiny_vae.network
            )
            assert torch.equal(value, wanted.half().float() if half else wanted), name


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_precision_is_chosen_on_loading(folder: Path, dtype: torch.dtype) -> None:
    loaded = load(folder, dtype=dtype)
    for module in loaded.modules():
        assert {value.dtype for value in module.state_dict().values()} == {dtype}, type(module)


@pytest.mark.parametrize("variant", Variant)
def test_every_variant_has_its_own_files(variant: Variant, tmp_path: Path, tiny: Networks) -> None:
    audio_mode = variant in (Variant.V1_AUDIO, Variant.V1_AUDIO_ACCELERATED)
    config = MASK if audio_mode else TINY
    folder = write_released(tmp_path, synthetic_networks(MASK) if audio_mode else tiny, variant)
    assert variant in complete_variants(folder)
    loaded = load(folder, variant, config=config)
    assert loaded.guide.in_channels == release(variant).config.guide.in_channels


def test_how_the_variants_are_run() -> None:
    v2, fast, audio, pose = (
        release(v) for v in (Variant.V2, Variant.V2_ACCELERATED, Variant.V1_AUDIO, Variant.V1_POSE_ACCELERATED)
    )
    assert (v2.steps, v2.guidance, v2.size, v2.seed, v2.shift, v2.noise_limit) == (30, 2.5, 768, 3407, 3, 1.5)
    assert (fast.steps, fast.guidance, fast.denoiser.path) == (6, 1.0, "denoising_unet_acc.pth")
    assert (audio.size, audio.shift, audio.noise_limit, audio.guide.path) == (512, 2, 1.5, "face_locator.pth")
    assert (pose.shift, pose.noise_limit, pose.motion.path) == (3, None, "motion_module_pose_acc.pth")


def test_missing_files_are_listed_with_where_to_get_them(folder: Path) -> None:
    (folder / "reference_unet.pth").unlink()
    (folder / "audio_processor" / "tiny.pt").unlink()
    with pytest.raises(WeightsError) as told:
        load(folder)
    assert told.value.code == "weights_missing"
    text = str(told.value)
    assert "lacks 2 of the files of v2" in text
    assert "reference_unet.pth  from https://huggingface.co/BadToBest/EchoMimicV2 (1630 MB, Apache-2.0" in text
    assert "audio_processor/tiny.pt  from https://openaipublic" in text and "75 MB, MIT" in text
    assert f"parley echomimic fetch v2 {folder}" in text


def test_no_folder_at_all(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="There is no folder of weights") as told:
        load(tmp_path / "nowhere")
    assert told.value.code == "weights_missing"
    assert len(missing_files(tmp_path / "nowhere", Variant.V2)) == 7


def test_taesd_may_be_missing(folder: Path) -> None:
    for path in (folder / "taesd").iterdir():
        path.unlink()
    assert load(folder).tiny_vae is None


def test_safetensors_go_first(folder: Path, tiny: Networks) -> None:
    from safetensors.torch import save_file

    save_file(dict(tiny.guide.state_dict()), folder / "pose_encoder.safetensors")
    (folder / "pose_encoder.pth").write_bytes(b"not looked at")
    assert torch.equal(load(folder).guide.conv_in.weight, tiny.guide.conv_in.weight)


@pytest.mark.parametrize("file", ["denoising_unet.pth", "motion_module.pth", "reference_unet.pth", "pose_encoder.pth"])
def test_a_missing_and_an_unknown_name_are_errors(folder: Path, file: str) -> None:
    tensors = torch.load(folder / file, weights_only=True)
    lost = next(name for name in tensors if not name.endswith("pos_encoder.pe"))
    save(folder / file, {name: value for name, value in tensors.items() if name != lost})
    with pytest.raises(WeightsError, match=rf"missing \(1\): {lost}"):
        load(folder)
    save(folder / file, {**tensors, "surprise.weight": torch.ones(1)})
    with pytest.raises(WeightsError, match=r"unknown \(1\): surprise.weight"):
        load(folder)
    save(folder / file, {**tensors, lost: torch.ones(1, 2, 3)})
    with pytest.raises(WeightsError, match=rf"{lost} is \[1, 2, 3\] instead of"):
        load(folder)


def denoiser_layers(folder: Path, base: Path | None) -> tuple[DenoisingUNet, Layers]:
    network = on_meta(lambda: DenoisingUNet(TINY.unet))
    layers = load_denoiser(network, folder / "denoising_unet.pth", folder / "motion_module.pth", base, torch.float32)
    return network, layers


def test_the_denoisers_layers(folder: Path, tmp_path: Path) -> None:
    own = torch.load(folder / "denoising_unet.pth", weights_only=True)
    motion = torch.load(folder / "motion_module.pth", weights_only=True)
    absent = tmp_path / "never-opened.bin"
    _, layers = denoiser_layers(folder, absent)
    assert layers == Layers(denoiser=len(own), motion=len(motion), base=0)
    # The last layer wins, as it does in the original.
    name = next(iter(motion))
    save(folder / "denoising_unet.pth", {**own, name: torch.full_like(motion[name], 5.0)})
    network, layers = denoiser_layers(folder, None)
    assert layers.motion == len(motion) - 1 and (network.state_dict()[name] == 5).all()


def test_the_base_fills_what_no_other_file_has(folder: Path, tmp_path: Path) -> None:
    own = torch.load(folder / "denoising_unet.pth", weights_only=True)
    base = tmp_path / "base.bin"
    wanted = {"conv_in.bias": torch.full_like(own["conv_in.bias"], 7.0)}
    wrong_shape = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"
    save(
        base,
        {
            **wanted,
            wrong_shape: torch.ones(16, 768),
            "conv_in.weight": torch.zeros(16, 4, 3, 3),
            "not.ours": torch.ones(1),
        },
    )
    save(folder / "denoising_unet.pth", {name: value for name, value in own.items() if name != "conv_in.bias"})
    network, layers = denoiser_layers(folder, base)
    assert layers.base == 1 and (network.conv_in.bias == 7).all()
    assert torch.equal(network.conv_in.weight, own["conv_in.weight"].float()), "what the file has is the file's"
    save(folder / "denoising_unet.pth", {name: value for name, value in own.items() if name != wrong_shape})
    with pytest.raises(
        WeightsError, match=rf"denoising_unet.pth with motion_module.pth over base.bin.*missing \(1\): {wrong_shape}"
    ):
        denoiser_layers(folder, base)


def test_position_tables_may_be_in_the_file_or_not(folder: Path, tiny: Networks) -> None:
    motion = torch.load(folder / "motion_module.pth", weights_only=True)
    save(folder / "motion_module.pth", {name: value for name, value in motion.items() if not name.endswith(".pe")})
    loaded = load(folder)
    for name, value in tiny.denoiser.named_buffers():
        assert torch.equal(loaded.denoiser.get_buffer(name), value)


def test_the_names_that_older_releases_of_diffusers_gave_to_attention(folder: Path, tiny: Networks) -> None:
    """sd-vae-ft-mse was published with query, key, value and proj_attn."""
    from safetensors.torch import load_file, save_file

    path = folder / "sd-vae-ft-mse" / "diffusion_pytorch_model.safetensors"
    old = {}
    for name, value in load_file(path).items():
        for now, then in (
            (".to_q.", ".query."),
            (".to_k.", ".key."),
            (".to_v.", ".value."),
            (".to_out.0.", ".proj_attn."),
        ):
            name = name.replace(now, then)
        old[name] = value
    assert any(".proj_attn." in name for name in old)
    save_file(old, path, metadata={"format": "pt"})
    loaded = load(folder).vae.network.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in tiny.vae.network.state_dict().items())


@pytest.mark.parametrize("fault", ["config", "names", "cut"])
def test_a_damaged_vae(folder: Path, fault: str) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "sd-vae-ft-mse" / "diffusion_pytorch_model.safetensors"
    if fault == "config":
        (path.parent / "config.json").write_text("{")
    elif fault == "names":
        tensors = load_file(path)
        save_file(
            {name: value for name, value in tensors.items() if name != "quant_conv.bias"},
            path,
            metadata={"format": "pt"},
        )
    else:
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="sd-vae-ft-mse"):
        load(folder)


def test_another_size_of_whisper(folder: Path) -> None:
    content = torch.load(folder / "audio_processor" / "tiny.pt", weights_only=True)
    content["model_state_dict"]["encoder.conv1.bias"] = torch.zeros(512)
    save(folder / "audio_processor" / "tiny.pt", content)
    with pytest.raises(WeightsError, match=r"encoder.conv1.bias is \[512\] instead of \[32\]"):
        load(folder)


def test_synthetic_networks_say_so(tiny: Networks) -> None:
    assert tiny.synthetic
    assert json.dumps(TINY.unet.channels) == "[16, 24, 32, 32]"
    picture = tiny.vae.decode(torch.zeros(1, 4, 8, 8))
    assert picture.shape == (1, 3, 64, 64) and 0 <= float(picture.min()) <= float(picture.max()) <= 1
    assert tiny.tiny_vae is not None and tiny.tiny_vae.decode(torch.zeros(2, 4, 8, 8)).shape == (2, 3, 64, 64)
