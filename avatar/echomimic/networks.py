"""All networks of one avatar engine together, built once and shared by every persona and conversation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn

from avatar.echomimic.config import RELEASED, EchoMimicConfig
from avatar.echomimic.denoising_unet import DenoisingUNet
from avatar.echomimic.pose_encoder import PoseEncoder
from avatar.echomimic.recipe import fill_by_recipe
from avatar.echomimic.reference_unet import ReferenceUNet
from avatar.echomimic.vae import FullVAE, TinyVAE, build_tiny_vae, build_vae
from avatar.echomimic.whisper import Whisper

AnyModule = TypeVar("AnyModule", bound=nn.Module)


@dataclass(slots=True)
class Networks:
    """Evaluation mode, no gradients.

    Attributes:
        config: what they were built from.
        denoiser: DenoisingUNet.
        reference: ReferenceUNet; only needed while a persona is prepared.
        guide: the pose encoder (V2) or face locator (V1).
        whisper: the audio encoder.
        vae: encodes the reference and decodes at full quality.
        tiny_vae: decodes live; None where its weights are not there.
        synthetic: the weights are the recipe's, so what they draw is noise and has to be labelled so.
    """

    config: EchoMimicConfig
    denoiser: DenoisingUNet
    reference: ReferenceUNet
    guide: PoseEncoder
    whisper: Whisper
    vae: FullVAE
    tiny_vae: TinyVAE | None
    synthetic: bool = False

    def modules(self) -> list[nn.Module]:
        several: list[nn.Module] = [self.denoiser, self.reference, self.guide, self.whisper, self.vae.network]
        return several if self.tiny_vae is None else [*several, self.tiny_vae.network]

    def to(self, device: torch.device | str, dtype: torch.dtype) -> Networks:
        """Move in place. Sound stays float32 on its way into Whisper; buffers follow the weights."""
        for module in self.modules():
            nn.Module.to(module, device=device, dtype=dtype)  # diffusers' own warns of layers that these have not
        return self


def on_meta(build: Callable[[], AnyModule]) -> AnyModule:
    """Build a network without memory for its parameters; position tables have their values all the same."""
    with torch.device("meta"):
        return build().eval().requires_grad_(False)


def synthetic(build: Callable[[], AnyModule], module_name: str) -> AnyModule:
    """A network with the recipe's weights, float32 on the CPU."""
    network = on_meta(build)
    fill_by_recipe(network, module_name)
    return network


DENOISER = "denoising_unet"
REFERENCE = "reference_unet"
GUIDE = "pose_encoder"
WHISPER = "audio_whisper_tiny"
VAE = "sd_vae_ft_mse"
TINY_VAE = "taesd"
"""Names of the networks in the recipe for synthetic weights."""


def synthetic_networks(config: EchoMimicConfig = RELEASED) -> Networks:
    """Everything with the recipe's weights, float32 on the CPU. ``config.TINY`` takes milliseconds, ``RELEASED`` 10 GB."""
    unet = config.unet
    return Networks(
        config=config,
        denoiser=synthetic(lambda: DenoisingUNet(unet), DENOISER),
        reference=synthetic(lambda: ReferenceUNet(unet), REFERENCE),
        guide=synthetic(lambda: PoseEncoder(unet.channels[0], config.guide), GUIDE),
        whisper=synthetic(lambda: Whisper(config.whisper), WHISPER),
        vae=FullVAE(synthetic(lambda: build_vae(config.vae), VAE)),
        tiny_vae=TinyVAE(synthetic(lambda: build_tiny_vae(config.tiny_vae), TINY_VAE)),
        synthetic=True,
    )
