"""Spatial attention within a frame: its own tokens and the reference's, then the sound, then a feed-forward."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from diffusers.models.attention import FeedForward
from torch import nn

from avatar.echomimic.attention import Attention
from avatar.echomimic.motion_module import TemporalMemory
from avatar.echomimic.reference_bank import ReferenceKeys

AUDIO_GAIN = 3.0
"""EchoMimic adds three times what cross-attention to the sound gives, in training and after."""


@dataclass(slots=True)
class PassContext:
    """What one pass through a U-Net carries beside the hidden states.

    Attributes:
        frames: frames a row; hidden states are [rows * frames, ...].
        audio: tokens [rows * frames, tokens, channels]; None in the reference U-Net.
        reference: keys and values read by spatial self-attention, a row each (or one for all).
        unconditional: the first so many rows do not read the reference (classifier-free guidance).
        memory: of the motion modules.
        written: where blocks write their normalised tokens; the reference U-Net's pass has one.
    """

    frames: int = 1
    audio: torch.Tensor | None = None
    reference: ReferenceKeys | None = None
    unconditional: int = 0
    memory: TemporalMemory | None = None
    written: dict[str, torch.Tensor] | None = field(default=None)


class SpatialTransformer(nn.Module):
    """A residual stack of ``SpatialBlock`` between 1x1 convolutions."""

    def __init__(self, channels: int, heads: int, groups: int, audio_channels: int | None) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.proj_in = nn.Conv2d(channels, channels, 1)
        self.transformer_blocks = nn.ModuleList([SpatialBlock(channels, heads, audio_channels)])
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, hidden: torch.Tensor, context: PassContext) -> torch.Tensor:
        """[rows * frames, channels, height, width] to the same."""
        height, width = hidden.shape[-2:]
        tokens = self.proj_in(self.norm(hidden)).permute(0, 2, 3, 1).flatten(1, 2)
        for block in self.transformer_blocks:
            tokens = block(tokens, context)
        return hidden + self.proj_out(tokens.unflatten(1, (height, width)).permute(0, 3, 1, 2))


class SpatialBlock(nn.Module):
    """Self-attention (with the reference), attention to the sound, feed-forward; each normalised first, each residual.

    Args:
        audio_channels: None leaves out attention to the sound, as the reference U-Net does.
    """

    def __init__(self, channels: int, heads: int, audio_channels: int | None) -> None:
        super().__init__()
        self.channels = channels
        self.name = ""
        """In its network; set there. Names the block's tokens in the bank."""
        self.norm1 = nn.LayerNorm(channels)
        self.attn1 = Attention(channels, heads)
        self.norm2: nn.LayerNorm | None = None
        self.attn2: Attention | None = None
        if audio_channels is not None:
            self.attn2 = Attention(channels, heads, audio_channels)
            self.norm2 = nn.LayerNorm(channels)
        self.norm3 = nn.LayerNorm(channels)
        self.ff = FeedForward(channels, activation_fn="geglu")

    def forward(self, tokens: torch.Tensor, context: PassContext) -> torch.Tensor:
        """[rows * frames, positions, channels] to the same."""
        normed = self.norm1(tokens)
        if context.written is not None:
            context.written[self.name] = normed
        tokens = tokens + self._look(normed, context)
        if self.attn2 is not None and self.norm2 is not None:
            tokens = tokens + AUDIO_GAIN * self.attn2(self.norm2(tokens), context.audio)
        return tokens + self.ff(self.norm3(tokens))

    def _look(self, normed: torch.Tensor, context: PassContext) -> torch.Tensor:
        """Self-attention; rows that read the reference take its keys and values after their own."""
        if context.reference is None:
            return self.attn1(normed)
        queries = self.attn1.to_q(normed)
        keys, values = self.attn1.keys_values(normed)
        alone = context.unconditional * context.frames
        reading = normed.shape[0] - alone
        joined = [
            torch.cat([own[alone:], _a_frame_each(constant, reading)], dim=1)
            for own, constant in zip((keys, values), context.reference.keys_values[self.name], strict=True)
        ]
        seen = self.attn1.attend(queries[alone:], *joined)
        if not alone:
            return seen
        return torch.cat([self.attn1.attend(queries[:alone], keys[:alone], values[:alone]), seen])


def _a_frame_each(constant: torch.Tensor, frames: int) -> torch.Tensor:
    """[references, M, C] for ``frames`` frames in all: those of one row follow each other."""
    references = constant.shape[0]
    each = constant[:, None].expand(-1, frames // references, -1, -1)
    return each.reshape(frames, *constant.shape[1:])
