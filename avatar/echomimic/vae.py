"""Pictures to latents and back: Stable Diffusion's autoencoder, and TAESD, its small stand-in for live decoding."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from numpy.typing import NDArray

from avatar.echomimic.config import LATENT_CHANNELS, LATENT_FACTOR, TinyVAEConfig, VAEConfig


class Decoder(Protocol):
    """Latents to pictures."""

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """[N, 4, h, w] as the denoiser leaves them to RGB [N, 3, 8 h, 8 w] in [0, 1], the dtype of the weights."""


class FullVAE:
    """``AutoencoderKL`` as EchoMimic uses it.

    Attributes:
        network: the module.
    """

    def __init__(self, network: AutoencoderKL) -> None:
        self.network = network

    @torch.no_grad()
    def encode_mean(self, pictures: torch.Tensor) -> torch.Tensor:
        """Posterior mean, not scaled: RGB [N, 3, H, W] in [-1, 1] to [N, 4, H/8, W/8]."""
        return self.network.encode(pictures.to(self.network.dtype)).latent_dist.mean

    def encode_reference(self, picture: NDArray[np.uint8]) -> torch.Tensor:
        """The latent that the reference U-Net reads.

        Args:
            picture: RGB uint8 [H, W, 3], sides multiples of 64.

        Returns:
            [1, 4, H/8, W/8], scaled, on the network's device.
        """
        pixels = torch.from_numpy(picture.astype(np.float32) / 255.0 * 2.0 - 1.0).permute(2, 0, 1)[None]
        return self.encode_mean(pixels.to(self.network.device)) * LATENT_FACTOR

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """See ``Decoder``. 2.5 TFLOP a frame at 512x512."""
        decoded = self.network.decode(latents.to(self.network.dtype) / LATENT_FACTOR).sample
        return (decoded / 2 + 0.5).clamp(0, 1)


class TinyVAE:
    """TAESD: its latents are scaled ones, its pictures are in [-1, 1] as diffusers wraps them.

    Attributes:
        network: the module.
    """

    def __init__(self, network: AutoencoderTiny) -> None:
        self.network = network

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """See ``Decoder``. 0.14 TFLOP a frame at 512x512."""
        decoded = self.network.decode(latents.to(self.network.dtype)).sample
        return (decoded / 2 + 0.5).clamp(0, 1)


def build_vae(config: VAEConfig | None = None) -> AutoencoderKL:
    """Under the parameter names of sd-vae-ft-mse."""
    return AutoencoderKL(**vae_arguments(config or VAEConfig()))


def vae_arguments(config: VAEConfig) -> dict[str, Any]:
    levels = len(config.channels)
    return {
        "in_channels": 3,
        "out_channels": 3,
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "block_out_channels": config.channels,
        "layers_per_block": config.layers,
        "latent_channels": LATENT_CHANNELS,
        "norm_num_groups": config.groups,
        "sample_size": 256,
    }


def build_tiny_vae(config: TinyVAEConfig | None = None) -> AutoencoderTiny:
    """Under the parameter names of taesd."""
    config = config or TinyVAEConfig()
    levels = len(config.blocks)
    return AutoencoderTiny(
        encoder_block_out_channels=(config.channels,) * levels,
        decoder_block_out_channels=(config.channels,) * levels,
        num_encoder_blocks=tuple(reversed(config.blocks)),
        num_decoder_blocks=config.blocks,
    )
