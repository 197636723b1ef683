"""Drawn conditions to features that are added to the denoiser's first: V2's pose encoder, V1's face locator."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from avatar.echomimic.config import GuideConfig


class PoseEncoder(nn.Module):
    """A stack of 3x3 convolutions down to an eighth of the picture's side, SiLU between.

    V1's face locator has the same names: with 1 input channel for a face mask (audio mode), with 3 for drawn
    landmarks (pose mode).

    Args:
        out_channels: the denoiser's first width.
        config: widths; the default is V2's.
    """

    def __init__(self, out_channels: int = 320, config: GuideConfig | None = None) -> None:
        super().__init__()
        config = config or GuideConfig()
        widths = config.channels
        self.in_channels = config.in_channels
        self.conv_in = nn.Conv2d(config.in_channels, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList()
        for width, wider in pairwise(widths):
            self.blocks.append(nn.Conv2d(width, width, 3, padding=1))
            self.blocks.append(nn.Conv2d(width, wider, 3, padding=1, stride=2))
        self.conv_out = nn.Conv2d(widths[-1], out_channels, 3, padding=1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps [B, in_channels, F, H, W] in [0, 1] to features [B, out_channels, F, H/8, W/8]."""
        rows = maps.shape[0]
        hidden = self.conv_in(maps.to(self.conv_in.weight.dtype).transpose(1, 2).flatten(0, 1))
        for block in self.blocks:
            hidden = block(functional.silu(hidden))
        return self.conv_out(functional.silu(hidden)).unflatten(0, (rows, -1)).transpose(1, 2)
