"""Whisper's encoder under the names of OpenAI's checkpoints: its hidden states are EchoMimic's audio features."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from avatar.echomimic.config import WhisperConfig

DECODER_PREFIX = "decoder."
"""Checkpoints hold the decoder as well; nothing here uses it."""


class Whisper(nn.Module):
    """The encoder alone, as ``encoder...``. 8 million parameters in Whisper-tiny."""

    def __init__(self, config: WhisperConfig | None = None) -> None:
        super().__init__()
        self.config = config or WhisperConfig()
        self.encoder = AudioEncoder(self.config)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """Log-mel of a segment, [N, 80, 3000], to [N, 1500, 5, 384]: see ``AudioEncoder``."""
        return self.encoder(mel)


class AudioEncoder(nn.Module):
    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(config.mel_bands, config.channels, 3, padding=1)
        self.conv2 = nn.Conv1d(config.channels, config.channels, 3, stride=2, padding=1)
        self.register_buffer("positional_embedding", sinusoids(config.positions, config.channels))
        self.blocks = nn.ModuleList([EncoderBlock(config.channels, config.heads) for _ in range(config.layers)])
        self.ln_post = nn.LayerNorm(config.channels)
        """Only so that checkpoints load whole: EchoMimic takes what is before it."""

    positional_embedding: torch.Tensor

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """Every level's hidden states.

        Args:
            mel: normalised log-mel at 100 Hz, [N, bands, 2 T]; T at most the length of the position table.

        Returns:
            At 50 Hz: the embedded input and every block's output, before the final norm: [N, T, 1 + layers, channels].
        """
        hidden = functional.gelu(self.conv1(mel.to(self.conv1.weight.dtype)))
        hidden = functional.gelu(self.conv2(hidden)).transpose(1, 2)
        hidden = hidden + self.positional_embedding[: hidden.shape[1]].to(hidden.dtype)
        levels = [hidden]
        for block in self.blocks:
            levels.append(block(levels[-1]))
        return torch.stack(levels, dim=2)


class EncoderBlock(nn.Module):
    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.attn = SelfAttention(channels, heads)
        self.attn_ln = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels))
        self.mlp_ln = nn.LayerNorm(channels)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        hidden = hidden + self.attn(self.attn_ln(hidden))
        return hidden + self.mlp(self.mlp_ln(hidden))


class SelfAttention(nn.Module):
    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels, bias=False)
        self.value = nn.Linear(channels, channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        query, key, value = (
            project(hidden).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for project in (self.query, self.key, self.value)
        )
        return self.out(functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


def sinusoids(positions: int, channels: int) -> torch.Tensor:
    """[positions, channels]: sines, then cosines, with wavelengths from 2 pi to 20000 pi."""
    rates = torch.exp(
        -math.log(10000.0) / (channels // 2 - 1) * torch.arange(channels // 2, device="cpu", dtype=torch.float32)
    )
    angle = torch.arange(positions, device="cpu", dtype=torch.float32)[:, None] * rates
    return torch.cat([angle.sin(), angle.cos()], dim=1)
