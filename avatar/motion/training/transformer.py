"""The diffusion transformer: what a person adds to speech, a few frames at a time.

A window is what was played and what comes: ``HISTORY_BLOCKS`` means over about four seconds, ``PREFIX_FRAMES`` clean frames, and up to
``MOST_FRAMES`` frames that are diffused (v-prediction). Each frame is told its condition. Tokens that are clean carry the time of clean
data, those that are diffused the time of their noise, through adaptive layer norms (DiT: Peebles & Xie, arXiv 2212.09748) whose
modulation is computed once for all layers (adaLN-single: Chen et al., "PixArt-alpha", arXiv 2310.00426): a third of the parameters go.

What is diffused is not the state but its innovations: see ``innovations``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from avatar.distillation.scheduler import DATA
from avatar.motion.generator.condition import C
from avatar.motion.generator.sampler import HISTORY_BLOCKS, HISTORY_FRAMES, MOST_FRAMES, PREFIX_FRAMES
from avatar.motion.generator.state import D
from avatar.motion.training.innovations import Innovations

_CONDITION_LIMIT = 5.0
"""Rare flags are many deviations from their mean; beyond this they say nothing more."""

_WAVES = 64
_LONGEST = 10_000.0
_HIDDEN = 4


@dataclass(frozen=True, slots=True)
class TransformerShape:
    """3.8 million parameters."""

    width: int = 256
    layers: int = 4
    heads: int = 4


def summarise(played: Tensor) -> tuple[Tensor, Tensor]:
    """What was played, as the network is given it.

    Args:
        played: [batch, PLAYED_FRAMES, D], normalised, oldest first.

    Returns:
        Prefix [batch, PREFIX_FRAMES, D], and history [batch, HISTORY_BLOCKS, D].
    """
    older = played[:, : HISTORY_BLOCKS * HISTORY_FRAMES]
    blocks = older.reshape(-1, HISTORY_BLOCKS, HISTORY_FRAMES, played.shape[2])
    return played[:, HISTORY_BLOCKS * HISTORY_FRAMES :], blocks.mean(dim=2)


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.project = nn.Linear(width, 3 * width)
        self.attended = nn.Linear(width, width)
        self.widen = nn.Linear(width, _HIDDEN * width)
        self.narrow = nn.Linear(_HIDDEN * width, width)
        self.modulation = nn.Parameter(torch.zeros(6, width))

    def forward(self, x: Tensor, known: int, of_clean: Tensor, of_diffused: Tensor) -> Tensor:
        """Args:
        x: [batch, tokens, width], the first ``known`` tokens clean.
        of_clean, of_diffused: modulation of all layers, [1, 6, width] and [batch, 6, width].
        """
        batch, tokens, width = x.shape
        parts = [
            (modulation + self.modulation)[:, None].expand(batch, count, 6, width)
            for modulation, count in ((of_clean, known), (of_diffused, tokens - known))
        ]
        shift, scale, gate, shift2, scale2, gate2 = torch.cat(parts, dim=1).unbind(dim=2)
        x = x + gate * self._attend(self.norm(x) * (1 + scale) + shift)
        hidden = functional.gelu(self.widen(self.norm(x) * (1 + scale2) + shift2), approximate="tanh")
        return x + gate2 * self.narrow(hidden)

    def _attend(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        query, key, value = self.project(x).reshape(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.attended(mixed.transpose(1, 2).reshape(batch, tokens, width))


class MotionTransformer(nn.Module):
    """See the module. All states and conditions are normalised."""

    def __init__(self, shape: TransformerShape | None = None) -> None:
        super().__init__()
        shape = shape or TransformerShape()
        width = shape.width
        self.shape = shape
        self.innovations = Innovations()
        self.read_history = nn.Linear(D, width)
        self.read_prefix = nn.Linear(D, width)
        self.read_noisy = nn.Linear(D, width)
        self.read_condition = nn.Linear(C, width)
        self.history_at = nn.Parameter(torch.randn(HISTORY_BLOCKS, width) * 0.02)
        self.frame_at = nn.Parameter(torch.randn(PREFIX_FRAMES + MOST_FRAMES, width) * 0.02)
        self.time = nn.Sequential(nn.Linear(2 * _WAVES, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.modulate = nn.Linear(width, 6 * width)
        self.blocks = nn.ModuleList(_Block(width, shape.heads) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.out_modulation = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, D)
        for layer in (self.modulate, self.out_modulation, self.out):  # each block begins as the identity
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, noisy: Tensor, timestep: Tensor, prefix: Tensor, history: Tensor, condition: Tensor) -> Tensor:
        """Args:
            noisy: innovations, noised, [batch, N, D], N up to ``MOST_FRAMES``.
            timestep: of ``noisy``, [batch], -1..999.
            prefix: [batch, PREFIX_FRAMES, D].
            history: [batch, HISTORY_BLOCKS, D].
            condition: of prefix and new frames, [batch, PREFIX_FRAMES + N, C].

        Returns:
            v, [batch, N, D].
        """
        return self.denoise(noisy, self.timing(timestep), prefix, history, condition)

    def timing(self, timestep: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the layers need to know of the time, so that a sampler with fixed steps can have it ready.

        Returns:
            Modulation of clean tokens [1, 6, width], of diffused ones [batch, 6, width], and of the output [batch, 2, width].
        """
        clean, diffused = self._time(torch.full_like(timestep[:1], DATA)), self._time(timestep)
        layers = [self.modulate(time).reshape(-1, 6, self.shape.width) for time in (clean, diffused)]
        return layers[0], layers[1], self.out_modulation(diffused).reshape(-1, 2, self.shape.width)

    def denoise(
        self, noisy: Tensor, timing: tuple[Tensor, Tensor, Tensor], prefix: Tensor, history: Tensor, condition: Tensor
    ) -> Tensor:
        """``forward``, given ``timing``."""
        frames = torch.cat([self.read_prefix(prefix), self.read_noisy(noisy)], dim=1)
        frames = (
            frames
            + self.read_condition(condition.clamp(-_CONDITION_LIMIT, _CONDITION_LIMIT))
            + self.frame_at[: frames.shape[1]]
        )
        x = torch.cat([self.read_history(history) + self.history_at, frames], dim=1)
        known = HISTORY_BLOCKS + PREFIX_FRAMES
        of_clean, of_diffused, of_out = timing
        for block in self.blocks:
            x = block(x, known, of_clean, of_diffused)
        shift, scale = of_out[:, None].unbind(dim=2)
        return self.out(self.norm(x[:, known:]) * (1 + scale) + shift)

    def _time(self, timestep: Tensor) -> Tensor:
        """Waves of the time (Vaswani et al., arXiv 1706.03762) through a small network, [batch, width]."""
        rates = torch.exp(-math.log(_LONGEST) * torch.arange(_WAVES, device=timestep.device) / _WAVES)
        phase = timestep.to(rates.dtype)[:, None] * rates
        return self.time(torch.cat([phase.cos(), phase.sin()], dim=1))
