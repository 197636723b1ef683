"""The levels of both U-Nets: diffusers' resnets and resampling, our attention and motion modules.

Every hidden state is [rows * frames, channels, height, width]: convolutions and normalisations work per frame.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.downsampling import Downsample2D
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.upsampling import Upsample2D
from torch import nn
from torch.utils.checkpoint import checkpoint

from avatar.echomimic.config import UNetConfig
from avatar.echomimic.motion_module import MotionModule
from avatar.echomimic.spatial_transformer import PassContext, SpatialTransformer


class Level(nn.Module):
    """Resnet, spatial attention (where the level has it), motion module (in the denoiser), as often as it has resnets.

    Attributes:
        checkpointing: whether training recomputes activations instead of keeping them.
    """

    def __init__(
        self,
        config: UNetConfig,
        widths: list[tuple[int, int]],
        attention: bool,
        audio_channels: int | None,
        motion: bool,
    ) -> None:
        super().__init__()
        self.checkpointing = False
        channels = widths[0][1]
        several = range(len(widths))
        if attention:
            self.attentions = nn.ModuleList(
                [SpatialTransformer(channels, config.heads, config.groups, audio_channels) for _ in several]
            )
        self.resnets = nn.ModuleList([resnet(config, *width) for width in widths])
        if motion:
            self.motion_modules = nn.ModuleList([motion_module(config, channels) for _ in several])
        self._attention = attention
        self._motion = motion

    def layer(self, number: int, hidden: torch.Tensor, time: torch.Tensor, context: PassContext) -> torch.Tensor:
        hidden = self._run(self.resnets[number], hidden, time)
        if self._attention:
            hidden = self._run(self.attentions[number], hidden, context)
        if self._motion:
            hidden = self._run(self.motion_modules[number], hidden, context.frames, context.memory)
        return hidden

    def _run(self, module: nn.Module, *inputs: Any) -> torch.Tensor:
        if self.checkpointing and torch.is_grad_enabled():
            return checkpoint(module, *inputs, use_reentrant=False)
        return module(*inputs)


class DownLevel(Level):
    """Returns its output and what the way up will want of it."""

    def __init__(
        self,
        config: UNetConfig,
        widths: list[tuple[int, int]],
        attention: bool,
        audio_channels: int | None,
        motion: bool,
        halves: bool,
    ) -> None:
        super().__init__(config, widths, attention, audio_channels, motion)
        channels = widths[-1][1]
        if halves:
            self.downsamplers = nn.ModuleList([Downsample2D(channels, use_conv=True, padding=1, name="op")])
        self._halves = halves

    def forward(
        self, hidden: torch.Tensor, time: torch.Tensor, context: PassContext
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        kept = []
        for number in range(len(self.resnets)):
            hidden = self.layer(number, hidden, time, context)
            kept.append(hidden)
        if self._halves:
            hidden = self.downsamplers[0](hidden)
            kept.append(hidden)
        return hidden, kept


class UpLevel(Level):
    """Takes what the way down kept, last first."""

    def __init__(
        self,
        config: UNetConfig,
        widths: list[tuple[int, int]],
        attention: bool,
        audio_channels: int | None,
        motion: bool,
        doubles: bool,
    ) -> None:
        super().__init__(config, widths, attention, audio_channels, motion)
        if doubles:
            self.upsamplers = nn.ModuleList([Upsample2D(widths[-1][1], use_conv=True)])
        self._doubles = doubles

    def forward(
        self,
        hidden: torch.Tensor,
        kept: list[torch.Tensor],
        time: torch.Tensor,
        context: PassContext,
        size: torch.Size | None,
    ) -> torch.Tensor:
        """``kept``: one for each resnet, in the order of the way down. ``size``: height and width of the next level."""
        for number, skip in enumerate(reversed(kept)):
            hidden = self.layer(number, torch.cat([hidden, skip], dim=1), time, context)
        return self.upsamplers[0](hidden, size) if self._doubles else hidden


class MiddleLevel(Level):
    """Resnet, attention, motion module, resnet."""

    def __init__(self, config: UNetConfig, audio_channels: int | None, motion: bool) -> None:
        channels = config.channels[-1]
        super().__init__(config, [(channels, channels)], True, audio_channels, motion)
        self.resnets.append(resnet(config, channels, channels))

    def forward(self, hidden: torch.Tensor, time: torch.Tensor, context: PassContext) -> torch.Tensor:
        hidden = self.layer(0, hidden, time, context)
        return self._run(self.resnets[1], hidden, time)


def resnet(config: UNetConfig, in_channels: int, out_channels: int) -> nn.Module:
    return ResnetBlock2D(
        in_channels=in_channels,
        out_channels=out_channels,
        temb_channels=config.time_channels,
        groups=config.groups,
        eps=1e-5,
    )


def motion_module(config: UNetConfig, channels: int) -> MotionModule:
    return MotionModule(channels, config.heads, config.groups, config.positions)
