"""Released files to clean safetensors in the same layout: safe to open, quick to map, no larger than their content."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from avatar.echomimic.checkpoint import check_names, read_tensors, save_tensors
from avatar.echomimic.config import EchoMimicConfig
from avatar.echomimic.denoising_unet import DenoisingUNet
from avatar.echomimic.networks import on_meta
from avatar.echomimic.pose_encoder import PoseEncoder
from avatar.echomimic.reference_unet import ReferenceUNet
from avatar.echomimic.released import ReleasedFile, Variant, release, stored
from avatar.echomimic.weights import check_complete
from avatar.echomimic.whisper import DECODER_PREFIX, Whisper
from avatar.errors import WeightsError

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Converted:
    """One file.

    Attributes:
        path: what was written.
        tensors: in it.
        before, after: sizes in bytes.
    """

    path: Path
    tensors: int
    before: int
    after: int


def convert_weights(
    folder: Path,
    into: Path,
    variant: Variant,
    *,
    dtype: torch.dtype | None = None,
    config: EchoMimicConfig | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Converted]:
    """Write a variant's files as safetensors; ``load_networks`` reads the new folder as it reads the old.

    Every file is held against its network first: what is written has exactly the released names. The base that
    nothing needs and Whisper's decoder are left behind.

    Args:
        folder: in the released layout.
        into: another folder; made if need be.
        variant: which files.
        dtype: of the written weights; None keeps each file's own.
        config: widths; the variant's own by default.
        progress: told the name of each file.

    Raises:
        WeightsError: see ``load_networks``; or ``into`` is ``folder``.
    """
    if into.resolve() == folder.resolve():
        raise WeightsError(f"{into} holds the files that are converted: name another folder.")
    check_complete(folder, variant)
    of = release(variant)
    config = config or of.config
    tell = progress or (lambda name: None)
    denoiser = on_meta(lambda: DenoisingUNet(config.unet))
    motion_names = [name for name in denoiser.state_dict() if ".motion_modules." in name]
    other_names = [name for name in denoiser.state_dict() if ".motion_modules." not in name]
    reference = on_meta(lambda: ReferenceUNet(config.unet))
    guide = on_meta(lambda: PoseEncoder(config.unet.channels[0], config.guide))
    whisper = on_meta(lambda: Whisper(config.whisper))
    written = []
    for file, network, optional in (
        (of.denoiser, denoiser, motion_names),
        (of.motion, denoiser, other_names),
        (of.reference, reference, []),
        (of.guide, guide, []),
        (of.whisper, whisper, []),
    ):
        source = stored(folder, file)
        assert source is not None  # check_complete saw to it
        tell(source.name)
        tensors = {name: value for name, value in read_tensors(source).items() if not name.startswith(DECODER_PREFIX)}
        check_names(network, tensors, str(source), optional=optional)
        target = (into / file.path).with_suffix(".safetensors")
        after = save_tensors(
            tensors, target, dtype, f"{file.source.repository if file.source else 'openai'}/{file.name}"
        )
        written.append(Converted(target, len(tensors), source.stat().st_size, after))
    for file in (of.vae, of.vae_config, of.tiny_vae, of.tiny_vae_config):
        written += _copy(folder, into, file, dtype, tell)
    return written


def _copy(
    folder: Path, into: Path, file: ReleasedFile, dtype: torch.dtype | None, tell: Callable[[str], None]
) -> list[Converted]:
    """An autoencoder's file; diffusers loads it, whatever its release called things, so that names stay."""
    source = stored(folder, file)
    if source is None:
        return []
    tell(file.path)
    target = into / file.path
    if source.suffix == ".json":
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        return []
    tensors = read_tensors(source)
    origin = f"{file.source.repository if file.source else ''}/{file.name}"
    after = save_tensors(tensors, target.with_suffix(".safetensors"), dtype, origin)
    return [Converted(target.with_suffix(".safetensors"), len(tensors), source.stat().st_size, after)]
