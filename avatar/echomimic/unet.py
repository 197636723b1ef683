"""What the denoising and the reference U-Net share: Stable Diffusion 1.5's skeleton, without its head."""

from __future__ import annotations

import torch
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from torch import nn

from avatar.echomimic.blocks import DownLevel, MiddleLevel, UpLevel
from avatar.echomimic.config import LATENT_CHANNELS, UNetConfig
from avatar.echomimic.motion_module import TemporalAttention
from avatar.echomimic.spatial_transformer import PassContext, SpatialBlock


class UNet(nn.Module):
    """Down, middle and up.

    Args:
        config: widths.
        audio_channels: of the tokens that spatial blocks attend to; None where they attend to none.
        motion: whether there are motion modules.
    """

    def __init__(self, config: UNetConfig, audio_channels: int | None, motion: bool) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        self.conv_in = nn.Conv2d(LATENT_CHANNELS, channels[0], 3, padding=1)
        self.time_proj = Timesteps(channels[0], flip_sin_to_cos=True, downscale_freq_shift=0)
        self.time_embedding = TimestepEmbedding(channels[0], config.time_channels)
        last = len(channels) - 1
        down, up = [], []
        for number, width in enumerate(channels):
            before = channels[max(number - 1, 0)]
            widths = [(before if first == 0 else width, width) for first in range(config.layers)]
            down.append(DownLevel(config, widths, number < last, audio_channels, motion, halves=number < last))
        for number, width in reversed(list(enumerate(channels))):
            below, above = channels[min(number + 1, last)], channels[max(number - 1, 0)]
            arrives = [below, *[width] * config.layers]
            kept = [*[width] * config.layers, above]
            widths = [(came + skip, width) for came, skip in zip(arrives, kept, strict=True)]
            up.append(UpLevel(config, widths, number < last, audio_channels, motion, doubles=number > 0))
        self.down_blocks = nn.ModuleList(down)
        self.up_blocks = nn.ModuleList(up)
        self.mid_block = MiddleLevel(config, audio_channels, motion)
        for name, module in self.named_modules():
            if isinstance(module, SpatialBlock):
                module.name = name
        for number, module in enumerate(m for m in self.modules() if isinstance(m, TemporalAttention)):
            module.number = number

    @property
    def dtype(self) -> torch.dtype:
        return self.conv_in.weight.dtype

    def embed_time(self, timesteps: torch.Tensor) -> torch.Tensor:
        """Steps of the noise schedule, int64 [N], to [N, time channels]; the sinusoids are float32 in every precision."""
        return self.time_embedding(self.time_proj(timesteps).to(self.dtype))

    def run(self, hidden: torch.Tensor, time: torch.Tensor, context: PassContext) -> torch.Tensor:
        """From ``conv_in``'s output (and what was added to it) to the last level's.

        Args:
            hidden: [rows * frames, channels[0], height, width]; where a side cannot be halved, a level has the larger half, and
                the way up comes back to the sizes of the way down, as in the original.
            time: [rows * frames, time channels].
            context: see ``PassContext``.
        """
        kept = [hidden]
        for down in self.down_blocks:
            hidden, of_level = down(hidden, time, context)
            kept += of_level
        hidden = self.mid_block(hidden, time, context)
        several = self.config.layers + 1
        for up in self.up_blocks:
            skips = kept[-several:]
            del kept[-several:]
            hidden = up(hidden, skips, time, context, kept[-1].shape[-2:] if kept else None)
        return hidden
