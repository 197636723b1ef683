"""Released weights into networks: strict, named, and checked for completeness where the original loads in layers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

from avatar.echomimic.checkpoint import check_names, load_strict, read_tensors
from avatar.echomimic.config import EchoMimicConfig
from avatar.echomimic.denoising_unet import DenoisingUNet
from avatar.echomimic.networks import Networks, on_meta
from avatar.echomimic.pose_encoder import PoseEncoder
from avatar.echomimic.reference_unet import ReferenceUNet
from avatar.echomimic.released import ReleasedFile, Variant, missing_files, release, stored
from avatar.echomimic.vae import FullVAE, TinyVAE
from avatar.echomimic.whisper import DECODER_PREFIX, Whisper
from avatar.errors import WeightsError

Progress = Callable[[str], None]
VAE = TypeVar("VAE", AutoencoderKL, AutoencoderTiny)


@dataclass(frozen=True, slots=True)
class Layers:
    """How many of the denoiser's tensors came from which file.

    Attributes:
        denoiser: from denoising_unet (which goes before the others).
        motion: from motion_module.
        base: from sd-image-variations, for what neither has.
    """

    denoiser: int
    motion: int
    base: int


def load_networks(
    folder: Path,
    variant: Variant,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    config: EchoMimicConfig | None = None,
    progress: Progress | None = None,
) -> Networks:
    """Load a variant from a folder in the released layout.

    Args:
        folder: e.g. ``pretrained_weights`` of the original.
        variant: which weights.
        device: where to.
        dtype: float32, float16 or bfloat16.
        config: widths; the variant's own by default.
        progress: told the name of each file as it is read.

    Raises:
        WeightsError: files are missing (all are named, with where to get them), damaged, or hold other names or shapes.
    """
    check_complete(folder, variant)
    of = release(variant)
    config = config or of.config
    tell = progress or (lambda name: None)

    def found(file: ReleasedFile) -> Path:
        path = stored(folder, file)
        assert path is not None  # check_complete saw to it
        tell(path.name)
        return path

    denoiser = on_meta(lambda: DenoisingUNet(config.unet))
    load_denoiser(denoiser, found(of.denoiser), found(of.motion), stored(folder, of.base), dtype)
    denoiser.to(device)
    reference = on_meta(lambda: ReferenceUNet(config.unet))
    path = found(of.reference)
    load_strict(reference, read_tensors(path), str(path), dtype)
    guide = on_meta(lambda: PoseEncoder(config.unet.channels[0], config.guide))
    path = found(of.guide)
    load_strict(guide, read_tensors(path), str(path), dtype)
    networks = Networks(
        config=config,
        denoiser=denoiser,
        reference=reference.to(device),
        guide=guide.to(device),
        whisper=load_whisper(found(of.whisper), config, dtype),
        vae=FullVAE(_load_vae(found(of.vae).parent, AutoencoderKL, dtype)),
        tiny_vae=None,
    )
    if stored(folder, of.tiny_vae) is not None and stored(folder, of.tiny_vae_config) is not None:
        networks.tiny_vae = TinyVAE(_load_vae(found(of.tiny_vae).parent, AutoencoderTiny, dtype))
    return networks.to(device, dtype)


def check_complete(folder: Path, variant: Variant) -> None:
    """Raises:
    WeightsError: code ``weights_missing``; lists what is not in the folder, and where to get each.
    """
    if not folder.is_dir():
        raise WeightsError(
            f"There is no folder of weights at {folder}. `parley echomimic fetch {variant} {folder}` makes one.",
            code="weights_missing",
        )
    missing = missing_files(folder, variant)
    if missing:
        listed = "\n".join(f"  {file.path}  from {file.where()}" for file in missing)
        raise WeightsError(
            f"{folder} lacks {len(missing)} of the files of {variant}:\n{listed}\n"
            f"`parley echomimic fetch {variant} {folder}` gets them.",
            code="weights_missing",
        )


def load_denoiser(
    denoiser: DenoisingUNet, denoiser_file: Path, motion_file: Path, base_file: Path | None, dtype: torch.dtype
) -> Layers:
    """The original's three layers, with every name accounted for.

    The original starts from sd-image-variations where shapes match, lays the motion modules over it and then
    denoising_unet, without looking whether all that is left has come from anywhere. The result is the same here, but
    a name that no file has is an error; and the base, which the released files cover wholly, is only opened if needed.

    Raises:
        WeightsError: a file has names that the network has not, another shape, or a name is in none of the files.
    """
    motion, own = read_tensors(motion_file), read_tensors(denoiser_file)
    names = denoiser.state_dict()
    check_names(denoiser, motion, str(motion_file), optional=names.keys())
    check_names(denoiser, own, str(denoiser_file), optional=names.keys())
    together = {**motion, **own}
    files = f"{denoiser_file.name} with {motion_file.name}"
    base: dict[str, torch.Tensor] = {}
    if base_file is not None and any(name not in together for name, _ in denoiser.named_parameters()):
        base = {
            name: tensor
            for name, tensor in read_tensors(base_file).items()
            if name in names and name not in together and tensor.shape == names[name].shape
        }
        files += f" over {base_file.name}"
    load_strict(denoiser, {**base, **together}, files, dtype)
    return Layers(denoiser=len(own), motion=len(motion.keys() - own.keys()), base=len(base))


def load_whisper(path: Path, config: EchoMimicConfig, dtype: torch.dtype) -> Whisper:
    """The encoder of an OpenAI checkpoint; its decoder is left aside.

    Raises:
        WeightsError: it is of another size of Whisper, or no Whisper.
    """
    whisper = on_meta(lambda: Whisper(config.whisper))
    tensors = {name: value for name, value in read_tensors(path).items() if not name.startswith(DECODER_PREFIX)}
    load_strict(whisper, tensors, str(path), dtype)
    return whisper


def _load_vae(folder: Path, kind: type[VAE], dtype: torch.dtype) -> VAE:
    """Through diffusers, which knows the names its older releases gave to attention.

    Raises:
        WeightsError: names are missing or too much.
    """
    try:
        json.loads((folder / "config.json").read_text("utf-8"))
        loaded: Any = kind.from_pretrained(
            folder, torch_dtype=dtype, local_files_only=True, output_loading_info=True, low_cpu_mem_usage=False
        )
        network, report = loaded
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{folder} cannot be loaded as {kind.__name__}: {reason}") from None
    faults = [f"{fault}: {', '.join(sorted(names)[:5])}" for fault, names in _faults(report) if names]
    if faults:
        raise WeightsError(f"{folder} does not fit {kind.__name__}. {'; '.join(faults)}.")
    network.eval().requires_grad_(False)
    return cast(VAE, network)


def _faults(report: dict[str, list[str]]) -> list[tuple[str, list[str]]]:
    return [("missing", list(report["missing_keys"])), ("unknown", list(report["unexpected_keys"]))]
