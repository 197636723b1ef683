"""Motion modules: the denoiser's only operation across frames (AnimateDiff's temporal transformer)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from diffusers.models.attention import FeedForward
from torch import nn

from avatar.echomimic.attention import Projections


@dataclass(slots=True)
class TemporalMemory:
    """What temporal attention keeps of the frames before a window, at one noise level.

    Give one to ``DenoisingUNet.forward`` and it lets the window's frames attend to the last frames of the window before,
    at positions 0..., without computing those again; then it keeps this window's last frames. The weights were trained on
    whole windows that see both ways, so this departs from the original.

    Attributes:
        frames: how many are kept.
        states: per temporal attention, by its number: normalised input [B * height * width, frames, channels].
    """

    frames: int
    states: dict[int, torch.Tensor] = field(default_factory=dict)

    def extend(self, number: int, own: torch.Tensor) -> torch.Tensor:
        """The kept frames, if any, followed by ``own`` [N, F, C]; the last ``frames`` are kept in their place."""
        before = self.states.get(number)
        whole = own if before is None else torch.cat([before, own], dim=1)
        self.states[number] = whole[:, -self.frames :].detach()
        return whole


class MotionModule(nn.Module):
    """A residual temporal transformer over every pixel's history. Names: ``temporal_transformer...``."""

    def __init__(self, channels: int, heads: int, groups: int, positions: int) -> None:
        super().__init__()
        self.temporal_transformer = TemporalTransformer(channels, heads, groups, positions)

    def forward(self, hidden: torch.Tensor, frames: int, memory: TemporalMemory | None = None) -> torch.Tensor:
        """[B * frames, channels, height, width], frames of a row in order, to the same."""
        return hidden + self.temporal_transformer(hidden, frames, memory)


class TemporalTransformer(nn.Module):
    def __init__(self, channels: int, heads: int, groups: int, positions: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.proj_in = nn.Linear(channels, channels)
        self.transformer_blocks = nn.ModuleList([TemporalBlock(channels, heads, positions)])
        self.proj_out = nn.Linear(channels, channels)

    def forward(self, hidden: torch.Tensor, frames: int, memory: TemporalMemory | None = None) -> torch.Tensor:
        """[B * F, C, H, W] to what is added to it."""
        height, width = hidden.shape[-2:]
        tokens = self.proj_in(self.norm(hidden).permute(0, 2, 3, 1).flatten(1, 2))  # [B F, H W, C]
        tokens = tokens.unflatten(0, (-1, frames)).transpose(1, 2).flatten(0, 1)  # [B H W, F, C]
        for block in self.transformer_blocks:
            tokens = block(tokens, memory)
        tokens = tokens.unflatten(0, (-1, height * width)).transpose(1, 2).flatten(0, 1)
        return self.proj_out(tokens).unflatten(1, (height, width)).permute(0, 3, 1, 2)


class TemporalBlock(nn.Module):
    """Two temporal self-attentions and a feed-forward, each after its own layer normalisation, each residual."""

    def __init__(self, channels: int, heads: int, positions: int) -> None:
        super().__init__()
        self.attention_blocks = nn.ModuleList([TemporalAttention(channels, heads, positions) for _ in range(2)])
        self.norms = nn.ModuleList([nn.LayerNorm(channels) for _ in range(2)])
        self.ff = FeedForward(channels, activation_fn="geglu")
        self.ff_norm = nn.LayerNorm(channels)

    def forward(self, tokens: torch.Tensor, memory: TemporalMemory | None = None) -> torch.Tensor:
        """[N, F, C] to the same."""
        for attention, norm in zip(self.attention_blocks, self.norms, strict=True):
            tokens = tokens + attention(norm(tokens), memory)
        return tokens + self.ff(self.ff_norm(tokens))


class TemporalAttention(Projections):
    """Self-attention over frames; positions count from the window's start."""

    def __init__(self, channels: int, heads: int, positions: int) -> None:
        super().__init__(channels, heads)
        self.number = -1
        """Set by the denoiser: which of its temporal attentions this is."""
        self.pos_encoder = Positions(channels, positions)

    def forward(self, tokens: torch.Tensor, memory: TemporalMemory | None = None) -> torch.Tensor:
        """Normalised tokens [N, F, C] to what attention adds to them."""
        own = tokens.shape[1]
        placed = self.pos_encoder(tokens if memory is None else memory.extend(self.number, tokens))
        keys, values = self.keys_values(placed)
        return self.attend(self.to_q(placed[:, -own:]), keys, values)


class Positions(nn.Module):
    """Adds a sinusoid per position; the table is a buffer that the released motion modules carry too."""

    pe: torch.Tensor

    def __init__(self, channels: int, positions: int) -> None:
        super().__init__()
        # "cpu" by name: networks are built on the meta device, and this must have values all the same.
        place = torch.arange(positions, device="cpu", dtype=torch.float32)[:, None]
        even = torch.arange(0, channels, 2, device="cpu", dtype=torch.float32)
        angle = place * torch.exp(even * (-math.log(10000.0) / channels))
        self.register_buffer("pe", torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[None])

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        if tokens.shape[1] > self.pe.shape[1]:
            raise ValueError(f"A window may have {self.pe.shape[1]} frames, not {tokens.shape[1]}.")
        return tokens + self.pe[:, : tokens.shape[1]]
